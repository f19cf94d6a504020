"""An object of S3 as a file that is read from its beginning; a lost connection is made up for."""

import io
import time
from collections.abc import Iterator
from typing import Any

from thingtank.aws.addresses import S3Address
from thingtank.aws.failures import classify, is_aws_failure

CHUNK_BYTES = 2**20
FAILURES_MAX = 4  # in a row, without a byte between
PAUSE_S = 0.2  # twice as long each time


class ObjectReader(io.RawIOBase):
    """Reads one version of an object, whatever becomes of its name meanwhile.

    Attributes:
        size_bytes: of all of it.
    """

    def __init__(self, s3: Any, address: S3Address, failures_max: int = FAILURES_MAX) -> None:
        """Ask for it.

        Raises:
            botocore.exceptions.BotoCoreError, ClientError: see `aws.failures.classify`.
        """
        self._s3 = s3
        self._which = {"Bucket": address.bucket, "Key": address.key}
        self._failures_max = failures_max
        found = s3.get_object(**self._which)
        self._body = found["Body"]
        self._etag = found["ETag"]
        self.size_bytes = int(found["ContentLength"])
        self._at = 0

    def readable(self) -> bool:
        """It is."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Read some; 0 at its end.

        Raises:
            botocore.exceptions.BotoCoreError, ClientError: as often as it is allowed.
        """
        if self._at >= self.size_bytes:
            return 0
        chunk = self._some(len(buffer))
        self._at += len(chunk)
        buffer[: len(chunk)] = chunk
        return len(chunk)

    def chunks(self) -> Iterator[bytes]:
        """All that remains, in parts. Raises as `readinto`."""
        while chunk := self.read(CHUNK_BYTES):
            yield chunk

    def _some(self, count: int) -> bytes:
        failure_count = 0
        while True:
            try:
                if failure_count:
                    self._ask_again()
                chunk: bytes = self._body.read(count)
                if chunk:
                    return chunk
                raise _cut_short(self._at, self.size_bytes)
            except Exception as error:
                failure_count += 1
                if not is_aws_failure(error) or not classify(error).is_passing:
                    raise
                if failure_count > self._failures_max:
                    raise
                time.sleep(PAUSE_S * 2**failure_count)

    def _ask_again(self) -> None:
        self._body.close()
        found = self._s3.get_object(**self._which, Range=f"bytes={self._at}-", IfMatch=self._etag)
        self._body = found["Body"]

    def close(self) -> None:
        """Let the connection go."""
        if not self.closed:
            self._body.close()
        super().close()


def _cut_short(at: int, size_bytes: int) -> Exception:
    from botocore.exceptions import IncompleteReadError

    error: Exception = IncompleteReadError(actual_bytes=at, expected_bytes=size_bytes)
    return error
