"""Bodies of answers, made up by hypothesis: what any format has to be able to hold."""

from typing import Any

from hypothesis import strategies as st

from thingtank.protocols.xively.documents import (
    DatapointBody,
    DatastreamBody,
    FeedBody,
    FeedsBody,
    LocationBody,
    UnitBody,
    UserBody,
    WaypointBody,
)
from thingtank.protocols.xively.times import format_time

# XML and CSV strip texts, and XML has no control characters and only one kind of line end.
PRINTABLE = st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\ufffe\uffff")
PLAIN_TEXTS = st.text(PRINTABLE | st.sampled_from("\n\t<>&\"'],;"), max_size=20).map(str.strip)
ANY_TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
IDS = st.text(st.sampled_from("abcXYZ019_-+.äЖ温"), min_size=1, max_size=8)
INSTANTS = st.integers(0, 4_000_000_000_000_000).map(format_time)
DEGREES = st.none() | st.floats(-90, 90)
NUMBER_TEXTS = st.just("") | st.floats(allow_nan=False, allow_infinity=False).map(repr)


def datapoints(texts: st.SearchStrategy[str]) -> st.SearchStrategy[list[DatapointBody]]:
    return st.lists(st.builds(DatapointBody, texts, INSTANTS), max_size=4)


def datastreams(
    texts: st.SearchStrategy[str] = PLAIN_TEXTS, *, with_history: bool = False
) -> st.SearchStrategy[DatastreamBody]:
    written = st.builds(
        DatastreamBody,
        IDS,
        texts,
        INSTANTS,
        NUMBER_TEXTS,
        NUMBER_TEXTS,
        st.lists(texts.filter(bool), max_size=3).map(tuple),
        st.none() | st.builds(UnitBody, texts, texts, texts),
        datapoints(texts) if with_history else st.just([]),
    )
    return written | st.builds(DatastreamBody, IDS)


def feeds(
    texts: st.SearchStrategy[str] = PLAIN_TEXTS, *, with_history: bool = False
) -> st.SearchStrategy[FeedBody]:
    location = st.builds(
        LocationBody,
        disposition=st.sampled_from(["", "fixed", "mobile"]),
        name=texts,
        exposure=st.sampled_from(["", "indoor", "outdoor"]),
        domain=st.sampled_from(["physical", "virtual"]),
        ele=NUMBER_TEXTS,
        lat=DEGREES,
        lon=DEGREES,
        waypoints=st.lists(
            st.builds(WaypointBody, INSTANTS, st.floats(-90, 90), st.floats(-90, 90)), max_size=2
        ),
    )
    members: dict[str, Any] = dict.fromkeys(
        ["title", "icon", "website", "description", "email", "product_id", "device_serial"], texts
    )
    return st.builds(
        FeedBody,
        id=st.integers(1, 10**9),
        private=st.sampled_from(["true", "false"]),
        tags=st.lists(texts.filter(bool), max_size=3).map(tuple),
        feed=st.just("https://tank.test/v2/feeds/7.json"),
        status=st.sampled_from(["live", "frozen"]),
        updated=INSTANTS,
        created=INSTANTS,
        creator=st.just("https://tank.test/users/alice"),
        user=st.none() | st.builds(UserBody, texts.filter(bool)),
        version=st.just("1.0.0"),
        datastreams=st.lists(
            datastreams(texts, with_history=with_history),
            max_size=4,
            unique_by=lambda datastream: datastream.id,
        ),
        location=location,
        **members,
    )


def pages(texts: st.SearchStrategy[str] = PLAIN_TEXTS) -> st.SearchStrategy[FeedsBody]:
    counts = st.integers(0, 10**6)
    return st.builds(FeedsBody, counts, counts, counts, st.lists(feeds(texts), max_size=2))
