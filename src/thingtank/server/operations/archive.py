"""Operations on the archive as a whole."""

import msgspec

from thingtank.server.operations.context import Context
from thingtank.server.operations.devices import find_device
from thingtank.server.operations.shapes import Nothing
from thingtank.stores.embedded_archive import ArchiveStats
from thingtank.stores.history_interface import Compacted
from thingtank.tank.access import OPERATOR
from thingtank.tank.actions.devices import update_device
from thingtank.tank.actions.retention import apply_retention
from thingtank.tank.changes import DeviceChange


class AskRetention(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A feed, and how long it shall keep its datapoints.

    Attributes:
        retention_s: None for ever; UNSET to ask only.
    """

    feed: str
    retention_s: int | msgspec.UnsetType | None = msgspec.UNSET


class Adopted(msgspec.Struct, frozen=True):
    """It is done."""


class Retention(msgspec.Struct, frozen=True):
    """How long a feed keeps its datapoints; None for ever."""

    feed_id: int
    title: str
    retention_s: int | None


async def stats(context: Context, asked: Nothing) -> ArchiveStats:
    """How much is stored where."""
    return await context.archive.stats()


async def compact(context: Context, asked: Nothing) -> Compacted:
    """Compact one period; to be asked again while any is left."""
    await context.archive.flush()
    return await context.archive.compact()


async def adopt(context: Context, asked: Nothing) -> Adopted:
    """Have the cold tier's bucket belong to this folder from now on."""
    await context.archive.adopt()
    return Adopted()


async def retention(context: Context, asked: AskRetention) -> Retention:
    """Set or tell how long a feed keeps its datapoints; what is older goes at once."""
    device = find_device(context, asked.feed)
    if asked.retention_s is not msgspec.UNSET:
        change = DeviceChange(retention_s=asked.retention_s)
        device = await update_device(context.tank, OPERATOR, device.device_id, change)
        await apply_retention(context.tank, OPERATOR)
    return Retention(device.device_id, device.title, device.retention_s)
