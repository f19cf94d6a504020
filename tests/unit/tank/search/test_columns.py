"""Circles on a sphere agree with the haversine formula, everywhere."""

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from tests.contract.naive_search import haversine_m

from thingtank.tank.search.columns import Columns, are_within, point
from thingtank.tank.things import Device, Location

LATITUDES = st.floats(-90, 90) | st.sampled_from([-90.0, 90.0, 89.9999])
LONGITUDES = st.floats(-180, 180) | st.sampled_from([-180.0, 180.0, 179.9999])


@given(LATITUDES, LONGITUDES, LATITUDES, LONGITUDES, st.floats(0, 25_000_000))
def test_a_circle_holds_what_the_haversine_formula_says(
    lat: float, lon: float, other_lat: float, other_lon: float, distance_m: float
) -> None:
    apart_m = haversine_m(lat, lon, other_lat, other_lon)
    assume(abs(apart_m - distance_m) > 1)  # rounding may decide about a metre, not more
    points = np.array([point(lat, lon)])
    assert are_within(points, other_lat, other_lon, distance_m).tolist() == [apart_m <= distance_m]


PLACES = [
    ("the same place", 51.5, -0.08, 51.5, -0.08, 0, True),
    ("the same place by another longitude", 0, 180, 0, -180, 0, True),
    ("the pole, whatever the longitude", 90, 0, 90, 77, 0, True),
    ("22 km over the date line", -17, 179.9, -17, -179.9, 22_000, True),
    ("not 21 km over the date line", -17, 179.9, -17, -179.9, 21_000, False),
    ("over the pole", 89.9, 0, 89.9, 180, 22_300, True),
    ("the other side of the earth", 10, 20, -10, -160, 20_100_000, True),
    ("the other side, not quite", 10, 20, -10, -160, 19_900_000, False),
    ("Bangalore to Mysore", 12.9716, 77.5946, 12.2958, 76.6394, 130_000, True),
]


@pytest.mark.parametrize(
    ("lat", "lon", "other_lat", "other_lon", "distance_m", "is_within"),
    [row[1:] for row in PLACES],
    ids=[row[0] for row in PLACES],
)
def test_places_are_within(
    lat: float, lon: float, other_lat: float, other_lon: float, distance_m: float, is_within: bool
) -> None:
    points = np.array([point(lat, lon)])
    assert are_within(points, other_lat, other_lon, distance_m).tolist() == [is_within]


def test_rows_stay_when_columns_grow_and_a_dropped_one_is_nowhere() -> None:
    columns = Columns(2)
    for slot in range(5):
        columns = columns.with_row(slot)
        place = Location(lat=slot, lon=0)
        columns.put(slot, Device(slot + 10, "u", 7, "t", private=False, location=place))
    columns.drop(3)
    assert columns.count == 5
    assert columns.device_ids[:5].tolist() == [10, 11, 12, 13, 14]
    assert columns.is_there[:5].tolist() == [True, True, True, False, True]
    assert are_within(columns.points, 0, 0, 2e7).tolist()[:5] == [True, True, True, False, True]
    assert not are_within(columns.points, 0, 0, 2e7)[5:].any()
