"""Which devices are there: by connections, or by what they say of themselves."""

import pytest

from thingtank.tank.messaging import presence as presence_module
from thingtank.tank.messaging.presence import Connection, Presence
from thingtank.tank.things import Device


def device(number: int = 1) -> Device:
    return Device(number, f"device-{number}", 1, "")


class Watch:
    """A presence, what it told, and its clock."""

    def __init__(self) -> None:
        self.told: list[tuple[int, bool, Connection | None]] = []
        self.now_us = 0
        self.presence = Presence(self._now_us, self._changed)

    def _now_us(self) -> int:
        self.now_us += 1
        return self.now_us

    def _changed(self, device: Device, is_online: bool, connection: Connection | None) -> None:
        self.told.append((device.device_id, is_online, connection))


def test_a_device_is_there_from_its_first_connection_to_its_last() -> None:
    watch, one, two = Watch(), Connection("websocket", "one"), Connection("mqtt")
    presence = watch.presence
    assert not presence.is_online(1)
    assert presence.visit(1) is None
    presence.connect(device(), one)
    presence.connect(device(), two)
    presence.disconnect(device(), one)
    assert presence.is_online(1)
    presence.disconnect(device(), one)  # again
    presence.disconnect(device(), Connection("websocket", "one"))  # one that looks like it
    assert presence.is_online(1)
    presence.disconnect(device(), two)
    assert not presence.is_online(1)
    assert watch.told == [(1, True, one), (1, False, two)]


def test_an_old_connection_that_ends_does_not_undo_a_new_one() -> None:
    watch, old, new = Watch(), Connection("websocket"), Connection("websocket")
    for connection in (old, new):
        watch.presence.connect(device(), connection)
    watch.presence.disconnect(device(), old)
    assert watch.presence.is_online(1)
    visit = watch.presence.visit(1)
    assert visit is not None
    assert visit.connections == (new,)


def test_when_it_came_and_went() -> None:
    watch, connection = Watch(), Connection("mqtt")
    watch.presence.connect(device(), connection)
    visit = watch.presence.visit(1)
    assert visit is not None
    assert (visit.online_since_us, visit.last_online_us) == (1, None)
    watch.presence.disconnect(device(), connection)
    assert (visit.online_since_us, visit.last_online_us) == (1, 2)
    watch.presence.connect(device(), connection)
    again = watch.presence.visit(1)
    assert again is visit  # it remembers
    assert (visit.online_since_us, visit.last_online_us) == (3, 2)


@pytest.mark.parametrize("is_connected", [False, True])
def test_what_a_device_says_of_itself_counts_until_it_comes_or_goes(is_connected: bool) -> None:
    watch, connection = Watch(), Connection("mqtt")
    presence = watch.presence
    if is_connected:
        presence.connect(device(), connection)
    watch.told.clear()
    for says, changes in ((True, not is_connected), (True, False), (False, True), (False, False)):
        presence.claim(device(), is_online=says)
        assert presence.is_online(1) is says
        assert watch.told == ([(1, says, None)] if changes else [])
        watch.told.clear()
    other = Connection("mqtt")
    presence.connect(device(), other)  # whoever comes is there
    assert watch.told == [(1, True, other)]
    presence.claim(device(), is_online=False)
    watch.told.clear()
    for each in (other, connection):
        presence.disconnect(device(), each)
    assert watch.told == []  # it was away already
    assert not presence.is_online(1)


def test_who_said_that_it_is_there_and_never_came_is_there_until_it_went() -> None:
    watch, connection = Watch(), Connection("mqtt")
    watch.presence.claim(device(), is_online=True)
    watch.presence.connect(device(), connection)
    watch.presence.disconnect(device(), connection)
    assert watch.told == [(1, True, None), (1, False, connection)]


def test_a_device_that_is_gone_leaves_nothing_behind_and_its_connections_may_end() -> None:
    watch, connection = Watch(), Connection("mqtt")
    watch.presence.connect(device(), connection)
    watch.presence.forget(1)
    watch.presence.forget(1)
    watch.presence.disconnect(device(), connection)
    assert watch.presence.visit(1) is None
    assert watch.told == [(1, True, connection)]


def test_who_went_first_is_forgotten_first_and_who_is_there_never(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(presence_module, "KEPT_MAX", 3)
    watch = Watch()
    connections = {number: Connection("mqtt") for number in range(1, 7)}
    for number in (1, 2, 3):
        watch.presence.connect(device(number), connections[number])
    for number in (2, 1):
        watch.presence.disconnect(device(number), connections[number])
    for number in (4, 5, 6):
        watch.presence.connect(device(number), connections[number])
    known = [number for number in connections if watch.presence.visit(number)]
    assert known == [3, 4, 5, 6]
    for number in (7, 8, 9):  # what is only said counts, too
        watch.presence.claim(device(number), is_online=False)
    assert sum(watch.presence.visit(number) is not None for number in range(1, 10)) <= 5


def test_who_came_last_is_the_first_of_those_that_are_there() -> None:
    watch = Watch()
    for number in (1, 2, 3):
        watch.presence.connect(device(number), Connection("mqtt"))
    watch.presence.claim(device(2), is_online=False)
    assert list(watch.presence.newest_online(10)) == [3, 1]
    assert list(watch.presence.newest_online(2)) == [3]  # of the two that moved last
