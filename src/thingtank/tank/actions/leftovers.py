"""Delete what deletions have left: the archive refused, or the process died before it was asked."""

from thingtank.tank.access import Caller, check_operate
from thingtank.tank.datapoints import AT_US_MAX, AT_US_MIN
from thingtank.tank.tank import Tank


async def delete_leftovers(tank: Tank, caller: Caller) -> int:
    """Delete all datapoints of datastreams that the directory has no more.

    A datastream is in the directory before its first datapoint is in the archive, and its number is
    not given out again. So the archive is asked first: what the directory then does not know is
    gone for good, and never a datastream that was made meanwhile.

    Returns:
        Of how many datastreams something was left.

    Raises:
        NotAllowed: the caller is not the operator.
        Overloaded, StorageFailed: what was deleted before stays deleted.
    """
    check_operate(caller)
    count = 0
    for stream_ids in tank.archive.stored_streams():
        missing = await tank.directory.missing_streams(stream_ids)
        if missing:
            await tank.archive.delete(missing, AT_US_MIN, AT_US_MAX + 1)
            count += len(missing)
    return count
