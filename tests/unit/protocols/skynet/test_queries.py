"""Questions in MongoDB's words: which records fit, and which questions are none."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from thingtank.protocols.skynet.queries import (
    CHOICES_MAX,
    CONDITIONS_MAX,
    DEPTH_MAX,
    BadQuery,
    compile_query,
)

RECORD = {"a": 1, "t": "x", "on": True, "list": [1, "y", {"b": 2}], "deep": {"c": {"d": None}}}


@pytest.mark.parametrize(
    ("query", "fits"),
    [
        ({}, True),
        ({"a": 1}, True),
        ({"a": "1"}, False),
        ({"a": True}, False),
        ({"a": 1.0}, True),
        ({"on": 1}, False),
        ({"on": True}, True),
        ({"a": 1, "t": "x"}, True),
        ({"a": 1, "t": "y"}, False),
        ({"list": "y"}, True),
        ({"list": [1, "y", {"b": 2}]}, True),
        ({"list": "z"}, False),
        ({"list.2.b": 2}, True),
        ({"list.9": 2}, False),
        ({"deep.c": {"d": None}}, True),
        ({"deep": {"c": {}}}, False),
        ({"none": None}, True),
        ({"a": None}, False),
        ({"deep.c.d": None}, True),
        ({"a.b": None}, True),
        ({"a": {"$eq": 1}}, True),
        ({"a": {"$ne": 1}}, False),
        ({"none": {"$ne": 1}}, True),
        ({"list": {"$ne": "y"}}, False),
        ({"a": {"$in": [2, 1]}}, True),
        ({"list": {"$in": ["y"]}}, True),
        ({"a": {"$in": []}}, False),
        ({"a": {"$nin": [1]}}, False),
        ({"none": {"$nin": [1]}}, True),
        ({"a": {"$exists": True}}, True),
        ({"none": {"$exists": True}}, False),
        ({"deep.c.d": {"$exists": True}}, True),
        ({"none": {"$exists": False}}, True),
        ({"a": {"$exists": True, "$ne": 2}}, True),
        ({"$or": [{"a": 2}, {"t": "x"}]}, True),
        ({"$or": [{"a": 2}, {"t": "z"}]}, False),
        ({"$and": [{"a": 1}, {"$or": [{"t": "x"}]}]}, True),
        ({"$and": [{"a": 1}, {"t": "z"}]}, False),
    ],
)
def test_which_records_fit(query: Any, fits: bool) -> None:
    assert compile_query(query)(RECORD) is fits


def nested(depth: int) -> Any:
    query: Any = {"a": 1}
    for _ in range(depth):
        query = {"$and": [query]}
    return query


@pytest.mark.parametrize(
    "query",
    [
        None, [], "a", {"$where": "1"}, {"a": {"$regex": "x"}}, {"a": {"$gt": 1}}, {"$nor": [{}]},
        {"$or": []}, {"$or": {}}, {"$or": [1]}, {"a": {"$in": 1}}, {"a": {"$in": [0] * (CHOICES_MAX + 1)}},
        {f"n{number}": 1 for number in range(CONDITIONS_MAX + 1)}, nested(DEPTH_MAX + 1),
        {"a" + ".b" * 20: 1}, {"a": {"$eq": 1, "b": 2}},
    ],
)  # fmt: skip
def test_which_questions_are_refused(query: Any) -> None:
    with pytest.raises(BadQuery):
        compile_query(query)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.sampled_from(["", "x", "a.b"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["a", "list.0", "$in", "$ne", "$or", "$and", "$exists", "$eq", "$x", "deep.c"]
            ),
            inner,
            max_size=3,
        )
    ),
    max_leaves=12,
)


@given(JSON)
def test_any_question_is_answered_or_refused(query: Any) -> None:
    try:
        fits = compile_query(query)
    except BadQuery:
        return
    assert fits(RECORD) in (True, False)
    assert fits({}) in (True, False)
