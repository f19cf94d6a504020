"""Calls that fail in part: a lane keeps its order, and nothing is sent twice but what may be lost."""

import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError
from hypothesis import given, settings
from hypothesis import strategies as st

from thingtank.aws.clients import AwsClients
from thingtank.aws.settings import AwsSettings
from thingtank.sinks.engine import EngineParts, Item
from thingtank.sinks.engines import lanes, make_engine
from thingtank.sinks.engines.call_pool import CallPool
from thingtank.sinks.engines.lanes import THROTTLED_MAX, Cut, Entry, send_in_lanes
from thingtank.sinks.rules.window import Window
from thingtank.tank.failures import Failure, FailureKind

FULL = Failure(FailureKind.THROTTLED, "Full", "full", "")
BAD = Failure(FailureKind.REFUSED, "Bad", "bad", "")
POOL = CallPool(4, "calls")


def by_two(bodies: Iterable[Any]) -> Iterator[list[Any]]:
    rest = list(bodies)
    return (rest[first : first + 2] for first in range(0, len(rest), 2))


def entries(*texts: str) -> list[Entry]:
    return [Entry(text[0], (place,), text) for place, text in enumerate(texts)]


def test_a_lane_that_fails_waits_and_others_go_on() -> None:
    sent: list[str] = []

    def call(bodies: Sequence[str]) -> list[Failure | None]:
        sent.extend(bodies)
        return [FULL if body == "a2" else None for body in bodies]

    result = send_in_lanes(entries("a1", "a2", "b1", "a3", "b2"), call, by_two, POOL)
    assert dict(result.retry) == {1: "full (Full).", 3: "full (Full)."}
    assert sorted(sent) == ["a1", "a2", "b1", "b2"]


def test_what_is_refused_stops_nothing_behind_it() -> None:
    def call(bodies: Sequence[str]) -> list[Failure | None]:
        return [BAD if body == "a1" else None for body in bodies]

    result = send_in_lanes(entries("a1", "a2"), call, by_two, POOL)
    assert (dict(result.retry), list(result.refused)) == ({}, [0])


def test_what_is_raised_when_something_has_arrived_is_told_of_the_rest() -> None:
    def call(bodies: Sequence[str]) -> list[Failure | None]:
        if "a2" in bodies:
            raise EndpointConnectionError(endpoint_url="http://127.0.0.1:9")
        return [None] * len(bodies)

    result = send_in_lanes(entries("a1", "b1", "a2", "a3"), call, by_two, POOL)
    assert sorted(result.retry) == [2, 3]
    assert result.failure is not None
    assert result.failure.kind is FailureKind.UNREACHABLE
    with pytest.raises(EndpointConnectionError):
        send_in_lanes(entries("a2", "b2"), call, by_two, POOL)


def test_a_service_that_is_too_slow_for_all_takes_some_and_the_rest_goes_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(lanes, "SEND_S_MAX", 0.05)
    sent: list[str] = []

    def call(bodies: Sequence[str]) -> list[Failure | None]:
        sent.extend(bodies)
        time.sleep(0.03)
        return [None] * len(bodies)

    texts = [f"a{place}" for place in range(50)]
    result = send_in_lanes(entries(*texts), call, by_two, POOL)
    assert 1 <= len(sent) < 10
    assert sent == texts[: len(sent)]
    assert sorted(result.retry) == list(range(len(sent), 50))
    assert result.failure == lanes.NO_TIME


def test_one_entry_that_is_throttled_does_not_stop_the_others_but_many_do() -> None:
    asked: list[str] = []

    def call(bodies: Sequence[str]) -> list[Failure | None]:
        asked.extend(bodies)
        if bodies[0].startswith("x"):
            error = {"Error": {"Code": "ProvisionedThroughputExceededException"}}
            raise ClientError(error, "PutItem")
        return [None]

    def singly(bodies: Iterable[str]) -> Iterator[list[str]]:
        return ([body] for body in bodies)

    result = send_in_lanes(entries("x1", "a1", "b1", "x2"), call, singly, POOL)
    assert (sorted(result.retry), result.failure is not None) == ([0, 3], True)
    assert sorted(asked) == ["a1", "b1", "x1"]
    asked.clear()
    pool = CallPool(1, "calls")
    many = [Entry(str(place), (place,), "x") for place in range(50)]
    with pytest.raises(ClientError):
        send_in_lanes(many, call, singly, pool)
    pool.close()
    assert len(asked) == THROTTLED_MAX + 1


@pytest.mark.parametrize("cut", [by_two, lambda bodies: iter([list(bodies)])])
def test_what_makes_a_whole_call_refused_is_found_and_stops_nothing(cut: Cut) -> None:
    arrived: list[str] = []

    def call(bodies: Sequence[str]) -> list[Failure | None]:
        if "c1" in bodies:
            raise ClientError({"Error": {"Code": "ValidationException"}}, "Put")
        arrived.extend(bodies)
        return [None] * len(bodies)

    result = send_in_lanes(entries("a1", "b1", "c1", "d1", "e1", "c2"), call, cut, POOL)
    assert (dict(result.retry), list(result.refused)) == ({}, [2])
    assert sorted(arrived) == ["a1", "b1", "c2", "d1", "e1"]


def test_a_service_that_is_away_is_asked_but_once_at_a_time() -> None:
    asked: list[str] = []

    def call(bodies: Sequence[str]) -> list[Failure | None]:
        asked.extend(bodies)
        raise EndpointConnectionError(endpoint_url="http://127.0.0.1:9")

    pool = CallPool(1, "calls")
    with pytest.raises(EndpointConnectionError):
        send_in_lanes(entries(*"abcdef"), call, by_two, pool)
    pool.close()
    assert asked == ["a", "b"]


def test_a_call_that_hangs_does_not_keep_the_process_from_ending() -> None:
    program = """
import threading
from thingtank.sinks.engines.call_pool import CallPool
begun = threading.Event()
def hang(_):
    begun.set()
    threading.Event().wait()
threading.Thread(target=lambda: CallPool(2, "calls").map(hang, "ab"), daemon=True).start()
begun.wait(20)
"""
    subprocess.run([sys.executable, "-c", program], check=True, timeout=30)


def test_a_fault_of_ours_is_raised_as_it_is() -> None:
    def call(bodies: Sequence[str]) -> list[Failure | None]:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        send_in_lanes(entries("a1"), call, by_two, POOL)


class Flaky:
    """A service's client whose calls fail as `fates` says: whole, in part, or after they arrived."""

    def __init__(self, fates: Iterator[str]) -> None:
        self.fates = fates
        self.arrived: list[str] = []
        self.is_lossy = False  # whether an answer was lost, so that repeats are fair

    def takes(self, texts: Sequence[str]) -> list[bool]:
        """Which of a call's entries have arrived; raises as boto3 does."""
        fate = next(self.fates, "fine")
        if fate == "down":
            raise EndpointConnectionError(endpoint_url="http://127.0.0.1:9")
        if fate == "expired":
            raise ClientError({"Error": {"Code": "ExpiredTokenException"}}, "Put")
        taken = [fate != "part" or place % 2 == 1 for place in range(len(texts))]
        self.arrived += [text for text, is_in in zip(texts, taken, strict=True) if is_in]
        if fate == "lost":
            self.is_lossy = True
            raise ClientError({"Error": {"Code": "InternalFailure"}}, "Put")
        return taken

    def describe_stream_summary(self, **_: Any) -> dict[str, Any]:
        return {"StreamDescriptionSummary": {"StreamStatus": "ACTIVE"}}

    def put_records(self, StreamName: str, Records: list[dict[str, Any]]) -> dict[str, Any]:
        taken = self.takes([each["Data"].decode().replace("\n", " ").strip() for each in Records])
        results = [{} if each else {"ErrorCode": "InternalFailure"} for each in taken]
        return {"FailedRecordCount": taken.count(False), "Records": results}

    def get_queue_url(self, **_: Any) -> dict[str, Any]:
        return {"QueueUrl": "q"}

    def send_message_batch(self, QueueUrl: str, Entries: list[dict[str, Any]]) -> dict[str, Any]:
        taken = self.takes([each["MessageBody"] for each in Entries])
        failed = {"SenderFault": False, "Code": "InternalError"}
        return {
            "Successful": [{"Id": str(place)} for place, is_in in enumerate(taken) if is_in],
            "Failed": [{"Id": str(place), **failed} for place, is_in in enumerate(taken) if not is_in],
        }  # fmt: skip


class OneClient(AwsClients):
    def __init__(self, client: Any) -> None:
        super().__init__(AwsSettings())
        self.found = client

    def client(self, service: str, **_: Any) -> Any:
        return self.found


TARGETS: dict[str, dict[str, object]] = {
    "kinesis": {"engine": "kinesis", "stream": "s", "connections": 1},
    "kinesis-single": {"engine": "kinesis", "stream": "s", "joined": False, "connections": 1},
    "sqs-fifo": {"engine": "sqs", "queue": "q.fifo", "connections": 1},
    "sqs": {"engine": "sqs", "queue": "q", "connections": 1},
}


def items(texts: Sequence[str]) -> list[Item]:
    return [
        Item(f"o-1-{place}", "datapoint", 1, text[0], "d", place, text, payload=text.encode())
        for place, text in enumerate(texts)
    ]


@pytest.mark.parametrize("kind", TARGETS)
@settings(max_examples=60, deadline=None)
@given(
    devices=st.lists(st.sampled_from("abc"), min_size=1, max_size=25),
    fates=st.lists(st.sampled_from(["fine", "part", "down", "expired", "lost"]), max_size=12),
)
def test_all_arrives_in_order_whatever_fails_and_twice_only_when_an_answer_is_lost(
    kind: str,
    devices: list[str],
    fates: list[str],
) -> None:
    client = Flaky(iter(fates))
    engine = make_engine(TARGETS[kind], EngineParts(lambda: OneClient(client), Path()))
    texts = [f"{device}{place:02}" for place, device in enumerate(devices)]
    entries = [list(enumerate(items(texts))), []]
    window = Window(engine, 0.0)
    window.add(iter(entries).__next__, len(texts))
    engine.open()
    for _ in range(200):
        window.step()
        if window.is_empty:
            break
    engine.close()
    arrived = [text for each in client.arrived for text in each.split()]
    assert set(arrived) == set(texts)
    if not client.is_lossy:
        assert len(arrived) == len(texts)
    if kind == "sqs":
        return  # keeps no order
    first: dict[str, list[str]] = defaultdict(list)
    for text in dict.fromkeys(arrived):
        first[text[0]].append(text)
    assert all(found == sorted(found) for found in first.values())
