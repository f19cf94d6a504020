"""The parts of one upload on their way, a few at a time."""

import base64
import contextlib
import hashlib
import re
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import msgspec

from thingtank.aws.addresses import S3Address

AT_ONCE_MAX = 4  # each holds its part in memory
_MD5 = re.compile(r'"?([0-9a-f]{32})"?')


class Part(msgspec.Struct, frozen=True):
    """A part that has arrived."""

    etag: str
    size_bytes: int
    digest: bytes

    @classmethod
    def of(cls, content: bytes, etag: str) -> "Part":
        """One of this content."""
        return cls(etag, len(content), hashlib.sha256(content).digest())

    @property
    def sha256(self) -> str:
        """As S3 writes it."""
        return base64.b64encode(self.digest).decode()

    @classmethod
    def arrived(cls, content: bytes, told: Mapping[str, Any]) -> "Part | None":
        """One that `list_parts` tells of, if it is this content."""
        part = cls.of(content, told["ETag"])
        if not content or told["Size"] != len(content):
            return None
        if "ChecksumSHA256" in told:
            return part if told["ChecksumSHA256"] == part.sha256 else None
        found = _MD5.fullmatch(told["ETag"])  # of what is encrypted with a key of KMS it is none
        md5 = hashlib.md5(content, usedforsecurity=False).hexdigest()
        return part if found is None or found[1] == md5 else None


class PartUpload:
    """One upload in parts, used by one thread; its parts are sent by others.

    Args:
        sent: parts that have arrived, by number; those that `send` brings are added.
    """

    def __init__(self, s3: Any, address: S3Address, upload_id: str, sent: dict[int, Part]) -> None:
        self._s3 = s3
        self._which = {"Bucket": address.bucket, "Key": address.key, "UploadId": upload_id}
        self._sent = sent
        self._free = threading.Semaphore(AT_ONCE_MAX)
        self._threads = ThreadPoolExecutor(AT_ONCE_MAX, "upload")
        self._futures: list[Future[None]] = []

    def send(self, number: int, content: bytes, advance: Callable[[int], None]) -> None:
        """Send a part; waits while there are too many on their way.

        Raises:
            botocore.exceptions.BotoCoreError, ClientError: of a part before it.
        """
        self._free.acquire()
        self._raise_failed()
        self._futures.append(self._threads.submit(self._send, number, content, advance))

    def _send(self, number: int, content: bytes, advance: Callable[[int], None]) -> None:
        try:
            part = Part.of(content, "")
            answer = self._s3.upload_part(
                **self._which, PartNumber=number, Body=content, ChecksumSHA256=part.sha256
            )
            self._sent[number] = msgspec.structs.replace(part, etag=answer["ETag"])
            advance(len(content))
        finally:
            self._free.release()

    def _raise_failed(self) -> None:
        done = [future for future in self._futures if future.done()]
        self._futures = [future for future in self._futures if not future.done()]
        for future in done:
            future.result()

    def wait(self) -> None:
        """Until all have arrived. Raises as `send`."""
        for future in self._futures:
            future.result()

    def complete(self, **conditions: str) -> str:
        """Make the object of its parts; returns the checksum of their checksums.

        Args:
            conditions: such as IfNoneMatch.

        Raises:
            botocore.exceptions.BotoCoreError, ClientError.
        """
        parts = [
            {"PartNumber": number, "ETag": part.etag, "ChecksumSHA256": part.sha256}
            for number, part in sorted(self._sent.items())
        ]
        self._s3.complete_multipart_upload(
            **self._which, **conditions, MultipartUpload={"Parts": parts}
        )
        self.stop()
        digests = b"".join(part.digest for _, part in sorted(self._sent.items()))
        sums = base64.b64encode(hashlib.sha256(digests).digest()).decode()
        return f"{sums}-{len(parts)}"

    def stop(self) -> None:
        """Send no more, and wait for those on their way: their answers come in any case."""
        self._threads.shutdown(cancel_futures=True)

    def abort(self) -> None:
        """Have the bucket forget the parts. What it cannot now, its lifecycle rule does later."""
        self.stop()
        with contextlib.suppress(Exception):
            self._s3.abort_multipart_upload(**self._which)
