"""The public directory's question, and how the tank is asked it."""

import msgspec

from thingtank.tank.interfaces import DevicePage, DeviceQuery, Order, Status
from thingtank.tank.tank import Tank


class DirectorySearch(msgspec.Struct, frozen=True):
    """What the directory is asked for; blank members leave nothing out.

    Attributes:
        text, tag, user, units, status, order: as DeviceQuery has them.
        lat, lon: degrees, both or neither; only feeds at most `distance_km` from there.
    """

    text: str = ""
    tag: str = ""
    user: str = ""
    units: str = ""
    status: Status = "all"
    lat: float | None = None
    lon: float | None = None
    distance_km: float = 0
    order: Order = "created_at"


async def find_feeds(
    tank: Tank, asked: DirectorySearch, live_s: int, page: int, per_page: int
) -> DevicePage:
    """One page of everybody's public feeds; in the loop. Raise Overloaded."""
    return await tank.search_devices(
        DeviceQuery(
            with_public=True,
            with_private=False,
            text=asked.text,
            tag=asked.tag,
            user=asked.user,
            units=asked.units,
            status=asked.status,
            live_s=live_s,
            lat=asked.lat,
            lon=asked.lon,
            distance_m=asked.distance_km * 1000,
            order=asked.order,
            page=page,
            per_page=per_page,
        )
    )
