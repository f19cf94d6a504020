"""Any bytes as a body, in each format: a document, or MalformedBody or Unprocessable, and soon."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from thingtank.protocols.xively.errors import MalformedBody, Unprocessable
from thingtank.protocols.xively.formats import FEED_CODECS, KEY_CODECS, TRIGGER_CODECS

READERS: dict[str, Callable[[bytes], Any]] = {
    f"{verb} v{version} {name}": getattr(codec, verb)
    for (version, name), codec in FEED_CODECS.items()
    for verb in (
        "parse_feed",
        "parse_datastreams",
        "parse_datastream",
        "parse_datapoints",
        "parse_datapoint",
    )
}
READERS |= {f"trigger {name}": codec.parse for name, codec in TRIGGER_CODECS.items()}
READERS |= {f"key {name}": codec.parse for name, codec in KEY_CODECS.items()}

NAMES = st.sampled_from(
    [
        "eeml",
        "environment",
        "data",
        "current_value",
        "value",
        "datapoints",
        "unit",
        "tag",
        "location",
        "lat",
        "title",
        "max_value",
        "datastream-trigger",
        "environment-id",
        "threshold-value",
        "key",
        "label",
        "expires-at",
        "permissions",
        "permission",
        "access-methods",
        "access-method",
        "resources",
        "resource",
        "feed-id",
    ]
)
ATTRIBUTES = st.dictionaries(
    st.sampled_from(["id", "at", "version", "maxValue", "type", "updated", "xmlns"]),
    st.sampled_from(["", "7", "5", "x", "2013-05-05T07:37:54Z", "http://www.eeml.org/xsd/005"]),
    max_size=2,
)
TEXTS = st.sampled_from(
    ["", "7", " 1.5 ", "&amp;", "&x;", "<![CDATA[x]]>", "<!-- x -->", "é", "\x00"]
)


@st.composite
def elements(draw: st.DrawFn, inner: st.SearchStrategy[str]) -> str:
    name, attributes = draw(NAMES), draw(ATTRIBUTES)
    opened = name + "".join(f' {key}="{value}"' for key, value in attributes.items())
    return f"<{opened}>{''.join(draw(st.lists(inner, max_size=3)))}</{name}>"


XML = st.recursive(TEXTS, lambda inner: elements(inner), max_leaves=12)
EEML = XML.map(lambda inner: f"<eeml><environment>{inner}</environment></eeml>")
CSV = st.lists(
    st.lists(
        st.sampled_from(["", "a", "1", '"x', '"y"', " 2 ", "2013-05-05T07:37:54Z", "\r"]),
        max_size=4,
    ).map(",".join)
).map("\n".join)
BODIES = st.binary(max_size=300) | (XML | EEML | CSV).map(str.encode)


@pytest.mark.parametrize("read", READERS.values(), ids=READERS)
@given(body=BODIES)
def test_any_body_is_read_or_refused(read: Callable[[bytes], Any], body: bytes) -> None:
    try:
        read(body)
    except (MalformedBody, Unprocessable) as refusal:
        assert refusal.body.errors  # noqa: PT017 - the refusal may or may not come
        assert refusal.status in (400, 422)  # noqa: PT017 - the refusal may or may not come
