"""What two clients ask for at the same time ends as if one had come after the other.

Directory and archive are memory twins that hold writes back until all that a test sends have
arrived, as writes of a real one wait for their turn and for the disk.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence

import httpx
import pytest
from msgspec import UnsetType
from tests.conformance.xively.conftest import Xively

from thingtank.stores.memory_archive import MemoryArchive
from thingtank.stores.memory_directory import MemoryDirectory
from thingtank.tank.datapoints import DatapointRows
from thingtank.tank.keys import ApiKey
from thingtank.tank.things import Datastream

WAIT_S = 10


class Gate:
    """Holds back who passes it until so many wait, while it is closed."""

    def __init__(self) -> None:
        self._wanted_count = 0
        self._opened = asyncio.Event()
        self._opened.set()

    def close(self, wanted_count: int) -> None:
        self._wanted_count = wanted_count
        self._opened.clear()

    async def passed(self) -> None:
        self._wanted_count -= 1
        if self._wanted_count <= 0:
            self._opened.set()
        await asyncio.wait_for(self._opened.wait(), WAIT_S)


class HeldArchive(MemoryArchive):
    """Takes changes in the order in which they came, once the gate is open."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = Gate()
        self._changes: list[Callable[[], object]] = []

    def append(self, rows: DatapointRows) -> asyncio.Future[None]:
        return self._held(lambda: super(HeldArchive, self).append(rows))

    def set_extremes(
        self,
        stream_id: int,
        minimum: float | UnsetType | None,
        maximum: float | UnsetType | None,
    ) -> Awaitable[None]:
        return self._held(
            lambda: super(HeldArchive, self).set_extremes(stream_id, minimum, maximum)
        )

    def _held(self, change: Callable[[], object]) -> asyncio.Future[None]:
        self._changes.append(change)
        return asyncio.ensure_future(self._take())

    async def _take(self) -> None:
        await self.gate.passed()
        changes, self._changes = self._changes, []
        for change in changes:
            change()


class HeldDirectory(MemoryDirectory):
    """Writes once the gate is open."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = Gate()

    async def insert_datastreams(
        self,
        device_id: int,
        datastreams: Iterable[Datastream],
        check: Callable[[Mapping[str, Datastream]], None] | None = None,
    ) -> Sequence[Datastream]:
        await self.gate.passed()
        return await super().insert_datastreams(device_id, datastreams, check)

    async def update_key(self, key_id: int, change: Callable[[ApiKey], ApiKey]) -> ApiKey:
        await self.gate.passed()
        return await super().update_key(key_id, change)

    async def replace_secret(
        self, key_id: int, secret: str, check: Callable[[ApiKey], None] | None = None
    ) -> ApiKey:
        await self.gate.passed()
        return await super().replace_secret(key_id, secret, check)

    async def delete_key(self, key_id: int, check: Callable[[ApiKey], None] | None = None) -> None:
        await self.gate.passed()
        await super().delete_key(key_id, check)


class Race:
    """A door whose writes can be held back."""

    def __init__(self) -> None:
        self.directory = HeldDirectory()
        self.archive = HeldArchive()
        self.xively = Xively("direct", self.directory, self.archive)

    async def together(
        self, gate: Gate, *asked: Awaitable[httpx.Response], held_count: int = 2
    ) -> list[httpx.Response]:
        """The answers to requests of which no write is done before so many have begun."""
        gate.close(held_count)
        return await asyncio.gather(*asked)


@pytest.fixture
async def race() -> Race:
    made = Race()
    await made.xively.fill()
    return made


ENDS = [
    ({"max_value": 100}, {"min_value": -100}, ("-100.0", "100.0"), 2),
    ({"min_value": -100}, {"max_value": 100}, ("-100.0", "100.0"), 2),
    ({"max_value": 100}, {"current_value": "-50"}, ("-50.0", "100.0"), 2),
    ({"current_value": "-50"}, {"max_value": 100}, ("-50.0", "100.0"), 2),
    ({"min_value": None}, {"max_value": 100}, (None, "100.0"), 2),
    # A write with values is whole: neither order gives the minimum of one and the maximum of both.
    (
        {"current_value": "200", "max_value": 100},
        {"current_value": "300", "min_value": 250},
        ("250.0", "300.0"),
        4,
    ),
]


@pytest.mark.parametrize(("one", "other", "expected", "held_count"), ENDS)
async def test_extremes_of_two_writes_at_once_are_all_kept(
    race: Race,
    one: dict[str, object],
    other: dict[str, object],
    expected: tuple[str | None, str | None],
    held_count: int,
) -> None:
    ask, path = race.xively.ask, f"{race.xively.feed}/datastreams/x"
    seed = {"datastreams": [{"id": "x", "current_value": "1"}]}
    assert (await ask("PUT", race.xively.feed, json=seed)).status_code == 200
    told = await race.together(
        race.archive.gate,
        ask("PUT", path, json=one),
        ask("PUT", path, json=other),
        held_count=held_count,
    )
    assert [answer.status_code for answer in told] == [200, 200]
    found = (await ask("GET", path)).json()
    assert (found.get("min_value"), found.get("max_value")) == expected


async def test_of_two_that_create_a_datastream_at_once_one_is_refused(race: Race) -> None:
    ask, path = race.xively.ask, f"{race.xively.feed}/datastreams"
    named = {"datastreams": [{"id": "race", "current_value": "1"}]}
    both = {"datastreams": [{"id": "beside", "current_value": "2"}, {"id": "race"}]}
    told = await race.together(
        race.directory.gate,
        ask("POST", path, json=named),
        ask("POST", path, json=both),
        ask("POST", path, json=named),
        held_count=3,
    )
    assert [answer.status_code for answer in told] == [201, 422, 422]
    refusals = [answer.json() for answer in told[1:]]
    assert refusals == [(await ask("POST", path, json=named)).json()] * 2
    assert refusals[0]["errors"] == "Datastream id has already been taken"
    names = [found["id"] for found in (await ask("GET", race.xively.feed)).json()["datastreams"]]
    assert names == ["race"]


async def test_a_feed_that_two_write_to_at_once_takes_both(race: Race) -> None:
    """Unlike a POST: a PUT makes what is missing, and finds what another made meanwhile."""
    ask = race.xively.ask
    told = await race.together(
        race.directory.gate,
        *(
            ask("PUT", race.xively.feed, json={"datastreams": [{"id": "x", "current_value": v}]})
            for v in "12"
        ),
    )
    assert [answer.status_code for answer in told] == [200, 200]


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [("POST", "/regenerate", None), ("PUT", "", {"key": {"label": "late"}}), ("DELETE", "", None)],
)
async def test_a_key_that_is_regenerated_meanwhile_is_not_found(
    race: Race, method: str, path: str, body: object
) -> None:
    key = f"/v2/keys/{race.xively.keys['read']}"
    told = await race.together(
        race.directory.gate,
        race.xively.ask("POST", f"{key}/regenerate", "master"),
        race.xively.ask(method, f"{key}{path}", "master", json=body),
    )
    assert [answer.status_code for answer in told] == [200, 404]
    secret = told[0].headers["Location"].rpartition("/")[2]
    found = await race.xively.ask("GET", f"/v2/keys/{secret}", "master")
    assert found.json()["key"]["label"] == "read"


async def test_a_key_that_renews_itself_twice_at_once_is_renewed_once(race: Race) -> None:
    path = f"/v2/keys/{race.xively.keys['master']}/regenerate"
    told = await race.together(
        race.directory.gate, *(race.xively.ask("POST", path, "master") for _ in range(2))
    )
    assert [answer.status_code for answer in told] == [200, 404]
