"""Calls of the tank's procedures: acknowledgement, arguments, refusals, progress, the log."""

import asyncio
import shutil
from collections.abc import Awaitable
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs
from tests.unit.doors.wamp.tank_peer.worlds import (
    ADDRESS,
    AT,
    NOW,
    Answer,
    TankClient,
    TankWorld,
    settle,
)

from thingtank.doors.wamp.tank_peer import calls as calls_module
from thingtank.doors.wamp.tank_peer.resources import datapoints
from thingtank.doors.wamp.tank_peer.resources.shared import json_of
from thingtank.stores.archive_settings import ArchiveSettings
from thingtank.stores.embedded_archive import EmbeddedArchive
from thingtank.stores.memory_archive import MemoryArchive
from thingtank.tank.datapoints import DatapointRows
from thingtank.tank.errors import Overloaded, ValidationFailed
from thingtank.tank.keys import Resource
from thingtank.tank.limits import Limits


class HeldArchive(MemoryArchive):
    """Commits when it is told to, all that is outstanding at once."""

    def __init__(self) -> None:
        super().__init__()
        self.outstanding: list[tuple[DatapointRows, asyncio.Future[None]]] = []

    def append(self, rows: DatapointRows) -> Awaitable[None]:
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.outstanding.append((rows, future))
        return future

    def commit(self) -> None:
        for rows, future in self.outstanding:
            super().append(rows)
            future.set_result(None)

    def fail(self) -> None:
        for _, future in self.outstanding:
            future.set_exception(Overloaded("the queue is full", 3))


@pytest.fixture
async def world() -> TankWorld:
    return TankWorld()


@pytest.fixture
async def alice(world: TankWorld) -> TankClient:
    return world.join("alice")


# --- what an acknowledgement means ---------------------------------------------------------------


async def test_a_result_comes_after_the_commit_and_calls_share_one() -> None:
    archive = HeldArchive()
    world = TankWorld(archive)
    feed_id = (await world.make_device()).device_id
    alice = world.join("alice")
    tasks_before = asyncio.all_tasks()
    asked = [
        alice.send_call(
            "tank.datapoints.record",
            feed_id,
            {"temperature": number},
            at=f"2023-11-14T00:00:{number:02}Z",
        )
        for number in range(50)
    ]
    assert len(archive.outstanding) == 50
    assert asyncio.all_tasks() == tasks_before
    await settle()
    assert alice.client.take() == []
    archive.commit()
    await settle()
    assert alice.client.take() == [[50, request_id, {}] for request_id in asked]


async def test_what_the_archive_refuses_is_an_error_that_says_when_to_come_again() -> None:
    archive = HeldArchive()
    world = TankWorld(archive)
    feed_id = (await world.make_device()).device_id
    alice = world.join("alice")
    asked = alice.send_call("tank.datapoints.record", feed_id, {"temperature": 1})
    archive.fail()
    answer = await alice.answer_to(asked)
    assert (answer.error, answer.args, answer.kwargs) == (
        "tank.error.overloaded",
        ["the queue is full"],
        {"retry_after_s": 3},
    )


async def test_a_value_that_was_acknowledged_is_there_after_a_crash(tmp_path: Path) -> None:
    folder, copy = tmp_path / "data", tmp_path / "copy"
    folder.mkdir()
    archive = await EmbeddedArchive.open(folder, ArchiveSettings(), _Clock())
    try:
        world = TankWorld(archive)
        feed_id = (await world.make_device()).device_id
        alice = world.join("alice")
        assert (
            await alice.value_of("tank.datapoints.record", feed_id, {"temperature": "21.50"}, AT)
            is None
        )
        shutil.copytree(folder, copy)  # as a disk is found, whose machine lost its power now
    finally:
        await archive.close()
    again = await EmbeddedArchive.open(copy, ArchiveSettings(), _Clock())
    try:
        stream_id = world.directory.datastreams(feed_id)["temperature"].stream_id
        current = again.current(stream_id)
        assert current is not None
        assert (current.at_us, current.value) == (NOW, "21.50")
    finally:
        await again.close()


class _Clock:
    def now_us(self) -> int:
        return NOW


async def test_a_call_that_was_canceled_still_writes_and_its_answer_goes_nowhere() -> None:
    archive = HeldArchive()
    world = TankWorld(archive)
    feed_id = (await world.make_device()).device_id
    alice = world.join("alice")
    asked = alice.send_call("tank.datapoints.record", feed_id, {"temperature": 1})
    alice.client.send(49, asked, {})
    assert (await alice.answer_to(asked)).error == "wamp.error.canceled"
    archive.commit()
    await settle()
    assert alice.client.take() == []
    assert await alice.value_of("tank.datapoints.history", feed_id, "temperature") == [
        {"value": "1", "at": AT}
    ]


async def test_stopping_waits_for_what_is_under_way_and_refuses_the_rest() -> None:
    archive = HeldArchive()
    world = TankWorld(archive)
    feed_id = (await world.make_device()).device_id
    alice = world.join("alice")
    asked = alice.send_call("tank.datapoints.record", feed_id, {"temperature": 1})
    stopping = asyncio.ensure_future(world.peer.stop())
    await settle()
    assert not stopping.done()
    late = alice.send_call("tank.feeds.get", feed_id)
    assert (await alice.answer_to(late)).error == "tank.error.unavailable"
    archive.commit()
    await asyncio.wait_for(stopping, 5)
    assert not (await alice.answer_to(asked)).is_error


async def test_stopping_does_not_wait_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calls_module, "STOP_S_MAX", 0.01)
    world = TankWorld(HeldArchive())
    feed_id = (await world.make_device()).device_id
    world.join("alice").send_call("tank.datapoints.record", feed_id, {"temperature": 1})
    with capture_logs() as logs:
        await asyncio.wait_for(world.peer.stop(), 5)
    assert [(each["event"], each["count"]) for each in logs] == [("wamp_calls_left", 1)]


# --- recording -----------------------------------------------------------------------------------


@pytest.mark.parametrize("serializer", ["json", "msgpack", "cbor"])
async def test_values_are_kept_as_they_were_written(world: TankWorld, serializer: str) -> None:
    feed_id = (await world.make_device(names=("a", "b", "c", "d"))).device_id
    alice = world.join("alice", serializer)
    values = {"a": "0000017", "b": 21.5, "c": True, "d": -3}
    assert (
        await alice.value_of("tank.datapoints.record", feed=feed_id, values=values, at=AT) is None
    )
    found = await alice.value_of("tank.feeds.get", feed_id)
    assert {each["id"]: each["current_value"] for each in found["datastreams"]} == {
        "a": "0000017",
        "b": "21.5",
        "c": "true",
        "d": "-3",
    }
    assert {each["at"] for each in found["datastreams"]} == {AT}


async def test_documents_of_datastreams_are_recorded_with_their_datapoints(
    world: TankWorld, alice: TankClient
) -> None:
    feed_id = (await world.make_device()).device_id
    points = [
        {"at": "2023-11-14T22:00:00Z", "value": 1},
        {"at": "2023-11-14T22:01:00Z", "value": "2"},
    ]
    documents = [
        {"id": "temperature", "datapoints": points, "tags": "not,this"},
        {"id": "new", "current_value": 3, "at": AT},
    ]
    error = await alice.error_of("tank.datapoints.record", feed_id, datastreams=documents)
    assert error == "tank.error.no_such_datastream"
    await alice.value_of(
        "tank.datapoints.record", feed_id, datastreams=documents, creates_missing=True
    )
    found = await alice.value_of("tank.datapoints.history", feed_id)
    assert {name: [each["value"] for each in rows] for name, rows in found.items()} == {
        "temperature": ["1", "2"],
        "new": ["3"],
    }
    # Metadata is for tank.feeds.write.
    assert "tags" not in await alice.value_of("tank.datastreams.get", feed_id, "temperature")


async def test_either_right_to_write_lets_a_key_record_and_no_other_does(world: TankWorld) -> None:
    feed_id = (await world.make_device()).device_id
    resource = Resource(feed_id, "temperature")
    for method in ("put", "post", "get"):
        await world.make_key(method, method, resource=resource)
        answer = await world.join(f"key:{method}").call(
            "tank.datapoints.record", feed_id, {"temperature": 1}
        )
        assert answer.is_error == (method == "get")
    assert answer.error == "wamp.error.not_authorized"
    key = world.join("key:put")
    assert (
        await key.error_of("tank.datapoints.record", feed_id, {"humidity": 1})
        == "wamp.error.not_authorized"
    )


@pytest.mark.parametrize(
    ("args", "kwargs", "text"),
    [
        ([], {}, "`feed` is missing"),
        ([7, {"a": 1}, AT, True], {}, "4 positional arguments; at most 3 are taken"),
        ([7], {"feed": 7}, "feed is given by its place and by its name"),
        ([7.5], {}, "`feed` must be a whole number or a string, not a number with a fraction"),
        ([7, [1]], {}, "`values` must be an object, not a list"),
        ([7, {}], {"feeds": 7}, "there is no argument `feeds`; did you mean `feed`?"),
        (["ROOF"], {"values": {}}, "values can't be blank"),
        (["ROOF", {"temperature": None}], {}, "each value in `values` must be"),
        (["ROOF", {"temperature": [1]}], {}, "true or false, not a list"),
        (["ROOF", {"temperature": 1}, "yesterday"], {}, "at is not an ISO 8601 time"),
        (["ROOF", {"temperature": 1}, "9999-01-01T00:00:00Z"], {}, "at is out of range"),
        (["ROOF"], {"datastreams": [{"id": ["x"]}]}, "The document is not of the expected shape"),
    ],
)
async def test_arguments_that_are_wrong_are_named(
    world: TankWorld, alice: TankClient, args: list[Any], kwargs: dict[str, Any], text: str
) -> None:
    feed_id = (await world.make_device()).device_id
    args = [feed_id if arg == "ROOF" else arg for arg in args]
    answer = await alice.call("tank.datapoints.record", *args, **kwargs)
    assert answer.error == "wamp.error.invalid_argument"
    assert text in answer.args[0]
    assert answer.kwargs["problems"]


@pytest.mark.parametrize("number", [-1, 2**53 + 1, True, 1.5, "5"])
async def test_numbers_that_no_thing_can_have_are_refused_before_anybody_looks(
    alice: TankClient, number: Any
) -> None:
    for name in ("keys.get", "triggers.get", "deliveries.get"):
        assert await alice.error_of(f"tank.{name}", number) == "wamp.error.invalid_argument"


async def test_arguments_of_great_length_are_not_written_for_the_log(
    world: TankWorld, alice: TankClient
) -> None:
    feed_id = await recorded(world, alice, 5000)
    (served,) = world.tank.request_log.of_device(feed_id)
    assert (served.asked.path, served.request_body) == ("tank.datapoints.import", b"")


HUGE = 10**5000  # Python refuses to write it, and CBOR carries it


@pytest.mark.parametrize(
    ("procedure", "args"),
    [
        ("record", [1001, {"temperature": HUGE}]),
        ("record", [HUGE, {"temperature": 1}]),
        ("import", [1001, {"temperature": {"at_us": [NOW], "values": [HUGE]}}]),
        ("import", [1001, {"temperature": {"at_us": [HUGE], "values": [1]}}]),
        ("history", [1001, "temperature"]),
    ],
)
async def test_an_integer_of_thousands_of_digits_is_refused(
    world: TankWorld, procedure: str, args: list[Any]
) -> None:
    assert (await world.make_device()).device_id == 1001
    alice = world.join("alice", "cbor")
    kwargs = {"limit": HUGE} if procedure == "history" else {}
    error = await alice.error_of(f"tank.datapoints.{procedure}", *args, **kwargs)
    assert error == "wamp.error.invalid_argument"


async def test_what_only_cbor_has_does_not_disturb_the_request_log(world: TankWorld) -> None:
    feed_id = (await world.make_device()).device_id
    alice = world.join("alice", "cbor")
    document = {"title": "x", 7: b"y", b"z": 2**70}
    assert (
        await alice.error_of("tank.feeds.write", feed_id, document) == "wamp.error.invalid_argument"
    )
    documents = [{"id": "temperature", "current_value": 1, "odd": [{1: {"deep": 2**70}}]}]
    await alice.value_of("tank.datapoints.record", feed_id, datastreams=documents)
    taken, refused = world.tank.request_log.of_device(feed_id)
    assert (taken.status, refused.status, refused.request_body) == (200, 422, b"")


def test_what_json_does_not_have_is_no_document() -> None:
    for value in (float("nan"), b"x", {1, 2}):
        with pytest.raises(ValidationFailed):
            json_of({"x": value})


async def test_a_feed_is_named_by_number_by_its_digits_or_by_uuid(
    world: TankWorld, alice: TankClient
) -> None:
    device = await world.make_device()
    for name in (device.device_id, str(device.device_id), device.uuid, device.uuid.upper()):
        assert (await alice.value_of("tank.feeds.get", name))["uuid"] == device.uuid
    for name in (99, "99", "9" * 40, "no-uuid", 2**53):
        assert await alice.error_of("tank.feeds.get", name) == "tank.error.no_such_feed"


# --- refusals ------------------------------------------------------------------------------------


async def test_strangers_may_try_and_read_what_is_public(world: TankWorld) -> None:
    private, public = await world.make_device(), await world.make_device("Pond", private=False)
    stranger = world.join("stranger")
    assert (
        await stranger.error_of("tank.feeds.get", private.device_id)
        == "wamp.error.authentication_required"
    )
    assert (await stranger.value_of("tank.feeds.get", public.device_id))["title"] == "Pond"
    found = await stranger.value_of("tank.feeds.list")
    assert [each["id"] for each in found["results"]] == [public.device_id]
    assert (
        await stranger.error_of("tank.feeds.delete", public.device_id)
        == "wamp.error.authentication_required"
    )
    world.reads_public = False
    assert (
        await stranger.error_of("tank.feeds.get", public.device_id)
        == "wamp.error.authentication_required"
    )


@pytest.mark.parametrize("procedure", ["tank.devices.get", "tank.devices.properties"])
async def test_strangers_are_told_the_same_of_a_device_that_is_not_there(
    world: TankWorld, procedure: str
) -> None:
    private = await world.make_device()
    stranger = world.join("stranger")
    is_there = await stranger.call(procedure, private.uuid)
    for name in ("0" * 36, 99):
        is_not = await stranger.call(procedure, name)
        assert (is_not.error, is_not.args, is_not.kwargs) == (
            is_there.error,
            is_there.args,
            is_there.kwargs,
        )
    assert is_there.error == "wamp.error.authentication_required"
    for authid in ("bob", "operator"):
        error = await world.join(authid).error_of(procedure, "0" * 36)
        assert error == "tank.error.no_such_feed"


async def test_rights_are_asked_anew_at_each_call(world: TankWorld) -> None:
    feed_id = (await world.make_device()).device_id
    key_id = await world.make_key("s", "get")
    client = world.join("key:s")
    await client.value_of("tank.feeds.get", feed_id)
    await world.directory.delete_key(key_id)
    assert await client.error_of("tank.feeds.get", feed_id) == "wamp.error.authentication_required"


async def test_calls_are_counted_against_the_rates_that_all_doors_share() -> None:
    limits = Limits(
        requests_per_key_s=0.01,
        requests_per_key_burst=2,
        requests_per_address_s=0.01,
        requests_per_address_burst=3,
    )
    world = TankWorld(limits=limits)
    feed_id = (await world.make_device(private=False)).device_id
    await world.make_key("s", "get")
    for authid, burst in (("key:s", 2), ("stranger", 3)):
        client = world.join(authid)
        answers = [await client.call("tank.feeds.get", feed_id) for _ in range(burst + 1)]
        assert [each.is_error for each in answers] == [False] * burst + [True]
        assert answers[-1].error == "tank.error.rate_exceeded"
        assert 90 <= answers[-1].kwargs["retry_after_s"] <= 100
    alice = world.join("alice")
    assert not any([(await alice.call("tank.feeds.get", feed_id)).is_error for _ in range(5)])


async def test_a_fault_of_ours_is_logged_and_the_caller_gets_no_details(
    world: TankWorld, alice: TankClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    feed_id = (await world.make_device()).device_id

    def fail(*_: Any) -> None:
        raise RuntimeError("a secret of the inside")

    monkeypatch.setattr(world.tank.archive, "current", fail)
    with capture_logs() as logs:
        answer = await alice.call("tank.feeds.get", feed_id)
    assert answer.error == "wamp.error.runtime_error"
    assert "secret" not in str(answer.args)
    assert [(each["event"], each["procedure"], each["exc_info"]) for each in logs] == [
        ("wamp_procedure_failed", "tank.feeds.get", True)
    ]


async def test_a_result_that_is_too_long_for_its_caller_is_refused_and_the_session_lives(
    world: TankWorld,
) -> None:
    feed_id = (await world.make_device()).device_id
    alice = world.join("alice")
    for member in world.realm.members.values():
        member.bytes_max = 300
    assert await alice.error_of("tank.feeds.get", feed_id) == "wamp.error.payload_size_exceeded"
    assert await alice.value_of("tank.feeds.delete", feed_id) is None


async def test_a_name_that_is_misspelled_reaches_nobody_else(
    world: TankWorld, alice: TankClient
) -> None:
    world.realm.authorizer = None  # which would not let Bob do that
    bob = world.join("bob")
    bob.client.register("tan", match="prefix")
    bob.client.register("..", match="wildcard")
    answer = await alice.call("tank.keys.crate", {"label": "secret"})
    assert answer.error == "wamp.error.no_such_procedure"
    assert "tank.help" in answer.args[0]
    assert bob.client.take() == []


async def test_help_lists_all_and_tells_of_one(alice: TankClient) -> None:
    listed = await alice.value_of("tank.help")
    assert listed["tank.datapoints.record"] == "Record values of a feed's datastreams."
    told = await alice.value_of("tank.help", "tank.datapoints.record")
    assert told["signature"].startswith("tank.datapoints.record(feed, values=None, at=None, *,")
    assert "tank.error.storage_failed" in told["errors"]
    assert (
        await alice.error_of("tank.help", "tank.datapoints.recrd") == "wamp.error.invalid_argument"
    )


# --- history -------------------------------------------------------------------------------------


async def recorded(world: TankWorld, client: TankClient, count: int) -> int:
    feed_id = (await world.make_device()).device_id
    columns = {
        "at_us": [NOW - (count - row) * 1_000_000 for row in range(count)],
        "values": list(range(count)),
    }
    document = {"temperature": columns, "humidity": {"at_us": [NOW - 1], "values": ["x"]}}
    assert await client.value_of("tank.datapoints.import", feed_id, document) == count + 1
    return feed_id


async def test_history_takes_xivelys_terms(world: TankWorld, alice: TankClient) -> None:
    feed_id = await recorded(world, alice, 100)
    found = await alice.value_of(
        "tank.datapoints.history", feed_id, "temperature", duration="10seconds", limit=3
    )
    assert [each["value"] for each in found] == ["90", "91", "92"]
    averages = await alice.value_of(
        "tank.datapoints.history",
        feed_id,
        ["temperature"],
        duration="1hour",
        interval=3600,
        function="max",
        timezone="+1",
    )
    assert [each["value"] for each in averages["temperature"]] == ["99"]
    assert averages["temperature"][0]["at"].endswith("+01:00")
    assert (
        await alice.error_of("tank.datapoints.history", feed_id, "temperature", limit="all")
        == "wamp.error.invalid_argument"
    )
    assert (
        await alice.error_of("tank.datapoints.history", feed_id, "nothing")
        == "tank.error.no_such_datastream"
    )


async def test_history_comes_in_parts_to_those_who_take_them(
    world: TankWorld, alice: TankClient
) -> None:
    feed_id = await recorded(world, alice, 5)
    answer = await alice.call_with_progress("tank.datapoints.history", feed_id)
    assert [list(part) for part in answer.progress] == [["humidity"], ["temperature"]]
    assert answer.value == 6


async def test_one_call_asks_for_so_much_history_and_no_more(
    world: TankWorld, alice: TankClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(datapoints, "HISTORY_DATAPOINTS_MAX", 1500)
    feed_id = await recorded(world, alice, 5)
    assert (
        await alice.error_of("tank.datapoints.history", feed_id, limit=1000)
        == "tank.error.limit_reached"
    )
    await alice.value_of("tank.datapoints.history", feed_id, limit=750)
    await alice.value_of("tank.datapoints.history", feed_id, "temperature", limit=10_000)


async def test_an_export_is_read_on_from_where_it_ended(
    world: TankWorld, alice: TankClient
) -> None:
    feed_id = await recorded(world, alice, 2500)
    first = await alice.value_of("tank.datapoints.export", feed_id, "temperature", limit=2000)
    rest = await alice.value_of(
        "tank.datapoints.export", feed_id, "temperature", start=first["next_start"]
    )
    assert first["values"] + rest["values"] == [str(number) for number in range(2500)]
    assert rest["next_start"] is None
    parts = await alice.call_with_progress(
        "tank.datapoints.export", feed_id, "temperature", limit=2000
    )
    assert [len(part["values"]) for part in parts.progress] == [1000, 1000]
    assert parts.value == {"count": 2000, "next_start": first["next_start"]}


async def test_nothing_more_of_an_export_is_sent_to_who_canceled_it(
    world: TankWorld, alice: TankClient
) -> None:
    feed_id = await recorded(world, alice, 5000)
    asked = alice.client.ask(
        48, "tank.datapoints.export", [feed_id, "temperature"], {}, receive_progress=True
    )
    alice.client.send(49, asked, {"mode": "skip"})
    await settle()
    kinds = [message[0] for message in alice.client.take()]
    assert kinds == [50, 8]


async def test_a_devices_tokens_are_made_listed_replaced_and_revoked(
    world: TankWorld, alice: TankClient
) -> None:
    device = await world.make_device()
    made = await alice.value_of("tank.tokens.create", device.uuid, tag="phone")
    other = await alice.value_of("tank.tokens.create", device.device_id)
    token, has = made.pop("token"), world.directory.has_token
    assert has(device.device_id, token)
    assert made == {"token_id": made["token_id"], "tag": "phone", "created_us": NOW}
    listed = await alice.value_of("tank.tokens.list", device.device_id)
    assert [each["token_id"] for each in listed] == [made["token_id"], other["token_id"]]
    assert listed[0] == made
    root = await alice.value_of("tank.tokens.reset", device.device_id)
    assert has(device.device_id, root)
    assert await alice.value_of("tank.tokens.revoke", device.device_id, token) is True
    assert await alice.value_of("tank.tokens.revoke", device.device_id, token) is False
    revoke_some = "tank.tokens.revoke_some"
    assert await alice.value_of(revoke_some, device.device_id, tag="phone") == 0
    ids = [other["token_id"], 999]
    assert await alice.value_of(revoke_some, device.device_id, token_ids=ids) == 1
    assert await alice.value_of("tank.tokens.list", device.device_id) == []
    bob = world.join("bob")
    for procedure in ("list", "create", "reset", revoke_some.rpartition(".")[2]):
        error = await bob.error_of(f"tank.tokens.{procedure}", device.device_id)
        assert error == "wamp.error.not_authorized"
    assert has(device.device_id, root)


# --- the request log -----------------------------------------------------------------------------


async def test_calls_that_touch_a_feed_are_in_its_request_log(
    world: TankWorld, alice: TankClient
) -> None:
    feed_id = (await world.make_device()).device_id
    await alice.value_of("tank.datapoints.record", feed_id, {"temperature": 21})
    await alice.error_of("tank.datastreams.get", feed_id, "none")
    await alice.value_of("tank.keys.list_revealed", feed_id)
    served = world.tank.request_log.of_device(feed_id)
    shown = [
        (each.asked.method, each.asked.path, each.asked.address, each.status, each.outcome)
        for each in served
    ]
    assert shown == [
        ("CALL", "tank.keys.list_revealed", ADDRESS, 200, "RESULT"),
        ("CALL", "tank.datastreams.get", ADDRESS, 404, "ERROR tank.error.no_such_datastream"),
        ("CALL", "tank.datapoints.record", ADDRESS, 200, "RESULT"),
    ]
    assert {each.asked.door for each in served} == {"wamp"}
    assert served[2].request_body == b'{"feed":%d,"values":{"temperature":21}}' % feed_id
    assert served[1].reason == f"feed {feed_id} has no datastream none"
    assert (served[0].request_body, served[0].response_body) == (b"", b"")  # keys are in it


async def test_calls_for_feeds_that_are_not_there_are_in_no_log(
    world: TankWorld, alice: TankClient
) -> None:
    await alice.error_of("tank.feeds.get", 999)
    assert world.tank.request_log.of_device(999) == []


def test_the_answer_of_these_tests_reads_results_and_errors() -> None:
    assert Answer([50, 1, {}], []).value is None
    assert Answer([8, 48, 1, {}, "x.y", ["why"]], []).error == "x.y"
