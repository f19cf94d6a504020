"""A world whose realm keeps its events on disk."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.conformance.wamp.realms import REALM, Client, World
from tests.waiting import until

from thingtank.protocols.wamp.history import HistoryRule
from thingtank.stores.wamp_events import WampEvents


class KeptWorld(World):
    """Opened anew, it has what it had. `async with` closes what it has opened."""

    events: WampEvents
    ids: dict[str, int]

    @classmethod
    async def open(
        cls,
        folder: Path,
        *rules: HistoryRule,
        now_us: int | None = None,
        authorizer: Any = None,
        **bounds: Any,
    ) -> "KeptWorld":
        clock = [0]
        events = await WampEvents.open(folder, lambda: clock[0], **bounds)
        history = await events.history(REALM, rules)
        retained = await events.retained(REALM)
        world = cls(history=history, retained=retained, authorizer=authorizer)
        world.clock = clock
        world.events = events
        world.set_now(now_us or world.now_us)
        if history is not None:
            history.stand(world.realm.broker)
        world.ids = {
            rule.uri: world.realm.broker.subscriptions.lookup(rule.uri, rule.match) or 0
            for rule in rules
        }
        return world

    clock: list[int]

    def set_now(self, now_us: int) -> None:
        self.now_us = self.clock[0] = now_us

    async def __aenter__(self) -> "KeptWorld":
        return self

    async def __aexit__(self, *error: object) -> None:
        await self.events.close()

    async def ask(self, client: Client, uri: str, /, **filters: Any) -> Any:
        """What get_events gives: the list, or the error's URI without `wamp.error.`."""
        client.ask(48, "wamp.subscription.get_events", [self.ids[uri]], filters)
        answer = (await answers(client, 1))[0]
        return answer[4].removeprefix("wamp.error.") if answer[0] == 8 else answer[3][0]

    async def values(self, client: Client, uri: str, /, **filters: Any) -> Any:
        """The first argument of each."""
        found = await self.ask(client, uri, **filters)
        return [event["args"][0] for event in found] if isinstance(found, list) else found


async def answers(client: Client, count: int) -> list[Any]:
    """What comes, as soon as there is so much of it."""
    await until(lambda: len(client.received) >= count)
    return client.take()


async def published(client: Client, topic: str, *args: Any, **options: Any) -> int:
    """Publish, acknowledged; the publication id."""
    request_id = client.ask(16, topic, list(args), acknowledge=True, **options)
    code, answered_id, publication_id = (await answers(client, 1))[0]
    assert (code, answered_id) == (17, request_id)
    return int(publication_id)


def rules(*uris: str, match: Any = "exact", **bounds: Any) -> Sequence[HistoryRule]:
    return [HistoryRule(uri, match, **bounds) for uri in uris]
