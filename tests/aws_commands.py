"""Commands of `thingtank cloud`, run in this process against a stand-in."""

import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

from click.testing import CliRunner, Result
from tests.aws_stand_ins import aws_environment

from thingtank.aws.settings import AwsSettings
from thingtank.cli.main import main

Cloud = Callable[..., Result]  # `run_cloud` with the first and the last argument given


def run_cloud(
    settings: AwsSettings, *words: str, input: str = "", folder: Path | None = None
) -> Result:
    """Run one; a fault of ours is raised, what it says is in `stdout` and `stderr`.

    Args:
        folder: the data folder; without one an empty one of its own.
    """
    with tempfile.TemporaryDirectory() as empty:
        data = str(folder or empty)
        environment: Mapping[str, str] = {**aws_environment(settings), "THINGTANK_DATA": data}
        result = CliRunner(env=environment).invoke(main, ["cloud", *words], input=input)
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def said(settings: AwsSettings, *words: str, input: str = "") -> str:
    """What one says that is done."""
    result = run_cloud(settings, *words, input=input)
    assert result.exit_code == 0, result.output
    return result.stdout
