"""What a table takes, and what it is told that it does not."""

from decimal import Decimal

import pytest

from thingtank.aws.items import BadItem, parse_item

WANTED = 'an item is a JSON object, such as {"msgid": "a", "date": "2026-01-31"}'


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("nojson", f"{WANTED}; it is none at character 1"),
        ("", f"{WANTED}; it is none at character 1"),
        ('{"a": 1}x', f"{WANTED}; it is none at character 9"),
        ('{"a": 1\n"b"', f"{WANTED}; it is none at character 1 of line 2"),
        ("[1]", WANTED),
        ('{"a":' * 100_000, "an item is nested too deep"),
        ('{"a": 1e400}', "a number is too large for a table: 1e400"),
        ('{"a": -1e400}', "a number is too large for a table: -1e400"),
        ('{"a": 1e-400}', "a number is too near to 0 for a table: 1e-400"),
        ('{"a": ' + "1" * 39 + "}", "a number has at most 38 digits: " + "1" * 39),
        ('{"a": NaN}', "an item cannot hold NaN"),
    ],
)
def test_what_is_no_item_is_told_in_words(text: str, words: str) -> None:
    with pytest.raises(BadItem) as refused:
        parse_item(text)
    assert str(refused.value) == words


def test_numbers_are_kept_exactly() -> None:
    assert parse_item('{"a": 0.1, "b": 1e125}') == {"a": Decimal("0.1"), "b": Decimal("1e125")}
