"""The file of WAMP events forgets by its rules, a little at a time, and refuses cleanly."""

import sqlite3
import stat
from pathlib import Path

import pytest
from tests.unit.stores.full_disk import DiskTooFullToDelete

from thingtank.protocols.wamp.answers import Refused
from thingtank.protocols.wamp.history import HistoryRule
from thingtank.protocols.wamp.history_query import EventsQuery
from thingtank.protocols.wamp.options import EventDetails, Forwarder
from thingtank.protocols.wamp.payloads import NO_PAYLOAD, opaque_payload, payload_of
from thingtank.protocols.wamp.publications import Publication
from thingtank.protocols.wamp.receivers import Receivers
from thingtank.protocols.wamp.serializers import CBOR, JSON, MSGPACK
from thingtank.stores.sqlite_files import FileMismatch
from thingtank.stores.wamp_event_file import FILE_NAME, TRIM_EVENTS, WampEventFile
from thingtank.stores.wamp_event_reader import WampEventReader
from thingtank.stores.wamp_event_rows import disk_bytes, publication_of, row_of
from thingtank.tank.errors import StorageFailed

SECOND_US = 1_000_000
RULE = HistoryRule("a")


def event(publication_id: int, at_us: int = 0, topic: str = "a") -> Publication:
    payload = payload_of(JSON, [publication_id])
    return Publication(publication_id, at_us, topic, None, True, EventDetails(), payload)


def append(file: WampEventFile, stream_id: int, *events: Publication) -> None:
    file.commit([(stream_id, row_of(each)) for each in events])


def kept(file: WampEventFile, stream_id: int) -> list[int]:
    """Ids, oldest first; without the limit of one answer."""
    reader = WampEventReader(file.path)
    query = EventsQuery(limit=10**6)
    with reader.events(stream_id, query, 0, lambda each: True, lambda: False) as events:
        found = [each.publication_id for each in events]
    reader.close()
    return found


@pytest.mark.parametrize(
    "publication",
    [
        event(2**53, 2**61),
        Publication(
            1,
            -1,
            "é",
            None,
            True,
            EventDetails(publisher=5, trustlevel=0, forward_for=[Forwarder(1, None, "r")]),
            payload_of(CBOR, [b"\0", 2**70], {"k": None}),
            Receivers(eligible_authid=frozenset(), exclude=frozenset({1})),
        ),
        Publication(1, 0, "a", None, True, EventDetails(), NO_PAYLOAD),
        Publication(1, 0, "a", None, True, EventDetails(), opaque_payload(MSGPACK, b"\xff")),
    ],
)
def test_publication_comes_back_as_it_was(tmp_path: Path, publication: Publication) -> None:
    file = WampEventFile.open(tmp_path)
    file.commit([], [(("realm1", 1), row_of(publication))])
    file.close()
    (found,) = WampEventFile.open(tmp_path).retained("realm1")
    assert found == publication == publication_of(row_of(publication))


def test_file_is_for_its_owner_alone(tmp_path: Path) -> None:
    WampEventFile.open(tmp_path)
    assert stat.S_IMODE((tmp_path / FILE_NAME).stat().st_mode) == 0o600


def test_another_file_is_not_taken_for_ours(tmp_path: Path) -> None:
    connection = sqlite3.connect(tmp_path / FILE_NAME)
    connection.execute("CREATE TABLE other (one)")
    connection.close()
    with pytest.raises(FileMismatch, match="is not a file of WAMP events"):
        WampEventFile.open(tmp_path)


@pytest.mark.parametrize("count", [1, 15, 16, 17, 255, 256, 257, 600])
def test_any_number_is_written_in_order(tmp_path: Path, count: int) -> None:
    file = WampEventFile.open(tmp_path)
    stream_id = file.stream_id("realm1", RULE)
    append(file, stream_id, *map(event, range(count, 0, -1)))
    append(file, stream_id, event(count + 1))
    assert kept(file, stream_id) == [*range(count, 0, -1), count + 1]


def test_oldest_beyond_the_bound_are_forgotten_a_little_at_a_time(tmp_path: Path) -> None:
    file = WampEventFile.open(tmp_path)
    stream_id = file.stream_id("realm1", HistoryRule("a", events_max=10))
    other_id = file.stream_id("realm1", HistoryRule("b", events_max=10))
    append(file, other_id, event(1))
    count = 2 * TRIM_EVENTS + 100
    for first in range(0, count, 500):
        append(file, stream_id, *map(event, range(first, min(first + 500, count))))
    steps = 1
    while not file.trim(0):
        assert len(kept(file, stream_id)) == count - steps * TRIM_EVENTS
        steps += 1
    assert steps == 3
    assert kept(file, stream_id) == list(range(count - 10, count))
    assert kept(file, other_id) == [1]
    file.close()
    file = WampEventFile.open(tmp_path)
    append(file, stream_id, event(99_999))
    file.trim(0)
    assert len(kept(file, stream_id)) == 10, "it is counted anew at a start"


def test_oldest_beyond_the_bytes_are_forgotten(tmp_path: Path) -> None:
    file = WampEventFile.open(tmp_path)
    each_bytes = disk_bytes(row_of(event(10)))
    stream_id = file.stream_id("realm1", HistoryRule("a", bytes_max=3 * each_bytes))
    append(file, stream_id, *map(event, range(10, 20)))
    assert file.trim(0)
    assert kept(file, stream_id) == [17, 18, 19]
    file.close()
    file = WampEventFile.open(tmp_path)
    append(file, stream_id, event(20))
    file.trim(0)
    assert kept(file, stream_id) == [18, 19, 20], "it is counted anew at a start"
    file.stream_id("realm1", HistoryRule("a", bytes_max=3 * each_bytes - 1))
    file.trim(0)
    assert kept(file, stream_id) == [19, 20]


def test_old_events_are_forgotten(tmp_path: Path) -> None:
    file = WampEventFile.open(tmp_path)
    stream_id = file.stream_id("realm1", HistoryRule("a", keep_s=10))
    append(file, stream_id, *(event(each, each * SECOND_US) for each in range(20)))
    assert file.trim(15 * SECOND_US)
    assert kept(file, stream_id) == list(range(5, 20))
    file.trim(16 * SECOND_US)
    assert kept(file, stream_id) == list(range(6, 20))
    file.trim(99 * SECOND_US)
    assert kept(file, stream_id) == []


def test_clock_that_was_wrong_once_keeps_nothing_for_ever(tmp_path: Path) -> None:
    file = WampEventFile.open(tmp_path)
    stream_id = file.stream_id("realm1", HistoryRule("a", keep_s=10))
    append(file, stream_id, event(1, 10**9 * SECOND_US), event(2, 1 * SECOND_US))
    file.close()
    file = WampEventFile.open(tmp_path)
    file.trim(12 * SECOND_US)
    assert kept(file, stream_id) == [1]


def test_stream_without_a_rule_forgets_by_its_last(tmp_path: Path) -> None:
    file = WampEventFile.open(tmp_path)
    stream_id = file.stream_id("realm1", HistoryRule("a", keep_s=10))
    append(file, stream_id, event(1, 0), event(2, 5 * SECOND_US))
    file.close()
    file = WampEventFile.open(tmp_path)
    file.trim(12 * SECOND_US)
    assert kept(file, stream_id) == [2]
    assert file.stream_id("realm1", HistoryRule("a", keep_s=2)) == stream_id
    file.trim(12 * SECOND_US)
    assert kept(file, stream_id) == []


def test_stream_is_known_by_realm_uri_and_match(tmp_path: Path) -> None:
    file = WampEventFile.open(tmp_path)
    known = {
        file.stream_id(realm, rule)
        for realm in ("realm1", "realm2")
        for rule in (HistoryRule("a"), HistoryRule("a", "prefix"), HistoryRule("b"))
    }
    assert len(known) == 6
    file.close()
    file = WampEventFile.open(tmp_path)
    assert file.stream_id("realm1", HistoryRule("a", events_max=1)) in known


def test_retained_changes_are_one_transaction(tmp_path: Path) -> None:
    file = WampEventFile.open(tmp_path)
    keys = [("realm1", each) for each in (1, 2, 3)]
    file.commit([], [(key, row_of(event(key[1]))) for key in keys])
    file.commit([], [(("realm2", 1), row_of(event(1)))])
    file.commit(
        [], [(keys[0], None), (keys[2], None), (("realm1", 4), row_of(event(4))), (keys[0], None)]
    )
    assert [each.publication_id for each in file.retained("realm1")] == [2, 4]
    assert [each.publication_id for each in file.retained("realm2")] == [1]


def test_write_that_failed_leaves_nothing_and_the_next_goes_on(tmp_path: Path) -> None:
    file = WampEventFile.open(tmp_path)
    stream_id = file.stream_id("realm1", RULE)
    append(file, stream_id, event(1))
    good = row_of(event(2))
    broken = (object(), *good[1:])
    with pytest.raises(StorageFailed):
        file.commit([(stream_id, good), (stream_id, broken)])  # type: ignore[list-item] # wrong on purpose
    append(file, stream_id, event(3))
    assert kept(file, stream_id) == [1, 3]


def test_what_was_refused_is_gone_though_the_log_has_it(tmp_path: Path) -> None:
    file = WampEventFile.open(tmp_path)
    stream_id = file.stream_id("realm1", RULE)
    append(file, stream_id, event(1))
    before = file._event_last, file._retained_last
    file.commit([(stream_id, row_of(event(2)))], [(("realm1", 2), row_of(event(2)))])
    # As if the sync of that commit had failed.
    file._event_last, file._retained_last = before
    file._recover(sqlite3.OperationalError("disk I/O error"))
    append(file, stream_id, event(3))
    assert kept(file, stream_id) == [1, 3]
    assert file.retained("realm1") == []


def test_what_was_refused_goes_though_the_disk_was_too_full_for_that_at_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = WampEventFile.open(tmp_path)
    stream_id = file.stream_id("realm1", RULE)
    before = file._event_last, file._retained_last
    file.commit([(stream_id, row_of(event(1)))], [(("realm1", 1), row_of(event(1)))])
    file._event_last, file._retained_last = before
    file._recover(sqlite3.OperationalError("disk I/O error"))
    with DiskTooFullToDelete(monkeypatch), pytest.raises(StorageFailed):
        append(file, stream_id, event(2))
    append(file, stream_id, event(3))
    assert kept(file, stream_id) == [3]
    assert file.retained("realm1") == []


def test_question_that_nobody_waits_for_is_broken_off(tmp_path: Path) -> None:
    file = WampEventFile.open(tmp_path)
    stream_id = file.stream_id("realm1", RULE)
    for _ in range(4):
        append(file, stream_id, *(event(each) for each in range(10_000)))
    reader = WampEventReader(file.path)
    query = EventsQuery(topic="none")
    with (
        pytest.raises(Refused, match="longer than 10 s"),
        reader.events(stream_id, query, 0, lambda each: True, lambda: True) as events,
    ):
        list(events)
    with reader.events(stream_id, query, 0, lambda each: True, lambda: False) as events:
        assert list(events) == []
    reader.close()
