"""The parameters of a graph: what they mean, their bounds, and which cannot be read."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from thingtank.protocols.xively.errors import MalformedQuery
from thingtank.protocols.xively.graph_options import GraphOptions, parse_graph_options
from thingtank.protocols.xively.query import parse_parameters

DEFAULT = GraphOptions()


def parsed(query: str) -> GraphOptions:
    return parse_graph_options(parse_parameters(query.encode()))


OPTIONS: list[tuple[str, dict[str, Any]]] = [
    ("", {}),
    ("w=&h=&c=&t=&l=&s=&b=&g=&scale=&min=&max=&timezone=", {}),
    ("other=1&duration=6hours", {}),
    ("w=300&h=200", {"width_px": 300, "height_px": 200}),
    ("w=10&h=2000", {"width_px": 10, "height_px": 2000}),
    ("c=FF8800", {"colour": "ff8800"}),
    ("c=%23ff8800", {"colour": "ff8800"}),
    ("c=f80", {"colour": "ff8800"}),
    ("t=Roof+temperature", {"title": "Roof temperature"}),
    ("t=a%0Ab%00c", {"title": "a b c"}),
    ("l=%C2%B0C", {"legend": "°C"}),
    ("s=4", {"stroke_px": 4.0}),
    ("s=0.5", {"stroke_px": 0.5}),
    ("b=false&g=False", {"with_labels": False, "with_grid": False}),
    ("b=true&g=1", {}),
    ("scale=auto", {}),
    ("scale=datastream", {"scale": "datastream"}),
    ("scale=datastream&min=1&max=2", {"scale": "datastream"}),
    ("scale=manual&min=-5&max=1e3", {"scale": "manual", "minimum": -5.0, "maximum": 1000.0}),
    ("min=0&max=.5", {"scale": "manual", "minimum": 0.0, "maximum": 0.5}),
    ("min=0", {}),
    ("timezone=Kathmandu", {"timezone": "Kathmandu"}),
    ("timezone=-3.5", {"timezone": "-3.5"}),
]


@pytest.mark.parametrize(("query", "members"), OPTIONS)
def test_a_parameter_sets_its_look(query: str, members: dict[str, Any]) -> None:
    expected = {
        name: members.get(name, getattr(DEFAULT, name)) for name in DEFAULT.__struct_fields__
    }
    found = parsed(query)
    assert {name: getattr(found, name) for name in found.__struct_fields__} == expected


REFUSED = [
    ("w=9", "w must be a whole number of pixels from 10 to 2000"),
    ("w=2001", "w must be a whole number of pixels from 10 to 2000"),
    ("h=100000000000000000000", "h must be"),
    ("h=3.5", "h must be"),
    ("w=-300", "w must be"),
    ("w=%D9%A3%D9%A3%D9%A3", "w must be"),
    ("c=red", "c must be a colour of six hexadecimal digits, such as 0b8a7b"),
    ("c=12345", "c must be"),
    ("c=ff88001", "c must be"),
    ("c=ff88%0A00", "c must be"),
    ("s=0", "s must be a number of pixels, more than 0 and up to 50"),
    ("s=51", "s must be"),
    ("s=-1", "s must be"),
    ("s=thick", "s must be a number"),
    ("s=nan", "s must be a number"),
    ("b=maybe", "b must be true or false"),
    ("g=2", "g must be true or false"),
    ("scale=log", "scale must be one of auto, datastream, manual"),
    ("scale=manual", "scale=manual needs min and max"),
    ("scale=manual&min=1", "scale=manual needs min and max"),
    ("scale=manual&min=2&max=2", "min must be less than max"),
    ("min=a&max=2", "min must be a number"),
    ("min=1&max=inf", "max must be a number"),
    ("min=1&max=1e999", "max must be a number"),
    ("timezone=Atlantis", "timezone Atlantis is not known"),
    ("timezone=99", "timezone must be"),
    ("t=" + "x" * 256, "t has 256 characters; 255 are allowed"),
]


@pytest.mark.parametrize(("query", "words"), REFUSED)
def test_what_cannot_be_read_is_refused_in_words(query: str, words: str) -> None:
    with pytest.raises(MalformedQuery, match=f"^{words}") as caught:
        parsed(query)
    assert caught.value.status == 400


@given(
    st.dictionaries(
        st.sampled_from(
            ["w", "h", "c", "t", "l", "s", "b", "g", "scale", "min", "max", "timezone"]
        ),
        st.lists(
            st.text(max_size=20) | st.from_regex(r"[-+0-9.e#a-f]{0,12}"), min_size=1, max_size=2
        ),
    )
)
def test_garbage_is_refused_or_makes_options_within_bounds(
    parameters: dict[str, list[str]],
) -> None:
    try:
        found = parse_graph_options(parameters)
    except MalformedQuery:
        return
    assert 10 <= found.width_px <= 2000
    assert 10 <= found.height_px <= 2000
    assert 0 < found.stroke_px <= 50
    assert len(bytes.fromhex(found.colour)) == 3
    assert found.title.isprintable() or "\n" not in found.title
    if found.minimum is not None:
        assert found.maximum is not None
        assert found.minimum < found.maximum
