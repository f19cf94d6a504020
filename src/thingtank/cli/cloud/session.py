"""How a command of `thingtank cloud` has its clients, and how it says what failed."""

import functools
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from thingtank.cli.options import config_option, data_option, set_option
from thingtank.cli.session import Refusal

if TYPE_CHECKING:
    from thingtank.aws.clients import AwsClients

_NEVER_TAKEN = ("ParamValidationError", "InvalidBucketName")  # found without asking AWS, or nearly
STAND_IN_ATTEMPTS_MAX = 2
QUOTA_EXIT_CODE = 3  # so that a script can tell it from what it did wrong itself


class QuotaRefusal(Refusal):
    """The account's limit is reached."""

    exit_code = QUOTA_EXIT_CODE


class WrongUse(Refusal):
    """AWS takes no such name or number, or boto3 no such address."""

    exit_code = 2


def aws_command(function: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options that say which AWS, and `clients` as its first argument.

    What AWS refuses ends it with a sentence: exit code 3 for a quota, 2 for a name that AWS
    never takes, 1 for anything else.
    """

    @data_option
    @config_option
    @set_option
    @functools.wraps(function)
    def command(
        *arguments: Any, data: Path, file: Path | None, sets: tuple[str, ...], **options: Any
    ) -> Any:
        with aws_clients(data, file, sets) as clients:
            return function(clients, *arguments, **options)

    return command


@contextmanager
def aws_clients(data: Path, file: Path | None, sets: tuple[str, ...]) -> Iterator["AwsClients"]:
    """Clients by the settings; see `aws_command`."""
    from thingtank.aws.clients import ATTEMPTS_MAX, AwsClients, is_stand_in
    from thingtank.cli.process import importing

    with importing():
        from thingtank.server.config import FILE_NAME, BadSettings, load_config
    try:
        settings = load_config(file or data / FILE_NAME, sets=sets).config.aws
    except BadSettings as error:
        raise click.UsageError(str(error)) from None
    # A stand-in that answers with a failure lacks something, which it does again.
    is_trial = is_stand_in(settings.endpoint_url)
    clients = AwsClients(settings, STAND_IN_ATTEMPTS_MAX if is_trial else ATTEMPTS_MAX)
    try:
        with explained():
            yield clients
    finally:
        clients.close()


@contextmanager
def explained() -> Iterator[None]:
    """Say in a sentence what AWS refused, or why it could not be asked."""
    from thingtank.aws.clients import BadSurroundings, NoClients
    from thingtank.aws.failures import classify, is_aws_failure
    from thingtank.cloud.errors import NotDone, NotTaken
    from thingtank.tank.failures import FailureKind

    try:
        yield
    except (NotTaken, BadSurroundings) as error:
        raise WrongUse(str(error)) from None
    except (NoClients, NotDone) as error:
        raise Refusal(str(error)) from None
    except Exception as error:
        if isinstance(error, OSError) and not is_aws_failure(error) and error.filename:
            reason = error.strerror or str(error)
            raise Refusal(f"{error.filename} cannot be used: {reason}") from None
        if not is_aws_failure(error):
            raise
        failure = classify(error)
        refusal = QuotaRefusal if failure.kind is FailureKind.QUOTA else Refusal
        if failure.code in _NEVER_TAKEN:
            refusal = WrongUse
        raise refusal(str(failure)) from None


def say(line: str) -> None:
    """A line about what is being done; standard output is for the answer."""
    click.echo(line, file=sys.stderr)
