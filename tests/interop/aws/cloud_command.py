"""`thingtank cloud …` in this process, against a stand-in."""

from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from tests.aws_stand_ins import aws_environment

from thingtank.aws.settings import AwsSettings
from thingtank.cli.main import main

Cloud = Callable[..., Result]


@pytest.fixture
def cloud(stand_in: AwsSettings, tmp_path: Path) -> Cloud:
    """Run one command; a second argument `input` answers its questions."""
    runner = CliRunner(env=dict(aws_environment(stand_in)))

    def run(*words: str, **more: str) -> Result:
        return runner.invoke(main, ["cloud", *words, "--data", str(tmp_path)], **more)

    return run
