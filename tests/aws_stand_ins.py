"""Stand-ins for AWS: moto's server, and MiniStack in an environment of its own.

Each is one process of a worker's. Tests give what they make names of their own.
"""

import os
import secrets
from collections.abc import Iterator, Mapping
from pathlib import Path

import botocore.session
import pytest
from tests.needed import needed_file
from tests.ports import free_port

from thingtank.aws.settings import AwsSettings
from thingtank.cloud import stand_in as stand_ins

ROOT = Path(__file__).parent.parent
REGION = "us-east-1"
NAMES = ("moto", "ministack")


@pytest.fixture(scope="session", autouse=True)
def models_read_once() -> Iterator[None]:
    """What botocore knows of a service is read once, not for each client: a tenth of a second."""
    loader = botocore.session.create_loader()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(botocore.session, "create_loader", lambda *_: loader)
        yield


@pytest.fixture(scope="session")
def moto(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AwsSettings]:
    """Moto's server."""
    found = stand_ins.moto(free_port())
    assert found is not None, "moto is among the tests' packages"
    with stand_ins.started(found, tmp_path_factory.mktemp("moto") / "log.txt"):
        yield AwsSettings(region=REGION, endpoint_url=found.url)


@pytest.fixture(scope="session")
def ministack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AwsSettings]:
    """MiniStack."""
    folder = tmp_path_factory.mktemp("ministack")
    found = stand_ins.ministack(ministack_program(), folder, free_port())
    with stand_ins.started(found, folder / "log.txt"):
        yield AwsSettings(region=REGION, endpoint_url=found.url)


@pytest.fixture(scope="session")
def seaweedfs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AwsSettings]:
    """SeaweedFS, an S3 that is no stand-in."""
    from tests.seaweedfs import SeaweedFs

    with SeaweedFs(tmp_path_factory.mktemp("seaweedfs")) as server:
        yield server.settings


@pytest.fixture(params=[*NAMES, "seaweedfs"])
def any_s3(request: pytest.FixtureRequest) -> AwsSettings:
    """Each that has buckets."""
    found: AwsSettings = request.getfixturevalue(request.param)
    return found


@pytest.fixture(params=NAMES)
def stand_in(request: pytest.FixtureRequest) -> AwsSettings:
    """Each of them."""
    found: AwsSettings = request.getfixturevalue(request.param)
    return found


def ministack_program() -> Path:
    """Where it was installed."""
    program = os.environ.get("MINISTACK", ROOT / ".venv-ministack" / "bin" / "ministack")
    return needed_file(Path(program))


def aws_environment(settings: AwsSettings) -> Mapping[str, str]:
    """The environment of a program that is to find a stand-in where AWS would be."""
    return {
        **os.environ,
        "AWS_ENDPOINT_URL": settings.endpoint_url,
        "AWS_DEFAULT_REGION": settings.region,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
    }


def own_name(word: str) -> str:
    """A name that no other test has."""
    return f"{word}-{secrets.token_hex(6)}"
