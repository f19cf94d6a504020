"""A device's lists as people read and change them mean what the tank does with them."""

from typing import Any

import pytest
from tests.unit.tank.messaging.test_permissions import device_of, party_of

from thingtank.tank.errors import ValidationFailed
from thingtank.tank.messaging.permission_lists import (
    UUIDS_MAX,
    AreaList,
    Choice,
    read_list,
    with_list,
)
from thingtank.tank.messaging.permissions import AREAS, Area, Policy, may

ANSWERS = [
    AreaList("usual"),
    AreaList("everybody"),
    AreaList("nobody"),
    AreaList("only", ("me", "other")),
    AreaList("but", ("me",)),
]
BEFORE: dict[str, dict[str, Any]] = {
    "none": {"color": "red"},
    "lists of 2014": {
        "viewWhitelist": ["a"],
        "updateWhitelist": "*",
        "readBlacklist": ["b"],
        "sendWhitelist": [],
    },
    "lists of 2015": {f"{area}Whitelist": ["x"] for area in AREAS}
    | {f"{area}Blacklist": ["*"] for area in AREAS},
}
# For each answer: whether a device called "me", and one called "owner" that owns nothing, may.
EXPECTED: dict[Choice, tuple[bool, bool]] = {
    "everybody": (True, True),
    "nobody": (False, False),
    "only": (True, False),
}


@pytest.mark.parametrize("area", AREAS)
@pytest.mark.parametrize("before", BEFORE)
@pytest.mark.parametrize("wanted", ANSWERS, ids=lambda answer: answer.choice)
def test_an_answer_that_is_given_is_read_again_whatever_was_there(
    before: str, wanted: AreaList, area: Area
) -> None:
    changed = with_list(BEFORE[before], area, wanted)
    assert read_list(changed, area) == wanted
    others = [each for each in AREAS if each != area]
    assert [read_list(changed, each) for each in others] == [
        read_list(BEFORE[before], each) for each in others
    ]
    assert changed.get("color") == BEFORE[before].get("color")


@pytest.mark.parametrize("area", AREAS)
@pytest.mark.parametrize("choice", EXPECTED)
def test_an_answer_holds_for_other_devices(choice: Choice, area: Area) -> None:
    uuids = ("me", "other") if choice == "only" else ()
    properties = with_list({}, area, AreaList(choice, uuids))
    device = device_of("target", **properties)
    allowed = tuple(may(party_of(uuid), area, device, Policy()) for uuid in ("me", "owner"))
    assert allowed == EXPECTED[choice]


def test_all_but_some_is_what_is_usual_without_them() -> None:
    device = device_of("target", **with_list({}, "discover", AreaList("but", ("me",))))
    assert may(party_of("owner"), "discover", device, Policy())
    assert not may(party_of("me"), "discover", device, Policy())
    assert not may(party_of("owner"), "configure", device, Policy())  # which is nobody's


@pytest.mark.parametrize("area", AREAS)
@pytest.mark.parametrize("wanted", ANSWERS[1:4], ids=lambda answer: answer.choice)
def test_a_device_of_version_2_has_its_lists_where_it_looks_for_them(
    wanted: AreaList, area: Area
) -> None:
    meshblu = {"version": "2.0.0", "hash": "x", "whitelists": {"discover": {"as": [{"uuid": "a"}]}}}
    changed = with_list({"meshblu": meshblu}, area, wanted)
    assert read_list(changed, area) == wanted
    assert changed["meshblu"]["hash"] == "x"
    assert changed["meshblu"]["whitelists"]["discover"]["as"] == [{"uuid": "a"}]
    assert set(changed) == {"meshblu"}
    assert meshblu["whitelists"] == {"discover": {"as": [{"uuid": "a"}]}}  # as it was


@pytest.mark.parametrize("choice", ["usual", "but"])
def test_a_device_of_version_2_cannot_have_what_is_usual(choice: Choice) -> None:
    with pytest.raises(ValidationFailed, match="version 2"):
        with_list({"meshblu": {"version": "2.0.0"}}, "send", AreaList(choice))


@pytest.mark.parametrize(
    "uuids",
    [("a b",), ("*",), ("x" * 65,), tuple(f"u{n}" for n in range(UUIDS_MAX + 1))],
    ids=["a blank", "everybody", "too long", "too many"],
)
def test_what_are_no_uuids_are_refused(uuids: tuple[str, ...]) -> None:
    with pytest.raises(ValidationFailed, match="uuids"):
        with_list({}, "send", AreaList("only", uuids))
