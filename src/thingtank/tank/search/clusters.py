"""Places of many devices as a map shows them: those near to each other are one cluster.

Calculation only. The map is cut into cells of a grid that stays where it is while the map moves, so
that clusters do not flicker; one cell's places are a cluster, or a place of its own.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from thingtank.tank.arrays import Float64s, Int64s

LATITUDE_MAX = 85.0511287798  # where the square of a Web Mercator map ends
CELLS_ACROSS_MAX = 40  # of a view: so no answer has more than 41 x 41 clusters
_ZOOM_MAX = 22


class Places(NamedTuple):
    """Where devices are, as columns of one length.

    Attributes:
        lats, lons: degrees.
        found_count: how many devices were found, with those that have no place.
    """

    device_ids: Int64s
    lats: Float64s
    lons: Float64s
    found_count: int


class Box(NamedTuple):
    """A part of the map in degrees; `west` is greater than `east` across the date line."""

    west: float
    south: float
    east: float
    north: float


class Cluster(NamedTuple):
    """Places near to each other.

    Attributes:
        lat, lon: their middle.
        device_count: how many they are.
        device_id: one of them; the only one where `device_count` is 1.
        box: what they reach over.
    """

    lat: float
    lon: float
    device_count: int
    device_id: int
    box: Box


def within(places: Places, box: Box) -> Places:
    """Those in a part of the map."""
    inside = (places.lats >= box.south) & (places.lats <= box.north)
    if box.west <= box.east:
        inside &= (places.lons >= box.west) & (places.lons <= box.east)
    else:
        inside &= (places.lons >= box.west) | (places.lons <= box.east)
    return Places(
        places.device_ids[inside], places.lats[inside], places.lons[inside], places.found_count
    )


def clusters_of(places: Places, box: Box, cell_zoom: int) -> list[Cluster]:
    """Clusters of what is in a part of the map.

    Args:
        cell_zoom: the whole map is 2 ** cell_zoom cells wide; fewer where a view would have too
            many of them.
    """
    seen = within(places, box)
    if not len(seen.device_ids):
        return []
    cells_across = 2 ** _bounded_zoom(box, cell_zoom)
    columns = np.floor((seen.lons / 360 + 0.5) * cells_across).astype(np.int64)
    rows = np.floor(_projected(seen.lats) * cells_across).astype(np.int64)
    cells = rows * (2 * cells_across) + columns
    order = np.argsort(cells, kind="stable")
    starts = np.flatnonzero(np.diff(cells[order], prepend=cells[order[0]] - 1))
    counts = np.diff(np.append(starts, len(order)))
    lats, lons = seen.lats[order], seen.lons[order]
    columns_of = (
        np.add.reduceat(lats, starts) / counts,
        np.add.reduceat(lons, starts) / counts,
        counts,
        seen.device_ids[order][starts],
        np.minimum.reduceat(lons, starts),
        np.minimum.reduceat(lats, starts),
        np.maximum.reduceat(lons, starts),
        np.maximum.reduceat(lats, starts),
    )
    return [
        Cluster(lat, lon, count, device_id, Box(*edges))
        for lat, lon, count, device_id, *edges in zip(
            *(column.tolist() for column in columns_of), strict=True
        )
    ]


def _bounded_zoom(box: Box, cell_zoom: int) -> int:
    width = (box.east - box.west) % 360 / 360 or 1.0
    edges = _projected(np.array([box.north, box.south]))
    height = max(float(edges[1] - edges[0]), 1e-9)
    widest = max(width, height)
    return max(0, min(cell_zoom, _ZOOM_MAX, int(np.floor(np.log2(CELLS_ACROSS_MAX / widest)))))


def _projected(lats: npt.NDArray[np.float64]) -> Float64s:
    """How far down a Web Mercator map latitudes are, from 0 to 1."""
    sines = np.sin(np.radians(np.clip(lats, -LATITUDE_MAX, LATITUDE_MAX)))
    projected: Float64s = 0.5 - np.log((1 + sines) / (1 - sines)) / (4 * np.pi)
    return projected
