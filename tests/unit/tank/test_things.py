"""Small questions about things."""

import pytest

from thingtank.tank.things import is_live

NOW_US = 1_700_000_000_000_000


@pytest.mark.parametrize(
    ("newest_us", "is_so"),
    [(None, False), (NOW_US, True), (NOW_US + 5_000_000, True), (NOW_US - 59_999_999, True), (NOW_US - 60_000_000, False)],
)  # fmt: skip
def test_a_device_is_live_while_its_newest_value_is_younger_than_the_bound(
    newest_us: int | None, is_so: bool
) -> None:
    assert is_live(newest_us, NOW_US, live_s=60) is is_so
