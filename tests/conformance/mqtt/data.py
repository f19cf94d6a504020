"""Where the conformance data are: beside the project, or where an environment variable says."""

import os
from pathlib import Path

import pytest

ENVIRONMENT = "THINGTANK_CONFORMANCE_DATA"


def data_folder() -> Path:
    """Where they are, if they are there."""
    given = os.environ.get(ENVIRONMENT)
    return Path(given) if given else Path(__file__).parents[4] / "shared" / "conformance"


def needed_data() -> Path:
    """Where they are; without them the test is skipped, and failed in CI."""
    folder = data_folder()
    if not folder.is_dir():
        reason = f"no conformance data beside the project, nor is {ENVIRONMENT} set"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    return folder
