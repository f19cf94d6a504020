"""Where a backup is: a file, standard input or output, or an object in a bucket."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, cast

import click

from thingtank.aws.addresses import BadAddress, S3Address, is_s3, parse_address

if TYPE_CHECKING:
    from thingtank.server.backup.package import Manifest, Progress

CONTENT_TYPE = "application/gzip"

Place = Path | S3Address


class BackupPlace(click.Path):
    """A path, or `s3://bucket/key`."""

    name = "FILE"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Read one."""
        if isinstance(value, str) and is_s3(value):
            try:
                found = parse_address(value)
            except BadAddress as error:
                self.fail(str(error), param, ctx)
            if self.exists and not found.key:
                self.fail(f"{value} is a bucket: name the backup in it", param, ctx)
            return found
        return super().convert(value, param, ctx)


@contextmanager
def s3_client(data: Path, file: Path | None, sets: tuple[str, ...]) -> Iterator[Any]:
    """A client of S3 by the settings; what AWS refuses is said in a sentence."""
    from thingtank.cli.cloud.session import aws_clients

    with aws_clients(data, file, sets) as clients:
        yield clients.client("s3")


def pack_to_bucket(
    s3: Any, parts: Path, manifest: "Manifest", address: S3Address, progress: "Progress"
) -> int:
    """Write a backup into a bucket as it is made; returns its size in bytes.

    Raises:
        ObjectDiffers.
        botocore.exceptions.BotoCoreError, ClientError.
    """
    from thingtank.cloud.object_writer import writing_object
    from thingtank.server.backup.package import write_package

    with writing_object(s3, address, CONTENT_TYPE) as writer:
        write_package(parts, manifest, cast("BinaryIO", writer), progress)
    return writer.size_bytes


@contextmanager
def opened(
    place: Place, data: Path, file: Path | None, sets: tuple[str, ...]
) -> Iterator[BinaryIO]:
    """A backup to be read from its beginning. Raise OSError, Refusal."""
    if isinstance(place, S3Address):
        from thingtank.aws.object_reader import ObjectReader

        with s3_client(data, file, sets) as s3, ObjectReader(s3, place) as source:
            yield cast("BinaryIO", source)
    elif str(place) == "-":
        yield sys.stdin.buffer
    else:
        with place.open("rb") as source:
            yield source
