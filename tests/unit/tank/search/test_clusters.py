"""Clusters of places: every place is in one, near ones together, and never too many of them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from thingtank.tank.search.clusters import (
    CELLS_ACROSS_MAX,
    LATITUDE_MAX,
    Box,
    Places,
    clusters_of,
    within,
)

WORLD = Box(-180, -90, 180, 90)

lats = st.floats(-90, 90, allow_nan=False)
lons = st.floats(-180, 180, allow_nan=False)
boxes = st.tuples(lons, lats, lons, lats).map(
    lambda edges: Box(edges[0], min(edges[1], edges[3]), edges[2], max(edges[1], edges[3]))
)


def places_of(points: list[tuple[float, float]]) -> Places:
    lat = np.array([point[0] for point in points], np.float64)
    lon = np.array([point[1] for point in points], np.float64)
    return Places(np.arange(1, len(points) + 1, dtype=np.int64), lat, lon, len(points))


def is_in(box: Box, lat: float, lon: float) -> bool:
    is_between = box.west <= lon <= box.east
    if box.west > box.east:
        is_between = lon >= box.west or lon <= box.east
    return box.south <= lat <= box.north and is_between


@given(points=st.lists(st.tuples(lats, lons), max_size=60), box=boxes, zoom=st.integers(0, 22))
def test_each_place_in_sight_is_counted_once_and_lies_in_its_clusters_box(
    points: list[tuple[float, float]], box: Box, zoom: int
) -> None:
    seen = [(lat, lon) for lat, lon in points if is_in(box, lat, lon)]
    places = places_of(points)
    assert len(within(places, box).device_ids) == len(seen)
    found = clusters_of(places, box, zoom)
    assert sum(cluster.device_count for cluster in found) == len(seen)
    assert len(found) <= (CELLS_ACROSS_MAX + 1) ** 2
    for cluster in found:
        lat, lon = points[cluster.device_id - 1]
        assert cluster.box.south <= lat <= cluster.box.north
        assert cluster.box.west <= lon <= cluster.box.east
        assert is_in(box, lat, lon)


def test_clusters_come_apart_as_the_map_comes_closer() -> None:
    places = places_of([(52.5, 13.4), (52.6, 13.5), (48.1, 11.6), (-33.9, 151.2)])
    near_berlin = Box(13, 52, 14, 53)
    assert sorted(c.device_count for c in clusters_of(places, WORLD, 0)) == [4]
    assert sorted(c.device_count for c in clusters_of(places, WORLD, 3)) == [1, 3]
    assert sorted(c.device_count for c in clusters_of(places, near_berlin, 14)) == [1, 1]


def test_however_close_is_asked_for_the_answer_is_bounded() -> None:
    dice = np.random.default_rng(5)
    points = list(zip(dice.uniform(-89, 89, 50_000), dice.uniform(-180, 180, 50_000), strict=True))
    for box in (WORLD, Box(170, -20, -170, 20), Box(0, 0, 40, 40)):
        assert len(clusters_of(places_of(points), box, 22)) <= (CELLS_ACROSS_MAX + 1) ** 2


@pytest.mark.parametrize("lat", [90, LATITUDE_MAX, -90])
def test_the_poles_are_at_the_edge(lat: float) -> None:
    (cluster,) = clusters_of(places_of([(lat, 180)]), WORLD, 6)
    assert (cluster.lat, cluster.lon, cluster.device_count) == (lat, 180, 1)
