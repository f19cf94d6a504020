"""The cold tier's bucket: what is asked of S3, and what its refusals mean."""

import base64
import hashlib
import io
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import msgspec

from thingtank.aws.addresses import S3Address, parse_address
from thingtank.aws.clients import AwsClients, AwsMissing, NoClients
from thingtank.aws.failures import classify, is_aws_failure
from thingtank.aws.lifecycle import set_rule, tidying_rule
from thingtank.aws.object_reader import CHUNK_BYTES, ObjectReader
from thingtank.aws.settings import AwsSettings
from thingtank.stores.archive_settings import ArchiveSettings
from thingtank.tank.errors import StorageFailed
from thingtank.tank.failures import Failure, FailureKind

OWNER = "owner.json"
OWNER_BYTES_MAX = 4096
FAILURES_MAX = 2  # of a file that is being read; somebody waits for the answer

ATTEMPTS_MAX = 2  # of a call, by boto3 itself
READ_S_MAX = 15.0

IsStopping = Callable[[], bool]


class BucketFailed(StorageFailed):
    """The bucket did not do what it was asked. The message says why.

    Attributes:
        failure: what AWS said; None where it is the content that is wrong.
    """

    def __init__(self, message: str, failure: Failure | None = None) -> None:
        super().__init__(message)
        self.failure = failure

    @property
    def is_passing(self) -> bool:
        """Whether it may be better in a while, with nothing changed here."""
        return self.failure is not None and self.failure.is_passing

    @property
    def has_answer(self) -> bool:
        """Whether it is the object that is no good, and not the way to it."""
        return self.failure is None or self.failure.kind in (
            FailureKind.MISSING, FailureKind.UNKNOWN,
        )  # fmt: skip


class Owner(msgspec.Struct, frozen=True):
    """Whose the files below a prefix are."""

    id: str


class ColdBucket:
    """A prefix in a bucket. Used by several threads at once.

    Args:
        infrequent_days: see `aws.lifecycle.tidying_rule`.
    """

    def __init__(self, clients: AwsClients, address: S3Address, infrequent_days: int = 0) -> None:
        self._clients = clients
        self._infrequent_days = infrequent_days
        self.address = address

    @classmethod
    def by_settings(cls, archive: ArchiveSettings, aws: AwsSettings) -> "ColdBucket | None":
        """The bucket that the settings name, if they name one; nothing is asked of it yet.

        Raises:
            StorageFailed: boto3 is not installed.
        """
        if not archive.cold:
            return None
        if find_spec("boto3") is None:
            raise StorageFailed(f"archive.cold: {AwsMissing()}")
        clients = AwsClients(aws, ATTEMPTS_MAX, READ_S_MAX)
        return cls(clients, parse_address(archive.cold), archive.cold_infrequent_days)

    def find_owner(self) -> str:
        """Whose the prefix is; blank if it is nobody's yet. Raise BucketFailed."""
        with self._explained(OWNER) as (s3, which):
            return _owner_of(s3, which)

    def owner(self, own_id: str, *, takes_over: bool = False) -> str:
        """Whose the prefix is; ours from now on if it is nobody's, or is taken over.

        Raises:
            BucketFailed.
        """
        with self._explained(OWNER) as (s3, which):
            if not takes_over and (found := _owner_of(s3, which)):
                return found
            conditions = {} if takes_over else {"IfNoneMatch": "*"}
            content = msgspec.json.encode(Owner(own_id))
            try:
                s3.put_object(**which, **conditions, Body=content, ContentType="application/json")
            except Exception as error:
                if not is_aws_failure(error) or classify(error).kind is not FailureKind.EXISTS:
                    raise
            return _owner_of(s3, which)

    def tidy(self) -> None:
        """Have the bucket follow our rule of what goes by itself. Raise BucketFailed."""
        prefix = f"{self.address.key.rstrip('/')}/" if self.address.key else ""
        rule = tidying_rule(f"thingtank-cold-{prefix}"[:255], prefix, self._infrequent_days)
        with self._explained("") as (s3, _which):
            set_rule(s3, self.address.bucket, rule)

    def put(self, name: str, path: Path, sha256: str, is_stopping: IsStopping) -> None:
        """Put a file where none is yet; one that is there stays, whatever it holds.

        Args:
            sha256: in hexadecimal.

        Raises:
            BucketFailed.
            OSError: the file cannot be read.
        """
        checksum = base64.b64encode(bytes.fromhex(sha256)).decode()
        with self._explained(name) as (s3, which), _StoppableFile(path, is_stopping) as body:
            try:
                s3.put_object(
                    **which, Body=body, ChecksumSHA256=checksum, IfNoneMatch="*",
                    ContentType="application/vnd.apache.parquet",
                )  # fmt: skip
            except Exception as error:
                if not is_aws_failure(error) or classify(error).kind is not FailureKind.EXISTS:
                    raise

    def read(
        self, name: str, size_bytes: int, sha256: str, is_stopping: IsStopping
    ) -> Iterator[bytes]:
        """A file's content, in parts; all of it is as it was put, or this raises at its end.

        Raises:
            BucketFailed.
        """
        digest = hashlib.sha256()
        got_bytes = 0
        with (
            self._explained(name) as (s3, _which),
            ObjectReader(s3, self.address.of(name), FAILURES_MAX) as body,
        ):
            for chunk in body.chunks():
                _check(is_stopping)
                digest.update(chunk)
                got_bytes += len(chunk)
                yield chunk
        if (got_bytes, digest.hexdigest()) != (size_bytes, sha256):
            raise BucketFailed(f"{self.address.of(name)} is damaged: it is not what was put there")

    def delete(self, name: str) -> None:
        """Take a file away, if it is there. Raise BucketFailed."""
        with self._explained(name) as (s3, which):
            s3.delete_object(**which)

    def close(self) -> None:
        """Let connections go."""
        self._clients.close()

    @contextmanager
    def _explained(self, name: str) -> Iterator[tuple[Any, dict[str, str]]]:
        """A client, and the bucket and key of a name; AWS's failures in words."""
        target = self.address.of(name)
        try:
            yield self._clients.client("s3"), {"Bucket": target.bucket, "Key": target.key}
        except NoClients as error:
            raise BucketFailed(f"the cold tier is in {self.address}: {error}") from error
        except Exception as error:
            if not is_aws_failure(error):
                raise
            failure = classify(error)
            raise BucketFailed(f"{target} cannot be used: {failure}", failure) from error


def _owner_of(s3: Any, which: dict[str, str]) -> str:
    """Whose a prefix is; blank if it is nobody's."""
    try:
        content = s3.get_object(**which)["Body"].read(OWNER_BYTES_MAX)
    except Exception as error:
        if not is_aws_failure(error) or classify(error).code != "NoSuchKey":
            raise
        return ""
    try:
        return msgspec.json.decode(content, type=Owner).id
    except msgspec.DecodeError:
        return "somebody"


def _check(is_stopping: IsStopping) -> None:
    if is_stopping():
        raise BucketFailed("the server is stopping")


class _StoppableFile(io.FileIO):
    """A file that can be read until this process stops."""

    def __init__(self, path: Path, is_stopping: IsStopping) -> None:
        super().__init__(path)
        self._is_stopping = is_stopping

    def read(self, size: int | None = -1) -> bytes:
        """Read some. Raise BucketFailed."""
        _check(self._is_stopping)
        return super().read(CHUNK_BYTES if size is None or size < 0 else size) or b""
