"""Kinesis: records in batches, of which some may fail.

Source: AWS, Kinesis Data Streams, PutRecords and quotas.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from thingtank.aws.calls import cut
from thingtank.aws.failures import failure_of_code
from thingtank.tank.failures import Failure

CALL_RECORDS_MAX = 500
CALL_BYTES_MAX = 5 * 1024 * 1024  # 10 MiB are allowed; half leaves room for base64 in memory
RECORD_BYTES_MAX = 1024 * 1024  # what every stream takes, the partition key with it
KEY_CHARS_MAX = 256


class StreamRecord(NamedTuple):
    """What is to be put: records of one key go to one shard, in order."""

    key: str
    data: bytes

    @property
    def byte_count(self) -> int:
        """As Kinesis counts it."""
        key_bytes = len(self.key) if self.key.isascii() else len(self.key.encode())
        return key_bytes + len(self.data)


def fault_of(record: StreamRecord) -> str | None:
    """Why Kinesis can never take a record; None when it can."""
    if not 1 <= len(record.key) <= KEY_CHARS_MAX:
        return f"a partition key has 1 to {KEY_CHARS_MAX} characters, this has {len(record.key)}"
    if record.byte_count > RECORD_BYTES_MAX:
        return f"a record has at most {RECORD_BYTES_MAX:,} bytes, this has {record.byte_count:,}"
    return None


def calls_of(records: Iterable[StreamRecord]) -> Iterator[list[StreamRecord]]:
    """Cut records into what one call takes, in their order."""
    return cut(records, CALL_RECORDS_MAX, CALL_BYTES_MAX)


def put_records(client: Any, stream: str, records: Sequence[StreamRecord]) -> list[Failure | None]:
    """Put the records of one call.

    A record behind a failed one of the same key may have been taken: Kinesis keeps no order
    between the two. Whoever needs it puts one record of each key at a time.

    Returns:
        What became of each; None is in the stream.

    Raises:
        botocore's exceptions, when none was taken or nobody knows.
    """
    entries = [{"Data": record.data, "PartitionKey": record.key} for record in records]
    reply = client.put_records(StreamName=stream, Records=entries)
    if not reply.get("FailedRecordCount"):
        return [None] * len(records)
    return [
        failure_of_code(result["ErrorCode"], result.get("ErrorMessage", ""))
        if result.get("ErrorCode")
        else None
        for result in reply["Records"]
    ]
