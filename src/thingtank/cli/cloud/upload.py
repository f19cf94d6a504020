"""`thingtank cloud upload`: files into a bucket."""

from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import click

from thingtank.cli.cloud.session import aws_command, say
from thingtank.cli.options import json_option
from thingtank.cli.session import Refusal

if TYPE_CHECKING:
    from thingtank.aws.addresses import S3Address
    from thingtank.aws.clients import AwsClients
    from thingtank.cloud.objects import Uploaded


@click.command()
@click.argument(
    "files",
    nargs=-1,
    required=True,
    metavar="FILE...",
    type=click.Path(path_type=Path, dir_okay=False, exists=True, readable=True),
)
@click.argument("to", metavar="s3://BUCKET/PREFIX")
@click.option("--resume", is_flag=True, help="Go on with what broke off, if the file is the same.")
@click.option(
    "--make-bucket",
    is_flag=True,
    help="Make the bucket if it is missing: closed to the public, with versions, encrypted.",
)
@json_option
@aws_command
def upload(
    clients: "AwsClients",
    files: tuple[Path, ...],
    to: str,
    resume: bool,
    make_bucket: bool,
    as_json: bool,
) -> None:
    """Put files into a bucket, each under its name below the prefix.

    What is there under such a name is overwritten. Each file is compared with what has arrived. An
    upload that breaks off leaves what has arrived in the bucket, for --resume.
    """
    from thingtank.cli.output import counted, print_json
    from thingtank.cloud.buckets import ensure_bucket

    targets = _targets(files, to)
    if make_bucket:
        ensure_bucket(clients.client("s3"), targets[0].bucket, say)
    done = _upload_all(clients, files, targets, resume)
    if as_json:
        print_json([_plain(each) for each in done])
        return
    for each in done:
        more = f", {each.resumed_bytes:,} of them before" if each.resumed_bytes else ""
        click.echo(f"{each.file} is {each.address}: {counted(each.bytes, 'byte')}{more}")


def _targets(files: tuple[Path, ...], to: str) -> "list[S3Address]":
    from thingtank.aws.addresses import BadAddress, parse_address

    try:
        below = parse_address(to)
        found = [below.of(file.name) for file in files]
    except BadAddress as error:
        raise click.UsageError(str(error)) from None
    if len(set(found)) < len(found):
        raise click.UsageError("two of the files have one name, and would overwrite each other")
    return found


def _upload_all(
    clients: "AwsClients", files: tuple[Path, ...], targets: "list[S3Address]", resume: bool
) -> "list[Uploaded]":
    from thingtank.aws.failures import is_aws_failure
    from thingtank.cli.transfer import progress_bar
    from thingtank.cloud.objects import upload as upload_file
    from thingtank.cloud.upload_notes import Notes

    s3 = clients.client("s3")
    notes = Notes.of_user(s3.meta.endpoint_url)
    done = []
    with progress_bar() as progress:
        for file, target in zip(files, targets, strict=True):
            bar = progress.add_task(file.name, total=file.stat().st_size)

            def advance(count: int, bar: int = bar) -> None:
                progress.advance(bar, count)  # type: ignore[arg-type] # rich's own kind of int

            try:
                done.append(upload_file(s3, file, target, notes, resume, advance))
            except KeyboardInterrupt:
                say("What has arrived is kept: the same command with --resume goes on.")
                raise
            except Exception as error:
                if is_aws_failure(error):  # some of which are OSErrors too
                    _refuse(error, file, target, has_parts=notes.find(file, target) is not None)
                if not isinstance(error, OSError):
                    raise
                raise Refusal(f"{file} cannot be read: {error.strerror or error}") from None
    return done


def _refuse(error: Exception, file: Path, target: "S3Address", has_parts: bool) -> NoReturn:
    from thingtank.aws.failures import classify
    from thingtank.cli.cloud.session import QuotaRefusal
    from thingtank.tank.failures import FailureKind

    failure = classify(error)
    refusal = QuotaRefusal if failure.kind is FailureKind.QUOTA else Refusal
    hint = ""
    if failure.code == "NoSuchBucket":
        hint = " Or have it made: --make-bucket."
    elif failure.kind is FailureKind.NOT_ALLOWED:
        hint = f" {target.bucket} may also be another's bucket: names are shared by all of AWS."
    elif has_parts:
        hint = " What has arrived is kept: the same command with --resume goes on."
    raise refusal(f"{file} was not uploaded: {failure}{hint}") from None


def _plain(each: "Uploaded") -> dict[str, object]:
    import msgspec

    plain: dict[str, object] = msgspec.to_builtins(each)
    return plain
