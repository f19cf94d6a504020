"""An object of S3 as a file that is written from its beginning, without knowing how long it is."""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from thingtank.aws.addresses import S3Address
from thingtank.cloud.errors import NotDone
from thingtank.cloud.part_uploads import PartUpload

PART_BYTES = 8 * 2**20
GROWS_EVERY = (
    1000  # parts; twice as large then: 10,000 of them hold the 5 TiB of the largest object
)


class ObjectDiffers(NotDone):
    """What is there is not what was written. The message says so."""


class ObjectWriter(io.RawIOBase):
    """Takes bytes and sends them in parts, some of them while more are written.

    Attributes:
        size_bytes: what was written.
    """

    def __init__(self, s3: Any, address: S3Address, content_type: str) -> None:
        self._s3 = s3
        self._address = address
        self._which = {"Bucket": address.bucket, "Key": address.key}
        self._content_type = content_type
        self._buffer = bytearray()
        self._part_count = 0
        self._parts: PartUpload | None = None
        self.size_bytes = 0

    def writable(self) -> bool:
        """It is."""
        return True

    def write(self, data: Any) -> int:
        """Take some. Raises as `PartUpload.send`."""
        self._buffer += data
        count = len(data)
        self.size_bytes += count
        while len(self._buffer) >= self._wanted_bytes:
            self._send(self._wanted_bytes)
        return count

    @property
    def _wanted_bytes(self) -> int:
        return PART_BYTES << (self._part_count // GROWS_EVERY)

    def _send(self, count: int) -> None:
        if self._parts is None:
            made = self._s3.create_multipart_upload(
                **self._which, ChecksumAlgorithm="SHA256", ContentType=self._content_type
            )
            self._parts = PartUpload(self._s3, self._address, made["UploadId"], {})
        self._part_count += 1
        content = bytes(self._buffer[:count])
        del self._buffer[:count]
        self._parts.send(self._part_count, content, lambda _count: None)

    def finish(self) -> None:
        """Make the object, and see that all of it is there.

        Raises:
            ObjectDiffers.
            botocore.exceptions.BotoCoreError, ClientError.
        """
        if self._parts is None:
            self._s3.put_object(
                **self._which, Body=bytes(self._buffer), ContentType=self._content_type
            )
        else:
            if self._buffer:
                self._send(len(self._buffer))
            self._parts.wait()
            self._parts.complete()
        found_bytes = self._s3.head_object(**self._which)["ContentLength"]
        if found_bytes != self.size_bytes:
            raise ObjectDiffers(
                f"{self._address} has {found_bytes} bytes, and {self.size_bytes} were written"
            )

    def abort(self) -> None:
        """Have the bucket forget what was sent."""
        if self._parts is not None:
            self._parts.abort()


@contextmanager
def writing_object(s3: Any, address: S3Address, content_type: str) -> Iterator[ObjectWriter]:
    """An object that is there when the block has come to its end, and not before.

    Raises:
        ObjectDiffers.
        botocore.exceptions.BotoCoreError, ClientError.
    """
    writer = ObjectWriter(s3, address, content_type)
    try:
        yield writer
        writer.finish()
    except BaseException:
        writer.abort()
        raise
