"""Changes of properties in the words of MongoDB: what each operator does, and what none may."""

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from thingtank.protocols.skynet.update_operators import (
    OPERATORS,
    PATH_STEPS_MAX,
    BadUpdate,
    apply_operator,
    apply_update,
)

BEFORE = {"n": 1, "f": 1.5, "t": "x", "l": [1, 2, 1], "o": {"a": {"b": 1}}, "z": None, "b": True}


@pytest.mark.parametrize(
    ("document", "changed"),
    [
        ({"$set": {"n": 2, "new": [1]}}, {"n": 2, "new": [1]}),
        ({"$set": {"o.a.b": 2, "o.c": 3, "p.q": 4}}, {"o": {"a": {"b": 2}, "c": 3}, "p": {"q": 4}}),
        ({"$set": {"n": None}}, {"n": None}),
        ({"$set": {}}, {}),
        ({}, {}),
        ({"n": 5, "o.a.b": 6}, {"n": 5, "o": {"a": {"b": 6}}}),
        ({"$unset": {"n": 1, "nothing": "", "o.a.b": True}}, {"n": ..., "o": {"a": {}}}),
        ({"$unset": {"t.x.y": 1, "o.x.y": 1, "l.0": 1}}, {}),
        ({"$inc": {"n": 2, "f": 0.5, "new": 3, "z": 1}}, {"n": 3, "f": 2.0, "new": 3, "z": 1}),
        ({"$inc": {"o.a.b": -1, "p.q": 1}}, {"o": {"a": {"b": 0}}, "p": {"q": 1}}),
        ({"$push": {"l": 3, "new": [1]}}, {"l": [1, 2, 1, 3], "new": [[1]]}),
        ({"$push": {"l": {"$each": [3, 4]}}}, {"l": [1, 2, 1, 3, 4]}),
        (
            {"$push": {"l": {"$each": [3], "$slice": 1}}},
            {"l": [1, 2, 1, {"$each": [3], "$slice": 1}]},
        ),
        ({"$addToSet": {"l": 2}}, {}),
        ({"$addToSet": {"l": 3}}, {"l": [1, 2, 1, 3]}),
        ({"$addToSet": {"l": {"$each": [3, 3, 1]}}}, {"l": [1, 2, 1, 3]}),
        ({"$addToSet": {"l": True}}, {"l": [1, 2, 1, True]}),
        ({"$addToSet": {"l": 1.0}}, {}),
        ({"$pull": {"l": 1}}, {"l": [2]}),
        ({"$pull": {"l": True, "new": 1}}, {"new": []}),
        ({"$pullAll": {"l": [1, 5]}}, {"l": [2]}),
        ({"$pullAll": {"l": []}}, {}),
        ({"$set": {"n": 2}, "$inc": {"n": 1}}, {"n": 3}),
    ],
)
def test_an_operator_changes(document: dict[str, Any], changed: dict[str, Any]) -> None:
    before = copy.deepcopy(BEFORE)
    after = apply_update(before, document)
    expected = {name: value for name, value in {**BEFORE, **changed}.items() if value is not ...}
    assert after == expected
    assert [type(value) for value in after.get("l", [])] == [
        type(value) for value in expected.get("l", [])
    ]
    assert before == BEFORE  # what was is not changed


@pytest.mark.parametrize(
    ("document", "problem"),
    [
        ({"$rename": {"n": "m"}}, "not one of"),
        ({"$where": "sleep(1000)"}, "not one of"),
        ({"$": {}}, "not one of"),
        ({"$SET": {"n": 1}}, "not one of"),
        ({"$set": [1]}, "needs an object"),
        ({"$unset": "n"}, "needs an object"),
        ({"$inc": None}, "needs an object"),
        ({"$inc": {"t": 1}}, "needs numbers"),
        ({"$inc": {"n": "1"}}, "needs numbers"),
        ({"$inc": {"b": 1}}, "needs numbers"),
        ({"$inc": {"n": True}}, "needs numbers"),
        ({"$inc": {"l": 1}}, "needs numbers"),
        ({"$push": {"n": 1}}, "needs a list"),
        ({"$addToSet": {"o": 1}}, "needs a list"),
        ({"$pull": {"t": "x"}}, "needs a list"),
        ({"$pullAll": {"l": 1}}, "needs a list"),
        ({"$set": {"n.a": 1}}, "no object"),
        ({"$set": {"l.0": 1}}, "no object"),
        ({"t.a": 1}, "no object"),
        ({"$set": {"": 1}}, "is no name"),
        ({"$set": {"a..b": 1}}, "is no name"),
        ({"$set": {".a": 1}}, "is no name"),
        ({"$unset": {"a.": 1}}, "is no name"),
        ({"": 1}, "is no name"),
        ({"$set": {"$inc": 1}}, "do not begin with"),
        ({"$set": {"a.$b": 1}}, "do not begin with"),
        ({"a.$[]": 1}, "do not begin with"),
        ({"$set": {".".join("a" * (PATH_STEPS_MAX + 1)): 1}}, "is no name"),
    ],
)
def test_what_is_no_change_is_refused_and_changes_nothing(
    document: dict[str, Any], problem: str
) -> None:
    before = copy.deepcopy(BEFORE)
    with pytest.raises(BadUpdate, match=problem) as refused:
        apply_update(before, document)
    assert before == BEFORE
    assert len(str(refused.value)) < 300


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=10,
)
names = st.sampled_from(["a", "b", "a.b", "a.c", "a.b.c", "l", "", ".", "$x", "a.$", "aa"])
objects = st.dictionaries(st.sampled_from(["a", "b", "l", "aa"]), values, max_size=4)
fields = st.dictionaries(names, values, max_size=3) | values
documents = st.dictionaries(st.sampled_from([*OPERATORS, "a", "a.b", "$no"]), fields, max_size=4)


@given(objects, documents)
def test_any_update_changes_a_copy_or_is_refused(
    before: dict[str, Any], document: dict[str, Any]
) -> None:
    was, asked = copy.deepcopy(before), copy.deepcopy(document)
    try:
        after = apply_update(before, document)
    except BadUpdate:
        after = {}
    assert (before, document) == (was, asked)
    scribble(after)
    assert (before, document) == (was, asked)


def scribble(value: Any) -> None:
    """Change all that can be changed in a value."""
    members = (
        value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    )
    for member in list(members):
        scribble(member)
    if isinstance(value, dict):
        value["scribbled"] = True
    elif isinstance(value, list):
        value.append("scribbled")


plain_names = st.sampled_from(["a", "b", "c"])


@given(objects, plain_names, values)
def test_what_is_set_is_there_and_what_is_removed_is_not(
    before: dict[str, Any], name: str, value: Any
) -> None:
    after = apply_update(before, {"$set": {name: value}})
    assert after == {**before, name: value}
    assert apply_update(after, {"$unset": {name: value}}) == {
        key: kept for key, kept in before.items() if key != name
    }


@given(st.lists(values, max_size=4), values)
def test_a_set_takes_a_value_once_and_gives_it_back(items: list[Any], value: Any) -> None:
    properties = {"l": list(items)}
    for _ in range(2):
        apply_operator(properties, "$addToSet", {"l": {"$each": [value]}})
    added = properties["l"]
    assert added[: len(items)] == items
    assert len(added) <= len(items) + 1
    apply_operator(properties, "$pull", {"l": value})
    assert len(properties["l"]) < len(added)
    apply_operator(properties, "$push", {"l": {"$each": [value, value]}})
    apply_operator(properties, "$pullAll", {"l": [value]})
    assert len(properties["l"]) < len(added)
