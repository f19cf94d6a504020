"""What is wrong with a trigger, in Xively's words, one case a rule."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from thingtank.tank.datapoints import CurrentValue
from thingtank.tank.triggers import KINDS, Armed, Trigger, starts_afresh, trigger_problems

GOOD: dict[str, Any] = {"name": "t", "kind": "gt", "threshold": "20", "url": "http://example.org/"}


def trigger(**fields: Any) -> Trigger:
    return Trigger(1, 1, 1001, **{**GOOD, **fields})


@pytest.mark.parametrize(
    ("fields", "problems"),
    [
        ({}, []),
        ({"url": "", "email": "ann@example.org"}, []),
        ({"kind": "change", "threshold": ""}, []),
        ({"kind": "frozen", "threshold": ""}, []),
        ({"kind": "live", "threshold": ""}, []),
        ({"kind": "eq", "threshold": "on"}, []),
        ({"threshold": "-1.5e3"}, []),
        ({"clear_value": "18", "hold_s": 60, "quiet_s": 3600}, []),
        ({"kind": "lte", "clear_value": "22"}, []),
        ({"kind": "frozen", "threshold": "", "hold_s": 60}, []),
        ({"url": ""}, [("url", "can't be blank")]),
        ({"name": ""}, [("stream_id", "can't be blank")]),
        ({"kind": ""}, [("trigger_type", "must be one of gt, gte, lt, lte, eq, change, frozen, live")]),
        ({"kind": "GT"}, [("trigger_type", "must be one of gt, gte, lt, lte, eq, change, frozen, live")]),
        ({"threshold": ""}, [("threshold_value", "can't be blank")]),
        ({"kind": "eq", "threshold": " "}, [("threshold_value", "can't be blank")]),
        ({"threshold": "warm"}, [("threshold_value", "is not a number")]),
        ({"threshold": "nan"}, [("threshold_value", "is not a number")]),
        ({"kind": "eq", "threshold": "x" * 256}, [("threshold_value", "is too long (maximum is 255 characters)")]),
        ({"kind": "eq", "threshold": "a\x00b"}, [("threshold_value", "can't contain control characters")]),
        ({"kind": "eq", "threshold": "\ud800"}, [("threshold_value", "can't contain control characters")]),
        ({"clear_value": "21"}, [("clear_value", "must not be above the threshold")]),
        ({"kind": "lt", "clear_value": "19"}, [("clear_value", "must not be below the threshold")]),
        ({"clear_value": "low"}, [("clear_value", "is not a number")]),
        ({"kind": "eq", "clear_value": "18"}, [("clear_value", "is only for gt, gte, lt, lte")]),
        ({"hold_s": -1}, [("hold", "must be within 0 and 2592000 seconds")]),
        ({"hold_s": 2592001}, [("hold", "must be within 0 and 2592000 seconds")]),
        ({"kind": "change", "hold_s": 5}, [("hold", "is only for gt, gte, lt, lte, eq, frozen")]),
        ({"kind": "live", "hold_s": 5}, [("hold", "is only for gt, gte, lt, lte, eq, frozen")]),
        ({"quiet_s": 0}, [("quiet", "must be within 1 and 2592000 seconds")]),
        ({"url": "ftp://example.org"}, [("url", "is not a valid http or https URL")]),
        ({"url": "http://"}, [("url", "is not a valid http or https URL")]),
        ({"url": "http://exa mple.org"}, [("url", "is not a valid http or https URL")]),
        ({"url": "http://example.org/\r\nX: 1"}, [("url", "is not a valid http or https URL")]),
        ({"url": "http://example.org:0/"}, [("url", "is not a valid http or https URL")]),
        ({"url": "http://example.org:99999/"}, [("url", "is not a valid http or https URL")]),
        ({"url": "http://[::1"}, [("url", "is not a valid http or https URL")]),
        ({"url": "http://example.org/" + "a" * 2048}, [("url", "is not a valid http or https URL")]),
        ({"email": "ann"}, [("email", "is not a valid e-mail address")]),
        ({"email": "ann@example.org,bob@example.org"}, [("email", "is not a valid e-mail address")]),
        ({"email": "ann@example.org\nBcc: bob@example.org"}, [("email", "is not a valid e-mail address")]),
        ({"email": "a" * 64 + "@b.c"}, []),
        ({"email": "a" * 65 + "@b.c"}, [("email", "is not a valid e-mail address")]),
        ({"email": "é@example.org"}, [("email", "is not a valid e-mail address")]),
        ({"email": "ann@[127.0.0.1]"}, [("email", "is not a valid e-mail address")]),
        ({"email": "ann@example.org%0aBcc:bob"}, [("email", "is not a valid e-mail address")]),
        ({"url": "http://[fe80::1%25eth0]/"}, [("url", "is not a valid http or https URL")]),
    ],
    ids=str,
)  # fmt: skip
def test_problems_are_told_in_xivelys_words(
    fields: dict[str, Any], problems: list[tuple[str, str]]
) -> None:
    assert trigger_problems(trigger(**fields)) == problems


@given(
    kind=st.sampled_from(["", "nonsense", *KINDS]),
    threshold=st.text(max_size=300),
    url=st.text(max_size=50) | st.text(max_size=50).map(lambda rest: "http://" + rest),
    email=st.text(max_size=50),
    clear_value=st.text(max_size=50),
    hold_s=st.integers(),
    quiet_s=st.integers(),
)
def test_garbage_is_refused_or_can_be_stored(**fields: Any) -> None:
    found = trigger(**fields)
    if not trigger_problems(found):
        found.url.encode("ascii")
        (found.threshold + found.email + found.clear_value).encode()
        assert not set("\r\n") & set(found.url + found.email)


def test_another_condition_and_switching_on_start_a_trigger_afresh() -> None:
    before = trigger()
    assert starts_afresh(before, trigger(threshold="21"))
    assert starts_afresh(before, trigger(kind="gte"))
    assert starts_afresh(before, trigger(clear_value="19"))
    assert starts_afresh(before, trigger(hold_s=1))
    assert starts_afresh(trigger(is_enabled=False), before)
    assert not starts_afresh(before, trigger(url="http://example.org/2", quiet_s=60))
    assert not starts_afresh(before, trigger(is_enabled=False))


def test_arming_again_remembers_when_and_with_which_value() -> None:
    assert Armed(3, 10, 5, "x").again(20, CurrentValue(7, "8")) == Armed(4, 20, 7, "8")
    assert Armed(3, 10, 5, "x").again(20, None) == Armed(4, 20, None, None)
