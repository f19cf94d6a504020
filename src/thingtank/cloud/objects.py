"""Files to S3: in parts, each with its checksum, several at a time.

An upload that breaks off is gone on with: which parts have arrived says the bucket, and which
upload it was a note on this machine. boto3's own `upload_file` takes its parts away when it fails.
"""

import base64
import hashlib
import mimetypes
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

import msgspec

from thingtank.aws.addresses import S3Address
from thingtank.aws.failures import classify, is_aws_failure
from thingtank.cloud.errors import NotDone
from thingtank.cloud.part_uploads import Part, PartUpload
from thingtank.cloud.upload_notes import Note, Notes
from thingtank.tank.failures import FailureKind

PART_BYTES = 8 * 2**20
PART_COUNT_MAX = 10_000

Advance = Callable[[int], None]  # told of bytes that have arrived


class UploadRefused(NotDone):
    """A file did not arrive as it is. The message says why."""


class Uploaded(msgspec.Struct, frozen=True):
    """What has arrived.

    Attributes:
        resumed_bytes: what was there already, of an upload that had broken off.
        sha256: of the file, or of the sums of its parts, as S3 tells it; in base64.
    """

    file: str
    address: str
    bytes: int
    resumed_bytes: int
    sha256: str


def upload(
    s3: Any, file: Path, address: S3Address, notes: Notes, resumes: bool, advance: Advance
) -> Uploaded:
    """Put a file into a bucket, and see that it is there as it is here.

    Args:
        resumes: go on with what broke off, if the file is what it was; else begin anew.

    Raises:
        UploadRefused: it changed meanwhile, or arrived as something else.
        OSError: the file cannot be read.
        botocore.exceptions.BotoCoreError, ClientError: see `aws.failures.classify`. Unless that is
            for good, what has arrived is kept for the next time.
    """
    size_bytes = file.stat().st_size
    with file.open("rb") as source:
        if size_bytes <= PART_BYTES:
            sha256, resumed_bytes = _put_whole(s3, source, address), 0
            advance(size_bytes)
        else:
            sha256, resumed_bytes = _put_parts(s3, file, source, address, notes, resumes, advance)
    _compare(s3, address, size_bytes, sha256)
    return Uploaded(str(file), str(address), size_bytes, resumed_bytes, sha256)


def part_bytes_of(size_bytes: int) -> int:
    """How large the parts of a file are: as many as S3 takes at most, of whole MiB."""
    least = -(-size_bytes // PART_COUNT_MAX)
    return max(PART_BYTES, -(-least // 2**20) * 2**20)


def content_type(address: S3Address) -> str:
    """What a browser is told of an object, by its name."""
    return mimetypes.guess_type(address.key)[0] or "application/octet-stream"


def _put_whole(s3: Any, source: BinaryIO, address: S3Address) -> str:
    content = source.read()
    sha256 = base64.b64encode(hashlib.sha256(content).digest()).decode()
    s3.put_object(
        Bucket=address.bucket, Key=address.key, Body=content, ChecksumSHA256=sha256,
        ContentType=content_type(address),
    )  # fmt: skip
    return sha256


def _put_parts(
    s3: Any,
    file: Path,
    source: BinaryIO,
    address: S3Address,
    notes: Notes,
    resumes: bool,
    advance: Advance,
) -> tuple[str, int]:
    note, sent = _begun(s3, file, source, address, notes, resumes)
    resumed_bytes = sum(part.size_bytes for part in sent.values())
    advance(resumed_bytes)
    going = PartUpload(s3, address, note.upload_id, sent)
    try:
        for number, offset in enumerate(range(0, note.size_bytes, note.part_bytes), start=1):
            if number not in sent:
                source.seek(offset)
                going.send(number, source.read(note.part_bytes), advance)
        going.wait()
        if not note.is_of(file):
            raise UploadRefused(f"{file} was changed while it was uploaded; upload it again")
        sha256 = going.complete()
    except BaseException as error:
        going.stop()
        if _is_for_good(error):
            going.abort()
            notes.drop(file, address)
        raise
    notes.drop(file, address)
    return sha256, resumed_bytes


def _is_for_good(error: BaseException) -> bool:
    """Whether going on later would be of no use."""
    if isinstance(error, UploadRefused):
        return True
    return is_aws_failure(error) and classify(error).kind in (
        FailureKind.REFUSED, FailureKind.NOT_ALLOWED, FailureKind.MISSING,
    )  # fmt: skip


def _begun(
    s3: Any, file: Path, source: BinaryIO, address: S3Address, notes: Notes, resumes: bool
) -> tuple[Note, dict[int, Part]]:
    """The upload that goes on, with the parts that have arrived; or a new one."""
    note = notes.find(file, address)
    if note is not None and resumes and note.is_of(file):
        sent = _arrived(s3, source, address, note)
        if sent is not None:
            return note, sent
    elif note is not None:
        PartUpload(s3, address, note.upload_id, {}).abort()
    made = s3.create_multipart_upload(
        Bucket=address.bucket, Key=address.key, ChecksumAlgorithm="SHA256",
        ContentType=content_type(address),
    )  # fmt: skip
    fresh = Note.of(file, made["UploadId"], part_bytes_of(file.stat().st_size))
    notes.keep(file, address, fresh)
    return fresh, {}


def _arrived(s3: Any, source: BinaryIO, address: S3Address, note: Note) -> dict[int, Part] | None:
    """The parts of an upload that are there, and are what the file has; None if it is gone."""
    asked = {"Bucket": address.bucket, "Key": address.key, "UploadId": note.upload_id}
    found: dict[int, Part] = {}
    try:
        for page in s3.get_paginator("list_parts").paginate(**asked):
            for each in page.get("Parts", ()):
                number = each["PartNumber"]
                source.seek((number - 1) * note.part_bytes)
                part = Part.arrived(source.read(note.part_bytes), each)
                if part is not None:
                    found[number] = part
    except Exception as error:
        if not is_aws_failure(error) or classify(error).kind is not FailureKind.MISSING:
            raise
        return None
    return found


def _compare(s3: Any, address: S3Address, size_bytes: int, sha256: str) -> None:
    found = s3.head_object(Bucket=address.bucket, Key=address.key, ChecksumMode="ENABLED")
    if found["ContentLength"] != size_bytes:
        raise UploadRefused(
            f"{address} has {found['ContentLength']} bytes, and the file {size_bytes}; somebody"
            " else writes there, or the server is at fault: upload it again"
        )
    told = found.get("ChecksumSHA256")
    # Of an object in parts AWS tells their number behind it; not every server does.
    if told and told.partition("-")[0] != sha256.partition("-")[0]:
        raise UploadRefused(f"{address} has the checksum {told}, and the file {sha256}")
