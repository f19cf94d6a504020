"""A job's programs, input and output in S3."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

import msgspec

from thingtank.aws.clients import AwsClients

SUCCESS = "_SUCCESS"


class JobFailed(Exception):
    """A job on AWS did not succeed; the message is for a person."""


class S3Place(msgspec.Struct, frozen=True):
    """A bucket and what the names of objects in it begin with."""

    bucket: str
    prefix: str

    def __str__(self) -> str:
        return f"s3://{self.bucket}/{self.prefix}"

    def below(self, name: str) -> "S3Place":
        """An object or folder in it."""
        prefix = self.prefix.rstrip("/")
        return S3Place(self.bucket, f"{prefix}/{name}" if prefix else name)

    def beside(self, word: str) -> "S3Place":
        """A folder next to it: `out/` → `out.programs/`."""
        return S3Place(self.bucket, f"{self.prefix.rstrip('/')}.{word}/")


def s3_place(text: str) -> S3Place:
    """Read `s3://bucket/prefix`; also `s3n://` and `s3a://`, as older programs write it.

    Raises:
        JobFailed: it is not one.
    """
    scheme, separator, rest = text.partition("://")
    bucket, _, prefix = rest.partition("/")
    if scheme not in ("s3", "s3n", "s3a") or not separator or not bucket:
        raise JobFailed(f"{text!r} is no place in S3: a job on AWS needs s3://bucket/prefix/")
    return S3Place(bucket, prefix)


class Programs(msgspec.Struct, frozen=True):
    """A mapper and a reducer, and maybe a combiner: a Python file each, or a command.

    Attributes:
        combiner: blank for none.
    """

    mapper: str
    reducer: str
    combiner: str = ""

    @property
    def files(self) -> list[Path]:
        """Those that are files, each once."""
        named = (self.mapper, self.reducer, self.combiner)
        return list(dict.fromkeys(Path(name) for name in named if _is_file(name)))

    @property
    def mapper_words(self) -> str:
        """The command by which a cluster runs it."""
        return _words_of(self.mapper)

    @property
    def reducer_words(self) -> str:
        """The command by which a cluster runs it."""
        return _words_of(self.reducer)

    @property
    def combiner_words(self) -> str:
        """The command by which a cluster runs it."""
        return _words_of(self.combiner)


def _is_file(program: str) -> bool:
    return program.endswith(".py") and Path(program).is_file()


def _words_of(program: str) -> str:
    return f"python3 {PurePosixPath(program).name}" if _is_file(program) else program


def check_files(
    clients: AwsClients, programs: Programs, inputs: Sequence[S3Place], output: S3Place
) -> None:
    """See that a job has input and a place for its output, before anything is made.

    Raises:
        JobFailed: there is no input, the output exists, or two programs have one name.
    """
    names = [path.name for path in programs.files]
    if len(set(names)) < len(names):
        raise JobFailed("two programs have the same file name: on a cluster they share a folder")
    if not output.prefix.strip("/"):
        raise JobFailed(f"{output} is a whole bucket: name a prefix in it for the output")
    for place in inputs:
        if next(_objects(clients, place), None) is None:
            raise JobFailed(f"there is no input at {place}")
    folder = S3Place(output.bucket, output.prefix.rstrip("/") + "/")
    if next(_objects(clients, folder), None) is not None:
        raise JobFailed(f"{output} exists already: name another output")


def upload_programs(clients: AwsClients, programs: Programs, output: S3Place) -> S3Place:
    """Bring the programs' files to S3, beside the output; returns their folder."""
    folder = output.beside("programs")
    for path in programs.files:
        upload(clients, path.read_bytes(), folder.below(path.name))
    return folder


def upload(clients: AwsClients, content: bytes, to: S3Place) -> None:
    """Write one object."""
    clients.client("s3").put_object(Bucket=to.bucket, Key=to.prefix, Body=content)


def delete_programs(clients: AwsClients, output: S3Place) -> None:
    """Remove what `upload_programs` has brought there."""
    s3 = clients.client("s3")
    for found in _objects(clients, output.beside("programs")):
        s3.delete_object(Bucket=output.bucket, Key=found["Key"])


def output_lines(clients: AwsClients, output: S3Place) -> Iterator[bytes]:
    """The lines of a job's output, part after part.

    Raises:
        JobFailed: there is no `_SUCCESS`, so it is not whole.
    """
    s3 = clients.client("s3")
    folder = S3Place(output.bucket, output.prefix.rstrip("/") + "/")
    keys = [found["Key"] for found in _objects(clients, folder)]
    if folder.below(SUCCESS).prefix not in keys:
        raise JobFailed(
            f"{output} has no {SUCCESS}: the job has ended, and its output is not whole"
        )
    for key in keys:
        if PurePosixPath(key).name.startswith("part-"):
            body = s3.get_object(Bucket=output.bucket, Key=key)["Body"]
            with body:
                yield from body.iter_lines()


def _objects(clients: AwsClients, place: S3Place) -> Iterator[Mapping[str, Any]]:
    pages = clients.client("s3").get_paginator("list_objects_v2")
    for page in pages.paginate(Bucket=place.bucket, Prefix=place.prefix):
        yield from page.get("Contents", ())
