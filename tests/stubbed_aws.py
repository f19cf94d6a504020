"""AWS as botocore's Stubber has it: what no stand-in does, with each call checked by its model."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from botocore.stub import Stubber

from thingtank.aws.clients import AwsClients
from thingtank.aws.settings import AwsSettings

_CLIENTS = AwsClients(AwsSettings(region="us-east-1", endpoint_url="http://127.0.0.1:9"))


class StubbedAws:
    """Clients whose calls are answered in order; `sent` has what was asked."""

    def __init__(self, *services: str) -> None:
        self.clients = _CLIENTS
        self.sent: list[tuple[str, dict[str, Any]]] = []
        self.stubbers: dict[str, Stubber] = {}
        for service in services:
            client = self.clients.client(service)
            client.meta.events.register("provide-client-params.*.*", self._sent, "sent")
            self.stubbers[service] = Stubber(client)
            self.stubbers[service].activate()

    def close(self) -> None:
        """Let go of the clients, which others have as well."""
        for service, stubber in self.stubbers.items():
            stubber.deactivate()
            events = self.clients.client(service).meta.events
            events.unregister("provide-client-params.*.*", self._sent, "sent")

    def _sent(self, params: dict[str, Any], model: Any, **_: Any) -> None:
        self.sent.append((model.name, dict(params)))

    def answer(self, service: str, method: str, **response: Any) -> None:
        """The next call of a service is of this method, and succeeds."""
        self.stubbers[service].add_response(method, response)

    def refuse(
        self, service: str, method: str, code: str, message: str = "", status: int = 400
    ) -> None:
        """The next call of a service is of this method, and fails."""
        self.stubbers[service].add_client_error(
            method, code, message, http_status_code=status, service_error_meta={}
        )

    def asked(self, operation: str) -> list[dict[str, Any]]:
        """The parameters of each call of an operation."""
        return [params for name, params in self.sent if name == operation]

    def assert_all_asked(self) -> None:
        """Nothing that was to be asked is left."""
        for stubber in self.stubbers.values():
            stubber.assert_no_pending_responses()


@pytest.fixture
def stubbed() -> Iterator[Callable[..., StubbedAws]]:
    """What makes one, for the services named; one at a time, as clients are shared."""
    made: list[StubbedAws] = []

    def make(*services: str) -> StubbedAws:
        for each in made:
            each.close()
        made[:] = [StubbedAws(*services)]
        return made[0]

    yield make
    for each in made:
        each.close()


class Told:
    """A progress that remembers what it was told."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.waited: list[str] = []

    def did(self, line: str) -> None:
        self.lines.append(line)

    def waits(self, line: str) -> None:
        self.waited.append(line)
