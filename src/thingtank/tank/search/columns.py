"""Numbers of all devices in columns, for numpy to filter: about 60 bytes a device.

A device has a slot, its row in every column. Changed by one thread, read by any: arrays that grow
are replaced. A reader may meet a row that is half written, so who must not see a device is asked
again of the device itself.
"""

import math

import numpy as np

from thingtank.tank.arrays import Bools, Float64s, Int64s
from thingtank.tank.things import Device, Location

EARTH_RADIUS_M = 6_371_008.8  # mean radius (IUGG)
_ROWS_FIRST = 1024


class Columns:
    """The columns' rows from 0 to `count`, which has grown meanwhile perhaps.

    Attributes:
        is_there: False for a slot that is free.
        points: shape (rows, 3), the place on a sphere of radius 1; NaN for none.
    """

    def __init__(self, rows: int = _ROWS_FIRST) -> None:
        self.count = 0
        self.is_there: Bools = np.zeros(rows, np.bool_)
        self.is_private: Bools = np.ones(rows, np.bool_)
        self.device_ids: Int64s = np.zeros(rows, np.int64)
        self.account_ids: Int64s = np.zeros(rows, np.int64)
        self.created_us: Int64s = np.zeros(rows, np.int64)
        self.updated_us: Int64s = np.zeros(rows, np.int64)
        self.points: Float64s = np.full((rows, 3), np.nan)

    def with_row(self, slot: int) -> "Columns":
        """Columns that have this row: themselves, or longer copies."""
        rows = len(self.is_there)
        if slot < rows:
            return self
        longer = Columns(rows * 2)
        longer.count = self.count
        for name, column in vars(self).items():
            if name != "count":
                getattr(longer, name)[:rows] = column
        return longer

    def put(self, slot: int, device: Device) -> None:
        """Write a device's row."""
        self.is_private[slot] = device.private
        self.device_ids[slot] = device.device_id
        self.account_ids[slot] = device.account_id
        self.created_us[slot] = device.created_us
        self.updated_us[slot] = device.updated_us
        self.points[slot] = _point_of(device.location)
        self.is_there[slot] = True
        self.count = max(self.count, slot + 1)

    def drop(self, slot: int) -> None:
        """Free a slot."""
        self.is_there[slot] = False
        self.is_private[slot] = True
        self.points[slot] = math.nan


def _point_of(location: Location | None) -> tuple[float, float, float]:
    if location is None or location.lat is None or location.lon is None:
        return (math.nan, math.nan, math.nan)
    return point(location.lat, location.lon)


def point(lat: float, lon: float) -> tuple[float, float, float]:
    """A place on a sphere of radius 1, from degrees."""
    lat, lon = math.radians(lat), math.radians(lon)
    return (math.cos(lat) * math.cos(lon), math.cos(lat) * math.sin(lon), math.sin(lat))


def degrees_of(points: Float64s) -> tuple[Float64s, Float64s]:
    """Latitudes and longitudes of places on the sphere, to a decimetre."""
    x, y, z = points[:, 0], points[:, 1], points[:, 2]
    lats: Float64s = np.degrees(np.arctan2(z, np.hypot(x, y))).round(6)
    lons: Float64s = np.degrees(np.arctan2(y, x)).round(6)
    return lats, lons


def are_within(points: Float64s, lat: float, lon: float, distance_m: float) -> Bools:
    """Which places lie within a distance over ground; places that are NaN do not.

    Straight lines through the earth are compared, so neither the date line nor a pole is special.
    """
    angle = min(distance_m / EARTH_RADIUS_M, math.pi)
    chord = 2 * math.sin(angle / 2)
    apart = points - np.array(point(lat, lon))
    # A little more than the chord, for what rounding adds: some tenths of a millimetre.
    within: Bools = np.einsum("ij,ij->i", apart, apart) <= (chord + 1e-10) ** 2
    return within
