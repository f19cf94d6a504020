"""`wamp.subscription.get_events` over a realm that keeps its events on disk.

Source: WAMP, Event History.
"""

from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from tests.conformance.wamp.kept import KeptWorld, answers, published, rules
from tests.conformance.wamp.realms import AT_US, NAMES, Client

from thingtank.protocols.wamp.authorization import ALLOWED, Decision
from thingtank.protocols.wamp.history import HistoryRule
from thingtank.protocols.wamp.history_answers import ANSWER_BYTES_MAX
from thingtank.protocols.wamp.history_query import EVENTS_MAX
from thingtank.protocols.wamp.later import Later

SECOND_US = 1_000_000
START_US = AT_US


def text(at_us: int, hours: int = 0) -> str:
    at = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=at_us)
    return at.astimezone(timezone(timedelta(hours=hours))).isoformat()


def at(number: int, extra_us: int = 0) -> str:
    """When the event of this number was published."""
    return text(START_US + number * SECOND_US + extra_us)


async def ten(world: KeptWorld) -> list[int]:
    """Publish 0 to 9, a second apart, of `a.even` and `a.odd` in turn; their ids."""
    publisher = world.join()
    ids = []
    for number in range(10):
        world.set_now(START_US + number * SECOND_US)
        topic = "a.odd" if number % 2 else "a.even"
        ids.append(await published(publisher, topic, number))
    return ids


FILTERS: list[tuple[dict[str, Any], Any]] = [
    ({}, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]),
    ({"reverse": True}, [9, 8, 7, 6, 5, 4, 3, 2, 1, 0]),
    ({"reverse": False, "limit": 3}, [0, 1, 2]),
    ({"reverse": True, "limit": 3}, [9, 8, 7]),
    ({"limit": 10**6}, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]),
    ({"limit": None, "reverse": None, "topic": None, "from_time": None}, list(range(10))),
    ({"from_time": at(7)}, [7, 8, 9]),
    ({"from_time": at(7, 1)}, [8, 9]),
    ({"after_time": at(7)}, [8, 9]),
    ({"after_time": at(7, -1)}, [7, 8, 9]),
    ({"before_time": at(2)}, [0, 1]),
    ({"before_time": at(2, 1)}, [0, 1, 2]),
    ({"until_time": at(2)}, [0, 1, 2]),
    ({"until_time": at(2, -1)}, [0, 1]),
    ({"from_time": text(START_US + 7 * SECOND_US, hours=5)}, [7, 8, 9]),
    ({"from_time": at(3), "after_time": at(5), "until_time": at(8), "before_time": at(8)}, [6, 7]),
    ({"from_time": at(8), "until_time": at(3)}, []),
    ({"from_time": "2300-01-01T00:00:00Z"}, []),
    ({"until_time": "0001-01-01T00:00:00+00:00"}, []),
    ({"topic": "a.odd"}, [1, 3, 5, 7, 9]),
    ({"topic": "a.odd", "limit": 2, "reverse": True}, [9, 7]),
    ({"topic": "a.od"}, []),
    ({"topic": ""}, []),
    ({"from_publication": 7}, [7, 8, 9]),
    ({"after_publication": 7}, [8, 9]),
    ({"before_publication": 2}, [0, 1]),
    ({"until_publication": 2}, [0, 1, 2]),
    ({"from_publication": 3, "after_publication": 4, "until_publication": 8}, [5, 6, 7, 8]),
    ({"after_publication": 9}, []),
    ({"before_publication": 0}, []),
    ({"after_publication": 2, "topic": "a.even", "before_time": at(8), "limit": 5}, [4, 6]),
    ({"after_publication": 2, "reverse": True, "limit": 2}, [9, 8]),
]
"""Publications are named by what they say."""


async def test_filters_all_have_to_hold(tmp_path: Path) -> None:
    async with await KeptWorld.open(tmp_path, *rules("a.", match="prefix")) as world:
        ids = await ten(world)
        for name in NAMES:
            asker = world.join(name)
            for filters, expected in FILTERS:
                named = {
                    key: ids[value] if key.endswith("_publication") else value
                    for key, value in filters.items()
                }
                assert await world.values(asker, "a.", **named) == expected, filters


@pytest.mark.parametrize("is_reopened", [False, True])
async def test_filters_hold_after_a_restart_as_well(tmp_path: Path, is_reopened: bool) -> None:
    async with await KeptWorld.open(tmp_path, *rules("b", "a.even"), *rules("a.odd")) as world:
        ids = await ten(world)
        before = await world.ask(world.join(), "a.odd")
    again = rules("a.odd", "a.even") if is_reopened else rules("b", "a.even", "a.odd")
    async with await KeptWorld.open(tmp_path, *again) as world:
        after = await world.ask(world.join(), "a.odd")
        assert [event.pop("subscription") for event in after] == [world.ids["a.odd"]] * 5
        assert [event.pop("subscription") for event in before] == [3] * 5
        assert after == before
        assert await world.values(world.join(), "a.even", after_publication=ids[4]) == [6, 8]


WRONG: list[dict[str, Any]] = [
    {"limit": 0},
    {"limit": -1},
    {"limit": True},
    {"limit": 1.5},
    {"limit": "3"},
    {"limit": 2**53 + 1},
    {"reverse": 1},
    {"reverse": "true"},
    {"topic": 1},
    {"topic": ["a.odd"]},
    {"from_time": 1_700_000_000},
    {"from_time": "yesterday"},
    {"from_time": "2023-11-14"},
    {"from_time": "2023-11-14T22:13:20"},
    {"after_time": "2023-13-14T22:13:20Z"},
    {"until_time": ""},
    {"before_time": {}},
    {"from_publication": "7001"},
    {"after_publication": 0},
    {"before_publication": 2**53 + 1},
    {"until_publication": True},
    {"from_publication": 99},
    {"after_publication": 99, "limit": 1},
    {"before_publication": 99},
    {"until_publication": 99},
]


async def test_wrong_filters_are_invalid_arguments(tmp_path: Path) -> None:
    async with await KeptWorld.open(tmp_path, *rules("a.even")) as world:
        await published(world.join(), "a.even", 1)
        asker = world.join()
        for filters in WRONG:
            assert await world.ask(asker, "a.even", **filters) == "invalid_argument", filters


BINARY: dict[str, Any] = {"json": "\0AP8=", "msgpack": b"\0\xff", "cbor": b"\0\xff"}


@pytest.mark.parametrize("asks", NAMES)
@pytest.mark.parametrize("publishes", NAMES)
async def test_event_has_all_that_a_subscriber_was_told(
    tmp_path: Path, publishes: str, asks: str
) -> None:
    async with await KeptWorld.open(tmp_path, *rules("a.b"), *rules("a", match="prefix")) as world:
        publisher = world.join(publishes, authid="ann")
        listener = world.join(asks)
        listener.subscribe("a.b")
        args, kwargs = [1, "é", None, BINARY[publishes], {"k": [2.5]}], {"n": -1}
        options = {"disclose_me": True, "transaction_hash": "0x1"}
        publisher.publish("a.b", args, kwargs, **options)
        publisher.publish("a.b")
        ((_, _, first_id, details, *payload), (_, _, second_id, *_)) = listener.take()
        args[3] = BINARY[asks]
        assert payload == [args, kwargs]
        assert details == {
            "publisher": publisher.id,
            "publisher_authid": "ann",
            "publisher_authrole": "device",
            "transaction_hash": "0x1",
        }
        timestamp = "2023-11-14T22:13:20.123456Z"
        first = {
            "timestamp": timestamp,
            "subscription": world.ids["a.b"],
            "publication": first_id,
            "details": details,
            "args": args,
            "kwargs": kwargs,
        }
        empty = {**first, "publication": second_id, "details": {}, "args": [], "kwargs": {}}
        assert await world.ask(listener, "a.b") == [first, empty]
        by_pattern = [
            {
                **event,
                "subscription": world.ids["a"],
                "details": {**event["details"], "topic": "a.b"},
            }
            for event in (first, empty)
        ]
        assert await world.ask(listener, "a") == by_pattern


async def test_event_is_there_as_soon_as_it_was_published(tmp_path: Path) -> None:
    async with await KeptWorld.open(tmp_path, *rules("a")) as world:
        client = world.join()
        for number in range(20):
            client.publish("a", [number])
            assert await world.values(client, "a", reverse=True, limit=1) == [number]


async def test_history_needs_no_subscriber_and_survives_them(tmp_path: Path) -> None:
    async with await KeptWorld.open(tmp_path, *rules("a")) as world:
        client = world.join()
        assert client.call("wamp.subscription.lookup", "a") == world.ids["a"]
        subscription_id = client.subscribe("a")
        assert subscription_id == world.ids["a"]
        client.ask(34, subscription_id)
        client.take()
        await published(client, "a", 1)
        client.session.lose()
        assert await world.values(world.join(), "a") == [1]


async def test_empty_history_is_an_empty_list(tmp_path: Path) -> None:
    async with await KeptWorld.open(tmp_path, *rules("a")) as world:
        assert await world.ask(world.join(), "a") == []


@pytest.mark.parametrize(
    ("options", "is_kept"),
    [
        ({"exclude": [99]}, False),
        ({"eligible": [1]}, False),
        ({"eligible": []}, False),
        ({"exclude": []}, False),
        ({"eligible": [1], "eligible_authid": ["ann"]}, False),
        ({"exclude_me": False}, True),
        ({"eligible_authid": ["ann"]}, True),
        ({"retain": True}, True),
    ],
)
async def test_events_with_lists_of_sessions_are_not_kept(
    tmp_path: Path, options: dict[str, Any], is_kept: bool
) -> None:
    async with await KeptWorld.open(tmp_path, *rules("a")) as world:
        await published(world.join(), "a", 1, **options)
        found = await world.values(world.join(authid="ann"), "a")
        assert found == ([1] if is_kept else [])


@pytest.mark.parametrize(
    ("options", "askers"),
    [
        ({"eligible_authid": ["ann"]}, "ann/device ann/viewer"),
        ({"eligible_authid": []}, ""),
        ({"eligible_authrole": ["viewer"]}, "ann/viewer bob/viewer"),
        ({"exclude_authid": ["ann"]}, "bob/viewer"),
        ({"exclude_authrole": ["viewer"]}, "ann/device"),
        ({"eligible_authid": ["ann"], "exclude_authrole": ["device"]}, "ann/viewer"),
    ],
)
async def test_lists_of_authids_and_authroles_are_applied_to_who_asks(
    tmp_path: Path, options: dict[str, Any], askers: str
) -> None:
    async with await KeptWorld.open(tmp_path, *rules("a")) as world:
        publisher = world.join()
        await published(publisher, "a", "limited", **options)
        await published(publisher, "a", "open")
    async with await KeptWorld.open(tmp_path, *rules("a")) as world:
        told = []
        for who in ("ann/device", "ann/viewer", "bob/viewer"):
            authid, authrole = who.split("/")
            asker = world.join(authid=authid, authrole=authrole)
            # What may not be seen does not count.
            first = await world.values(asker, "a", limit=1)
            assert first in (["limited"], ["open"])
            if first == ["limited"]:
                told.append(who)
        assert told == askers.split()


class DecidesLater:
    """On subscribing; all else is allowed."""

    def __init__(self) -> None:
        self.decisions: list[Later[Decision]] = []

    def authorize(self, peer: Any, action: str, uri: str, match: str) -> Decision | Later[Decision]:
        if action != "subscribe":
            return ALLOWED
        self.decisions.append(Later())
        return self.decisions[-1]


async def test_question_waits_for_who_decides(tmp_path: Path) -> None:
    authorizer = DecidesLater()
    async with await KeptWorld.open(tmp_path, *rules("a"), authorizer=authorizer) as world:
        client = world.join()
        get_events = "wamp.subscription.get_events"
        client.ask(48, get_events, [world.ids["a"]], {"limit": 0})
        assert client.take_one()[4] == "wamp.error.invalid_argument"
        client.ask(48, get_events, [world.ids["a"]])
        (decision,) = authorizer.decisions
        await world.events.settled()
        assert client.take() == []
        decision.answer(ALLOWED)
        assert (await answers(client, 1))[0][3] == [[]]


async def test_subscription_without_history_says_so(tmp_path: Path) -> None:
    async with await KeptWorld.open(tmp_path, *rules("a")) as world:
        client = world.join()
        world.ids["b"] = client.subscribe("b")
        assert await world.ask(client, "b") == "history_unavailable"


async def test_caller_that_has_left_is_not_answered(tmp_path: Path) -> None:
    async with await KeptWorld.open(tmp_path, *rules("a")) as world:
        client = world.join()
        client.publish("a", [1])
        client.ask(48, "wamp.subscription.get_events", [world.ids["a"]])
        client.session.lose()
        await world.events.settled()
        assert await world.values(world.join(), "a") == [1]
        assert client.take() == []


# -- bounds


async def test_at_most_so_many_events_at_once_and_paging_finds_all(tmp_path: Path) -> None:
    async with await KeptWorld.open(tmp_path, *rules("a")) as world:
        client = world.join("msgpack")
        count = EVENTS_MAX + 5
        for number in range(count):
            client.publish("a", [number])
        first = await world.ask(client, "a", limit=10**6)
        assert [event["args"] for event in first] == [[each] for each in range(EVENTS_MAX)]
        last_id = first[-1]["publication"]
        rest = await world.values(client, "a", after_publication=last_id)
        assert rest == list(range(EVENTS_MAX, count))


@pytest.mark.parametrize("name", NAMES)
async def test_answer_ends_before_it_is_too_long(tmp_path: Path, name: str) -> None:
    async with await KeptWorld.open(tmp_path, *rules("a")) as world:
        client = world.join(name)
        big = "x" * (ANSWER_BYTES_MAX // 4)
        for number in range(10):
            client.publish("a", [number, big])
        seen: list[int] = []
        sizes = []
        after: dict[str, int] = {}
        while found := await world.ask(client, "a", **after):
            seen += [event["args"][0] for event in found]
            sizes.append(len(found))
            after = {"after_publication": found[-1]["publication"]}
        assert seen == list(range(10))
        assert sizes == [3, 3, 3, 1]


async def test_first_event_may_be_as_long_as_the_caller_takes(tmp_path: Path) -> None:
    async with await KeptWorld.open(tmp_path, *rules("a")) as world:
        client = world.join()
        client.publish("a", ["x" * (2 * ANSWER_BYTES_MAX)])
        client.publish("a", ["y"])
        ((event),) = await world.ask(client, "a")
        assert len(event["args"][0]) == 2 * ANSWER_BYTES_MAX
        small = join_small(world, 1000)
        first, second = await world.ask(small, "a")
        assert first["details"] == {"payload_limit_exceeded": True}
        assert "args" not in first
        assert "kwargs" not in first
        assert second["args"] == ["y"]


async def test_caller_that_takes_no_event_is_told(tmp_path: Path) -> None:
    async with await KeptWorld.open(tmp_path, *rules("a")) as world:
        await published(world.join(), "a", 1)
        small = join_small(world, 200)
        assert await world.ask(small, "a") == "payload_size_exceeded"


def join_small(world: KeptWorld, bytes_max: int) -> Client:
    """A client that takes short messages; its WELCOME was longer."""
    client = world.join()
    assert client.session.member is not None
    client.session.member.bytes_max = bytes_max
    return client


async def test_payload_without_a_form_for_the_caller_is_left_out(tmp_path: Path) -> None:
    async with await KeptWorld.open(tmp_path, *rules("a")) as world:
        publisher = world.join("cbor")
        publisher.publish("a", [2**70])
        publisher.publish("a", [1])
        unreadable, readable = await world.ask(world.join("msgpack"), "a")
        assert unreadable["details"] == {"_payload_unconvertible": True}
        assert "args" not in unreadable
        assert readable["args"] == [1]
        assert await world.values(world.join("json"), "a") == [2**70, 1]


@pytest.mark.parametrize("name", NAMES)
async def test_opaque_payload_stands_in_place_of_args(tmp_path: Path, name: str) -> None:
    async with await KeptWorld.open(tmp_path, *rules("a")) as world:
        world.join("msgpack").publish("a", b"\0\xff", enc_algo="cryptobox", enc_serializer="json")
        (event,) = await world.ask(world.join(name), "a")
        assert event["args"] == BINARY[name]
        assert event["details"] == {"enc_algo": "cryptobox", "enc_serializer": "json"}


# -- rules


async def test_each_rule_forgets_by_itself(tmp_path: Path) -> None:
    few = HistoryRule("a", "prefix", events_max=3)
    short = HistoryRule("a.b", keep_s=10)
    async with await KeptWorld.open(tmp_path, few, short, trim_interval_s=0.01) as world:
        client = world.join()
        for number in range(6):
            world.set_now(START_US + number * 4 * SECOND_US)
            client.publish("a.b", [number])
        while await world.values(client, "a") != [3, 4, 5]:
            pass
        assert await world.values(client, "a.b") == [3, 4, 5]
        world.set_now(START_US + 27 * SECOND_US)
        assert await world.values(client, "a.b") == [5], "what is too old is not shown"
        assert await world.values(client, "a") == [3, 4, 5]


async def test_same_uri_in_two_realms_is_two_histories(tmp_path: Path) -> None:
    async with await KeptWorld.open(tmp_path, *rules("a")) as world:
        other = await world.events.history("realm2", rules("a"))
        assert other is not None
        elsewhere = KeptWorld(history=other)
        other.stand(elsewhere.realm.broker)
        elsewhere.ids = {"a": 1}
        await published(world.join(), "a", 1)
        await published(elsewhere.join(), "a", 2)
        assert await world.values(world.join(), "a") == [1]
        assert await elsewhere.values(elsewhere.join(), "a") == [2]
