"""What two sessions do with each other, written once for all clients."""

from typing import Any

import pytest
from tests.interop.wamp.clients import ClientSession, Failed, Way

FAILURE_URI = "com.example.error.failed"
ARGS: list[Any] = [1, "zwei, 二", [True, None, -7], {"deep": {"er": 2**40}}]
KWARGS = {"k": 1.5, "list": ["a"]}


class Party:
    """A session and by which way it is there."""

    def __init__(self, way: Way, session: ClientSession) -> None:
        self.way, self.session = way, session

    def can(self, *words: str) -> bool:
        return self.way.can.issuperset(words)


def publication(publisher: Party, subscriber: Party, topic: str) -> None:
    subscriber.session.subscribe(topic)
    publisher.session.publish(topic, *ARGS, **KWARGS)
    publisher.session.publish(topic, "last")
    first, last = subscriber.session.events(topic, 2)
    assert (first["args"], first["kwargs"]) == (ARGS, KWARGS)
    assert last["args"] == ["last"]


def patterns(publisher: Party, subscriber: Party, base: str) -> None:
    prefix, wildcard = f"{base}.room", f"{base}..temp"
    subscriber.session.subscribe(prefix, "prefix")
    subscriber.session.subscribe(wildcard, "wildcard")
    for topic in (f"{base}.room1.temp", f"{base}.roof.temp", f"{base}.room2.hum"):
        publisher.session.publish(topic, topic)
    by_prefix = subscriber.session.events(prefix, 2)
    by_wildcard = subscriber.session.events(wildcard, 2)
    assert [event["topic"] for event in by_prefix] == [f"{base}.room1.temp", f"{base}.room2.hum"]
    assert [event["topic"] for event in by_wildcard] == [f"{base}.room1.temp", f"{base}.roof.temp"]
    assert [event["args"] for event in by_wildcard] == [
        [f"{base}.room1.temp"],
        [f"{base}.roof.temp"],
    ]


def call(caller: Party, callee: Party, procedure: str) -> None:
    callee.session.register(procedure, "echo")
    if caller.can("kwargs") and callee.can("kwargs"):
        result = caller.session.call(procedure, *ARGS, **KWARGS)
        assert (result["args"], result["kwargs"]) == (ARGS, KWARGS)
    assert caller.session.call(procedure, ARGS)["args"] == [ARGS]


def failure(caller: Party, callee: Party, procedure: str) -> None:
    callee.session.register(procedure, "fail")
    kwargs = {"why": ["x"]} if callee.can("fail_kwargs") else {}
    with pytest.raises(Failed) as failed:
        caller.session.call(procedure, 7, "seven", **kwargs)
    if caller.can("error_uri") and callee.can("error_uri"):
        assert failed.value.uri == FAILURE_URI
    if caller.can("error_kwargs"):
        assert failed.value.values[-2:] == [7, "seven"]
        assert failed.value.kwargs == kwargs
    with pytest.raises(Failed) as failed:
        caller.session.call(f"{procedure}.none")
    assert failed.value.uri == "wamp.error.no_such_procedure" or not caller.can("error_uri")


def progress(caller: Party, callee: Party, procedure: str) -> None:
    callee.session.register(procedure, "count")
    result = caller.session.call(procedure, 5, progress=True)
    wanted = [[0], [1], [2], [3], [4]] if callee.can("yield_progress") else []
    assert result["progress"] == wanted
    assert result["args"] == [5]
    assert caller.session.call(procedure, 5) == {"args": [5], "kwargs": {}, "progress": []}


def cancel(caller: Party, callee: Party, procedure: str, mode: str | None) -> None:
    callee.session.register(procedure, "wait")
    with pytest.raises(Failed) as failed:
        caller.session.cancel(procedure, mode)
    if mode != "kill" or not callee.can("interrupt"):  # else the callee says how it ends
        assert failed.value.uri == "wamp.error.canceled"
    with pytest.raises(Failed):  # the session is well
        caller.session.call(f"{procedure}.none")
    if callee.can("interrupt") and mode != "skip":
        assert callee.session.events("interrupted") == [True]
