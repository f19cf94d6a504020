"""An acknowledged PUBLISH is answered when what is kept of it is on disk; events do not wait.

Source: WAMP, Publish and Subscribe, PUBLISHED; Event Retention; Event History.
"""

from typing import Any

import pytest
from tests.conformance.wamp.realms import NAMES, World

from thingtank.protocols.wamp.answers import UNAVAILABLE, Refused
from thingtank.protocols.wamp.keeping import Keeping
from thingtank.protocols.wamp.retained import RetainedEvents


class Disk:
    """Keeps history and retained events; whether they are there, tests say."""

    def __init__(self) -> None:
        self.history: list[Keeping] = []
        self.retained: list[Keeping] = []

    def keep(self, publication: Any, subscription_ids: Any = None) -> Keeping:
        of_kind = self.retained if subscription_ids is None else self.history
        of_kind.append(Keeping())
        return of_kind[-1]

    def remove(self, event: Any) -> Keeping:
        return self.keep(event)

    def get_events(self, call: Any, subscription: Any, query: Any) -> None: ...


def kept_world() -> tuple[World, Disk]:
    disk = Disk()
    world = World(history=disk, retained=RetainedEvents(disk))
    world.realm.broker.stand("a")
    return world, disk


@pytest.mark.parametrize("name", NAMES)
def test_published_comes_when_it_is_on_disk(name: str) -> None:
    world, disk = kept_world()
    publisher, subscriber = world.join(name), world.join()
    subscriber.subscribe("a")
    request_id = publisher.ask(16, "a", [1], acknowledge=True)
    ((_, _, publication_id, *_),) = subscriber.take()
    assert publisher.take() == []
    disk.history[0].settle()
    assert publisher.take() == [[17, request_id, publication_id]]
    assert len(world.realm.broker.unanswered) == 0


@pytest.mark.parametrize("name", NAMES)
def test_disk_that_fails_is_an_error(name: str) -> None:
    world, disk = kept_world()
    publisher = world.join(name)
    request_id = publisher.ask(16, "a", [1], acknowledge=True)
    disk.history[0].settle(Refused(UNAVAILABLE, "the disk is full"))
    assert publisher.take() == [
        [8, 16, request_id, {}, "wamp.error.unavailable", ["the disk is full"]]
    ]


@pytest.mark.parametrize("refused", [None, Refused(UNAVAILABLE, "the disk is full")])
def test_all_are_told_though_one_of_them_has_a_bug(refused: Refused | None) -> None:
    keeping, told = Keeping(), []
    keeping.then(told.append)
    keeping.then(lambda refused: 1 / 0)  # type: ignore[arg-type, return-value] # it fails
    keeping.then(lambda refused: {}["b"])
    keeping.then(told.append)
    with pytest.raises(ExceptionGroup) as caught:
        keeping.settle(refused)
    assert list(map(type, caught.value.exceptions)) == [ZeroDivisionError, KeyError]
    assert told == [refused, refused]
    keeping.then(told.append)
    assert told == [refused] * 3


def test_unacknowledged_publish_is_never_answered() -> None:
    world, disk = kept_world()
    publisher = world.join()
    publisher.publish("a", [1], retain=True)
    publisher.publish("a", [1])
    for keeping in (*disk.history, *disk.retained):
        keeping.settle(Refused(UNAVAILABLE, "the disk is full"))
    assert publisher.take() == []


@pytest.mark.parametrize("first", ["history", "retained"])
def test_both_have_to_be_on_disk(first: str) -> None:
    world, disk = kept_world()
    publisher = world.join()
    request_id = publisher.ask(16, "a", [1], acknowledge=True, retain=True)
    keepings = [disk.history[0], disk.retained[0]]
    if first == "retained":
        keepings.reverse()
    keepings[0].settle()
    assert publisher.take() == []
    keepings[1].settle()
    assert publisher.take_one()[:2] == [17, request_id]


@pytest.mark.parametrize("failing", ["history", "retained"])
def test_one_that_fails_is_one_error(failing: str) -> None:
    world, disk = kept_world()
    publisher = world.join()
    publisher.ask(16, "a", [1], acknowledge=True, retain=True)
    for kind in ("history", "retained"):
        refused = Refused(UNAVAILABLE, "") if kind == failing else None
        getattr(disk, kind)[0].settle(refused)
    assert publisher.take_one()[4] == "wamp.error.unavailable"


def test_deleting_what_is_retained_is_acknowledged_when_it_is_gone() -> None:
    world, disk = kept_world()
    publisher = world.join()
    publisher.publish("b", [1], retain=True)
    request_id = publisher.ask(16, "b", acknowledge=True, retain=True)
    assert publisher.take() == []
    disk.retained[-1].settle()
    assert publisher.take_one()[:2] == [17, request_id]
    publisher.ask(16, "b", acknowledge=True, retain=True)  # there is nothing to delete
    assert publisher.take_one()[0] == 17


def test_topic_that_is_not_kept_waits_for_nothing() -> None:
    world, disk = kept_world()
    publisher = world.join()
    publisher.ask(16, "a", [1], acknowledge=True)
    second_id = publisher.ask(16, "b", [1], acknowledge=True)
    third_id = publisher.ask(16, "a", [1], acknowledge=True, exclude=[99])
    assert [answer[1] for answer in publisher.take()] == [second_id, third_id]
    assert len(disk.history) == 1


def test_many_that_share_a_disk_write_are_answered_together() -> None:
    world, disk = kept_world()
    shared = Keeping()
    disk.keep = lambda *about: shared  # type: ignore[method-assign] # a double in its place
    world = World(history=disk)
    world.realm.broker.stand("a")
    publishers = [world.join(name) for name in NAMES]
    asked = [[each.ask(16, "a", [1], acknowledge=True) for _ in range(3)] for each in publishers]
    shared.settle()
    assert [[answer[1] for answer in each.take()] for each in publishers] == asked


@pytest.mark.parametrize("ending", ["lost", "goodbye", "killed", "another session"])
def test_session_that_is_over_is_not_answered(ending: str) -> None:
    world, disk = kept_world()
    publisher = world.join()
    for _ in range(2):
        publisher.ask(16, "a", [1], acknowledge=True)
    if ending == "lost":
        publisher.session.lose()
    elif ending == "killed":
        publisher.session.close()
    else:
        publisher.send(6, {}, "wamp.close.close_realm")
        if ending == "another session":
            publisher.hello()
            publisher.ask(16, "b", [1], acknowledge=True)
    publisher.take()
    for keeping in disk.history:
        keeping.settle()
    assert publisher.take() == []
    assert len(world.realm.broker.unanswered) == 0
