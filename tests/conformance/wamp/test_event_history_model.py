"""Filters against a model that looks at each event by itself: whatever the clock has shown.

Source: WAMP, Event History.
"""

from collections.abc import Iterator
from itertools import count
from types import SimpleNamespace
from typing import Any, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from thingtank.protocols.wamp.answers import Refused
from thingtank.protocols.wamp.history import HistoryRule
from thingtank.protocols.wamp.history_query import events_query, time_text
from thingtank.protocols.wamp.options import EventDetails
from thingtank.protocols.wamp.payloads import payload_of
from thingtank.protocols.wamp.publications import Publication
from thingtank.protocols.wamp.receivers import Receivers
from thingtank.protocols.wamp.serializers import JSON
from thingtank.stores.wamp_event_file import WampEventFile
from thingtank.stores.wamp_event_reader import WampEventReader
from thingtank.stores.wamp_event_rows import row_of

RECEIVERS = (
    None,
    Receivers(eligible_authid=frozenset({"ann"})),
    Receivers(exclude_authid=frozenset({"ann"})),
)
TIMES = st.integers(0, 12)
TOPICS = st.sampled_from(["a.b", "a.c", "a.d"])
EVENTS = st.lists(st.tuples(TIMES, TOPICS, st.sampled_from(RECEIVERS)), max_size=15)
PLACES = st.integers(0, 15)  # of an event; beyond the last, one that is not kept
FILTERS = st.fixed_dictionaries(
    {},
    optional={
        "reverse": st.booleans(),
        "limit": st.integers(1, 5),
        "topic": TOPICS,
        **{f"{each}_time": TIMES for each in ("from", "after", "before", "until")},
        **{f"{each}_publication": PLACES for each in ("from", "after", "before", "until")},
    },
)


class Files(NamedTuple):
    file: WampEventFile
    reader: WampEventReader
    realms: Iterator[int]


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Files]:
    file = WampEventFile.open(tmp_path_factory.mktemp("events"))
    reader = WampEventReader(file.path)
    yield Files(file, reader, count())
    reader.close()
    file.close()


def expected(events: list[Publication], filters: dict[str, Any]) -> list[int] | None:
    """Ids, or None where a publication that is named is not kept."""
    places = {name: value for name, value in filters.items() if name.endswith("_publication")}
    if any(place >= len(events) for place in places.values()):
        return None
    found = []
    for place, event in enumerate(events):
        is_meant = (
            place >= places.get("from_publication", 0)
            and place > places.get("after_publication", -1)
            and place < places.get("before_publication", 99)
            and place <= places.get("until_publication", 99)
            and event.at_us >= filters.get("from_time", 0)
            and event.at_us > filters.get("after_time", -1)
            and event.at_us < filters.get("before_time", 99)
            and event.at_us <= filters.get("until_time", 99)
            and event.topic == filters.get("topic", event.topic)
            and (event.receivers is None or event.receivers.admits(1, "ann", "device"))
        )
        if is_meant:
            found.append(event.publication_id)
    if filters.get("reverse"):
        found.reverse()
    return found[: filters.get("limit")]


@settings(max_examples=120, deadline=None)
@given(events=EVENTS, filters=FILTERS, split=st.integers(0, 15))
def test_all_filters_together(
    files: Files, events: list[Any], filters: dict[str, Any], split: int
) -> None:
    realm = f"realm{next(files.realms)}"
    stream_id = files.file.stream_id(realm, HistoryRule("a.", "prefix"))
    other_id = files.file.stream_id(realm, HistoryRule("a", "prefix"))
    published = [
        Publication(
            (place + 1) * 7919 % 101 + 1,  # in no order
            at_us,
            topic,
            None,
            True,
            EventDetails(),
            payload_of(JSON, [place]),
            receivers,
        )
        for place, (at_us, topic, receivers) in enumerate(events)
    ]
    rows = [(each, row_of(event)) for event in published for each in (stream_id, other_id)]
    for part in (rows[:split], rows[split:]):
        files.file.commit(part)
    named = {
        name: (value + 1) * 7919 % 101 + 1
        if name.endswith("_publication")
        else time_text(value)
        if name.endswith("_time")
        else value
        for name, value in filters.items()
    }
    call: Any = SimpleNamespace(payload=payload_of(JSON, [1], named))

    def admits(event: Publication) -> bool:
        return event.receivers is None or event.receivers.admits(1, "ann", "device")

    found: list[Publication] | None
    try:
        query = events_query(call)
        with files.reader.events(stream_id, query, 0, admits, lambda: False) as events_found:
            found = list(events_found)
    except Refused:
        found = None
    ids = None if found is None else [each.publication_id for each in found]
    assert ids == expected(published, filters)
    if found is not None:
        by_id = {event.publication_id: event for event in published}
        assert found == [by_id[each.publication_id] for each in found]
