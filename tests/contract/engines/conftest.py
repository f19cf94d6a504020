"""Stand-ins for AWS, and the local forms beside them: each contract is kept by all three."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.aws_stand_ins import ministack, models_read_once, moto

from thingtank.aws.clients import AwsClients
from thingtank.sinks.engine import EngineParts

__all__ = ["ministack", "models_read_once", "moto"]

PLACES = ("here", "moto", "ministack")


@pytest.fixture(params=PLACES)
def place(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def clients(place: str, request: pytest.FixtureRequest) -> Iterator[AwsClients | None]:
    """Clients of a stand-in; None for this machine."""
    if place == "here":
        yield None
        return
    found = AwsClients(request.getfixturevalue(place))
    yield found
    found.close()


@pytest.fixture
def parts(clients: AwsClients | None, tmp_path: Path) -> EngineParts:
    def aws() -> AwsClients:
        assert clients is not None
        return clients

    return EngineParts(aws, tmp_path)
