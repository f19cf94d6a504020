"""Objects in a bucket of Amazon S3, or of a server that speaks its language."""

import base64
from collections.abc import Sequence
from typing import Any

from thingtank.aws.failures import classify, is_aws_failure
from thingtank.aws.names import check_name
from thingtank.sinks.engine import (
    ALL_DELIVERED,
    BatchBounds,
    EngineFailed,
    EngineParts,
    Item,
    SendResult,
)
from thingtank.sinks.engines.objects import (
    GATHER_S,
    ITEMS_MAX,
    OBJECT_BYTES_MAX,
    BatchObject,
    PrefixSettings,
    objects_of,
)
from thingtank.tank.failures import FailureKind

# The object is there, by its key with these bytes. While somebody is writing it S3 answers 409,
# and may not have it in the end: that one is sent again.
_THERE = {"PreconditionFailed", "412"}


class Settings(PrefixSettings, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A bucket.

    Attributes:
        bucket: its name; it must be there.
    """

    bucket: str

    def __post_init__(self) -> None:
        """Check what is here to be checked."""
        super().__post_init__()
        check_name("bucket", self.bucket)


class S3Engine:
    """Implements `SinkEngine`: what a batch has of a day is one object, written once."""

    bounds = BatchBounds(ITEMS_MAX, OBJECT_BYTES_MAX)
    wants_payload = True
    gather_s = GATHER_S

    def __init__(self, settings: Settings, parts: EngineParts) -> None:
        """Make one that is not open."""
        self._settings = settings
        self._parts = parts
        self._client: Any = None

    def open(self) -> None:
        """See SinkEngine."""
        client = self._parts.aws().client("s3", is_checked=False)
        try:
            client.head_bucket(Bucket=self._settings.bucket)
        except Exception as error:
            if is_aws_failure(error) and classify(error).code == "404":  # as it has no body
                raise _no_bucket(self._settings.bucket) from error
            raise
        self._client = client

    def send(self, items: Sequence[Item]) -> SendResult:
        """See SinkEngine."""
        for each in objects_of(self._settings, items):
            self._put(each)
        return ALL_DELIVERED

    def _put(self, whole: BatchObject) -> None:
        try:
            self._client.put_object(
                Bucket=self._settings.bucket,
                Key=whole.key,
                Body=whole.data,
                IfNoneMatch="*",
                ContentType="application/x-ndjson",
                ChecksumSHA256=base64.b64encode(whole.sha256).decode(),
            )  # fmt: skip
        except Exception as error:
            if not (is_aws_failure(error) and classify(error).code in _THERE):
                raise

    def close(self) -> None:
        """See SinkEngine."""
        self._client = None

    def describe(self) -> str:
        """See SinkEngine."""
        return f"s3://{self._settings.bucket}/{self._settings.prefix}"


def _no_bucket(bucket: str) -> EngineFailed:
    return EngineFailed.of(
        FailureKind.MISSING,
        f"There is no bucket {bucket}",
        "Make it, for example by `thingtank cloud upload FILE"
        f" s3://{bucket}/KEY --make-bucket`; or look at `aws.region`.",
        "NoSuchBucket",
    )


def make_engine(settings: Settings, parts: EngineParts) -> S3Engine:
    """An engine that is not open yet."""
    return S3Engine(settings, parts)
