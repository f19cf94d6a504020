"""A job's programs, input and output in S3."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

import msgspec

from thingtank.aws.addresses import BadAddress, S3Address, parse_address
from thingtank.aws.clients import AwsClients
from thingtank.cloud.errors import NotDone

SUCCESS = "_SUCCESS"


class JobFailed(NotDone):
    """A job on AWS did not succeed; the message is for a person."""


class JobStillRuns(JobFailed):
    """Nobody waits for a job any longer, and it goes on: what it needs must stay."""


def job_address(text: str) -> S3Address:
    """Read `s3://bucket/prefix`; also `s3n://` and `s3a://`, as older programs write it.

    Raises:
        JobFailed: it is not one.
    """
    scheme, separator, rest = text.partition("://")
    as_today = f"s3{separator}{rest}" if scheme in ("s3n", "s3a") else text
    try:
        return parse_address(as_today)
    except BadAddress as error:
        raise JobFailed(f"a job on AWS reads and writes in S3, and {error}") from None


def beside(address: S3Address, word: str) -> S3Address:
    """A folder next to it: `out/` → `out.programs/`."""
    return S3Address(address.bucket, f"{address.key.rstrip('/')}.{word}/")


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
    clients: AwsClients, programs: Programs, inputs: Sequence[S3Address], output: S3Address
) -> None:
    """See that a job has input and a place for its output, before anything is made.

    Raises:
        JobFailed: there is no input, the output exists, or two programs have one name.
    """
    names = [path.name for path in programs.files]
    if len(set(names)) < len(names):
        raise JobFailed("two programs have the same file name: on a cluster they share a folder")
    if not output.key.strip("/"):
        raise JobFailed(f"{output} is a whole bucket: name a prefix in it for the output")
    for place in inputs:
        if next(_objects(clients, place), None) is None:
            raise JobFailed(f"there is no input at {place}")
    folder = S3Address(output.bucket, output.key.rstrip("/") + "/")
    if next(_objects(clients, folder), None) is not None:
        raise JobFailed(f"{output} exists already: name another output")


def upload_programs(clients: AwsClients, programs: Programs, output: S3Address) -> S3Address:
    """Bring the programs' files to S3, beside the output; returns their folder."""
    folder = beside(output, "programs")
    for path in programs.files:
        upload(clients, path.read_bytes(), folder.of(path.name))
    return folder


def upload(clients: AwsClients, content: bytes, to: S3Address) -> None:
    """Write one object."""
    clients.client("s3").put_object(Bucket=to.bucket, Key=to.key, Body=content)


def delete_programs(clients: AwsClients, output: S3Address) -> None:
    """Remove what `upload_programs` has brought there."""
    s3 = clients.client("s3")
    for found in _objects(clients, beside(output, "programs")):
        s3.delete_object(Bucket=output.bucket, Key=found["Key"])


def output_lines(clients: AwsClients, output: S3Address) -> Iterator[bytes]:
    """The lines of a job's output, part after part.

    Raises:
        JobFailed: there is no `_SUCCESS`, so it is not whole.
    """
    s3 = clients.client("s3")
    folder = S3Address(output.bucket, output.key.rstrip("/") + "/")
    keys = [found["Key"] for found in _objects(clients, folder)]
    if folder.of(SUCCESS).key not in keys:
        raise JobFailed(
            f"{output} has no {SUCCESS}: the job has ended, and its output is not whole"
        )
    for key in keys:
        if PurePosixPath(key).name.startswith("part-"):
            body = s3.get_object(Bucket=output.bucket, Key=key)["Body"]
            with body:
                yield from body.iter_lines()


def _objects(clients: AwsClients, place: S3Address) -> Iterator[Mapping[str, Any]]:
    pages = clients.client("s3").get_paginator("list_objects_v2")
    for page in pages.paginate(Bucket=place.bucket, Prefix=place.key):
        yield from page.get("Contents", ())
