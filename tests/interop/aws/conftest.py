"""Stand-ins for AWS, for all tests in here, and commands that find them."""

from functools import partial
from pathlib import Path

import pytest
from tests.aws_commands import Cloud, run_cloud
from tests.aws_stand_ins import any_s3, ministack, models_read_once, moto, seaweedfs, stand_in

from thingtank.aws.settings import AwsSettings

__all__ = ["any_s3", "ministack", "models_read_once", "moto", "seaweedfs", "stand_in"]


@pytest.fixture
def cloud(stand_in: AwsSettings, tmp_path: Path) -> Cloud:
    """Run a command of `thingtank cloud` against each stand-in, with a data folder."""
    return partial(run_cloud, stand_in, folder=tmp_path)
