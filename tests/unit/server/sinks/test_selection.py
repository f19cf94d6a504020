"""What a rule wants stays known until what was written before is settled, and no longer."""

import pytest
from msgspec.structs import replace

from thingtank.server.sinks.selection import Selection, Stream
from thingtank.sinks.rules.settings import SinkRule
from thingtank.stores.memory_directory import MemoryDirectory
from thingtank.tank.things import Datastream, Device

DEVICES = {
    each: Device(each, f"uuid-{each}", 1, "Device", created_us=0, updated_us=0) for each in (1, 2)
}


class Streams(MemoryDirectory):
    """Device n has the datastreams 10n and 10n + 1, but for those that are gone."""

    def __init__(self) -> None:
        super().__init__()
        self.gone: set[int] = set()

    def datastreams(self, device_id: int) -> dict[str, Datastream]:
        ids = (10 * device_id, 10 * device_id + 1)
        return {
            str(each): Datastream(each, device_id, str(each))
            for each in ids
            if each not in self.gone
        }


@pytest.fixture
def directory() -> Streams:
    return Streams()


@pytest.fixture
def selection(directory: Streams) -> Selection:
    found = Selection(SinkRule("r", {"engine": "folder", "folder": "x"}), directory)
    for device in DEVICES.values():
        found.put(device)
    return found


def test_streams_of_a_device_that_is_gone_stay_until_all_is_settled(selection: Selection) -> None:
    selection.drop(1)
    assert set(selection.streams) == {10, 11, 20, 21}
    selection.drop_gone()
    assert set(selection.streams) == {20, 21}


def test_a_device_that_is_wanted_again_meanwhile_keeps_its_streams(selection: Selection) -> None:
    selection.drop(1)
    selection.put(DEVICES[1])
    selection.drop_gone()
    assert set(selection.streams) == {10, 11, 20, 21}


def test_a_stream_that_is_gone_goes_alone(selection: Selection, directory: Streams) -> None:
    directory.gone.add(11)
    selection.put(DEVICES[1])
    selection.drop_gone()
    assert set(selection.streams) == {10, 20, 21}


def test_what_goes_is_not_looked_for_among_all_devices(
    selection: Selection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The work is that of what went: with many devices, one deletion must not look at them all."""

    class Unlisted(dict[int, frozenset[int]]):
        def values(self) -> None:  # type: ignore[override] # never returns
            raise AssertionError("all devices are looked at")

    monkeypatch.setattr(selection, "_of_device", Unlisted(selection._of_device))
    selection.drop(1)
    selection.drop_gone()
    assert set(selection.streams) == {20, 21}


def test_whose_a_stream_is_is_said_once_and_again_when_it_changes(
    selection: Selection, directory: Streams
) -> None:
    (first, second) = (Stream(1, "uuid-1", "10"), Stream(1, "uuid-1", "11"))
    assert sorted(selection.news_of({10, 11, 99})) == [(10, first), (11, second), (99, None)]
    assert selection.news_of({10, 11, 99}) == []
    selection.put(DEVICES[1])  # nothing is new
    assert selection.news_of({10, 11}) == []
    selection.put(replace(DEVICES[1], uuid="other"))
    assert selection.news_of({10}) == [(10, first._replace(uuid="other"))]
    selection.drop(1)
    assert selection.news_of({10}) == []  # what it wrote before is on its way
    selection.drop_gone()
    assert selection.news_of({10, 11}) == [(10, None), (11, None)]
    selection.put(DEVICES[1])
    assert sorted(selection.news_of({10, 11})) == [(10, first), (11, second)]


def test_what_is_gone_is_known_after_a_restart_too(
    selection: Selection, directory: Streams
) -> None:
    assert (selection.gone(), selection.has_other_gone) == ([], False)
    selection.drop(1)
    directory.gone.add(21)
    selection.put(DEVICES[2])
    gone = selection.gone()
    assert selection.has_other_gone
    assert sorted(gone) == [
        (10, 1, "uuid-1", "10"),
        (11, 1, "uuid-1", "11"),
        (21, 2, "uuid-2", "21"),
    ]
    words = {"engine": "folder", "folder": "x"}
    again = Selection(SinkRule("r", words), MemoryDirectory())
    again.load(gone)
    assert again.streams[21] == Stream(2, "uuid-2", "21")
    assert (sorted(again.gone()), again.has_other_gone) == (sorted(gone), False)
    again.drop_gone()
    assert (again.streams, again.gone(), again.has_other_gone) == ({}, [], True)
    # A rule that wants less now has no values of the rest.
    other = Selection(SinkRule("r", words, feeds=(1,), datastreams=("*0",)), MemoryDirectory())
    other.load(gone)
    assert set(other.streams) == {10}


def test_one_that_is_wanted_again_is_not_gone(selection: Selection) -> None:
    selection.drop(1)
    selection.put(DEVICES[1])
    assert selection.gone() == []
