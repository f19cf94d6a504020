"""For how long a device has messages kept, as its property says it."""

from typing import Any

import pytest

from thingtank.tank.kept_messages import KEPT_S_DEFAULT, KEPT_S_MAX, keeping_problems, kept_s
from thingtank.tank.things import Device


@pytest.mark.parametrize(
    ("setting", "seconds"),
    [
        (None, 0),
        (False, 0),
        ("", 0),
        ("false", 0),
        (0, 0),
        (True, KEPT_S_DEFAULT),
        ("true", KEPT_S_DEFAULT),
        (60, 60),
        (60.9, 60),
        ("60", 60),
        (10**12, KEPT_S_MAX),
        ("9" * 5000, KEPT_S_MAX),
    ],
)
def test_the_property_says_for_how_long(setting: Any, seconds: int) -> None:
    properties = {"keepMessages": setting}
    assert keeping_problems(properties) == []
    device = Device(device_id=1, uuid="lamp", account_id=1, title="", properties=properties)
    assert kept_s(device) == seconds


@pytest.mark.parametrize("setting", [-1, "-1", "soon", "²", [], {}, float("nan"), float("inf")])
def test_what_says_nothing_is_named_and_keeps_nothing(setting: Any) -> None:
    properties = {"keepMessages": setting}
    assert [field for field, _ in keeping_problems(properties)] == ["keepMessages"]
    device = Device(device_id=1, uuid="lamp", account_id=1, title="", properties=properties)
    assert kept_s(device) == 0
