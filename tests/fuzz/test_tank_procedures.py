"""Any arguments to any procedure of the tank: a result or a refusal, never a fault of ours.

What counts as correct: RESULT; ERROR of `tank.error.…` or `wamp.error.…` other than runtime_error.
"""

import asyncio
from datetime import UTC, datetime
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.doors.wamp.tank_peer.worlds import AT, TankWorld

from thingtank.doors.wamp.tank_peer.procedures import PROCEDURES
from thingtank.protocols.wamp.answers import RUNTIME_ERROR

FEED_ID = 1001  # the first that a directory in memory gives out
WORDS = [
    "",
    "x",
    "temperature",
    "a,b",
    "7",
    AT,
    "6hours",
    "gt",
    "develop",
    "alice",
    "\0",
    "é" * 300,
    "%2E",
    "\x7f",
]
NAMES = ["id", "value", "at", "title", "private", "tags", "datastreams", "datapoints", "current_value", "location", "lat", "unit",
         "label", "permissions", "access_methods", "resources", "feed_id", "expires_at", "name", "feed_defaults", "serial", "login",
         "email", "password", "full_name", "url", "trigger_type", "threshold_value", "stream_id", "environment_id", "at_us",
         "values", "temperature", "type", "min_value", "minimum_interval"]  # fmt: skip
OF_CBOR = [2**70, 10**4000, b"x", datetime(2023, 11, 14, tzinfo=UTC)]  # no JSON has these
NUMBERS = [0, 1, -1, FEED_ID, 2**53, 2**63, -(2**63), 0.5, 1e308, float("nan"), float("inf")]
LEAVES = st.sampled_from([None, True, False, *NUMBERS, *WORDS, *OF_CBOR])
VALUES = st.recursive(
    LEAVES,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=4)
    ),
    max_leaves=10,
)
LIKELY = st.sampled_from([FEED_ID, "temperature", AT, 1, {"title": "x"}, ["x"], {"temperature": 1}])


@st.composite
def calls(draw: st.DrawFn) -> tuple[str, list[Any], dict[str, Any]]:
    procedure = draw(st.sampled_from(PROCEDURES))
    args = draw(st.lists(LIKELY | VALUES, max_size=len(procedure.shape.places)))
    names = [
        field
        for field in procedure.shape.struct.__struct_fields__
        if field not in procedure.shape.places[: len(args)]
    ]
    kwargs = (
        draw(st.dictionaries(st.sampled_from(names), LIKELY | VALUES, max_size=3)) if names else {}
    )
    return procedure.uri, args, kwargs


@settings(max_examples=100, deadline=None)
@given(st.lists(calls(), min_size=1, max_size=6), st.sampled_from(["alice", "root", "stranger"]))
def test_no_arguments_make_a_procedure_fail(
    asked: list[tuple[str, list[Any], dict[str, Any]]], authid: str
) -> None:
    async def call_all() -> None:
        world = TankWorld()
        assert (await world.make_device()).device_id == FEED_ID
        client = world.join(authid, "cbor")
        for procedure, args, kwargs in asked:
            answer = await client.call(procedure, *args, **kwargs)
            assert answer.error != RUNTIME_ERROR, (procedure, args, kwargs)
            assert not answer.is_error or answer.error.startswith(("tank.error.", "wamp.error."))
        assert not (await client.call("tank.help")).is_error

    asyncio.run(call_all())
