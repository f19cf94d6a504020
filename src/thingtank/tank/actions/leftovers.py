"""Delete what deletions have left: a store refused, or the process died before it was asked."""

from thingtank.tank.access import Caller, check_operate
from thingtank.tank.datapoints import AT_US_MAX, AT_US_MIN
from thingtank.tank.errors import NoSuchAccount
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


async def forget_gone_accounts(tank: Tank, caller: Caller) -> int:
    """Drop the deliveries and signing secrets of accounts that the directory has no more.

    An account is in the directory before anything is delivered for it, and its number is not given
    out again; so the deliveries are asked first.

    Returns:
        Of how many accounts something was left.

    Raises:
        NotAllowed: the caller is not the operator.
        StorageFailed: what was dropped before stays dropped.
    """
    check_operate(caller)
    if tank.deliveries is None:
        return 0
    account_ids = await tank.deliveries.account_ids()
    gone = [account_id for account_id in account_ids if not _has_account(tank, account_id)]
    for account_id in gone:
        await tank.deliveries.forget_account(account_id)
    return len(gone)


def _has_account(tank: Tank, account_id: int) -> bool:
    try:
        tank.directory.get_account(account_id)
    except NoSuchAccount:
        return False
    return True
