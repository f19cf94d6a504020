"""Operations that carry datapoints out and in; files are the command line's own business."""

import msgspec

from thingtank.server.operations.context import Context
from thingtank.tank.access import OPERATOR
from thingtank.tank.actions.transfer import export_datapoints, import_datapoints
from thingtank.tank.changes import DatastreamWrite
from thingtank.tank.datapoints import AT_US_MAX, AT_US_MIN
from thingtank.tank.errors import ValidationFailed


class ExportBatch(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The next datapoints of a channel, from `start_us` on, before `end_us`."""

    feed_id: int
    channel: str
    start_us: int = AT_US_MIN
    end_us: int = AT_US_MAX + 1
    limit: int = 10_000


class Batch(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Datapoints of one channel as columns of one length."""

    feed_id: int
    channel: str
    at_us: list[int]
    values: list[str]


class ImportBatch(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Datapoints of one feed to write."""

    feed_id: int
    channels: dict[str, tuple[list[int], list[str]]]
    creates_missing: bool = False


class Imported(msgspec.Struct, frozen=True):
    """How many datapoints are on disk now."""

    count: int


async def export_batch(context: Context, asked: ExportBatch) -> Batch:
    """Read one batch."""
    points = await export_datapoints(
        context.tank,
        OPERATOR,
        asked.feed_id,
        asked.channel,
        asked.start_us,
        asked.end_us,
        asked.limit,
    )
    return Batch(
        asked.feed_id,
        asked.channel,
        [point.at_us for point in points],
        [point.value for point in points],
    )


async def import_batch(context: Context, asked: ImportBatch) -> Imported:
    """Write one batch."""
    writes = []
    for name, (at_us, values) in asked.channels.items():
        if len(at_us) != len(values):
            raise ValidationFailed([("values", "must be as many as times")])
        writes.append(DatastreamWrite(name, at_us, values))
    count = await import_datapoints(
        context.tank, OPERATOR, asked.feed_id, writes, creates_missing=asked.creates_missing
    )
    return Imported(count)
