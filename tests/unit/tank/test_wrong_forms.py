"""What is wrong with the form of settings, in people's words; no value is told but a bad choice."""

from typing import Any, Literal

import msgspec
import pytest

from thingtank.tank.wrong_forms import wrong_form


class Rule(msgspec.Struct, forbid_unknown_fields=True):
    name: str
    send: Literal["values", "messages"] = "values"
    feeds: tuple[int, ...] | Literal["all"] = "all"
    gather_s: float | None = None
    to: dict[str, Any] = {}
    is_on: bool = True

    def __post_init__(self) -> None:
        if self.name == "none":
            raise ValueError("`name` must not be none")


class Settings(msgspec.Struct, forbid_unknown_fields=True):
    rules: tuple[Rule, ...] = ()
    limits: dict[str, int] = {}


def rules(**members: object) -> dict[str, object]:
    return {"rules": [{"name": "first"}, {"name": "second"} | members]}


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (rules(name=5), "`rules[1].name` must be a text, not a whole number"),
        (rules(gather_s="5s"), "`rules[1].gather_s` must be a number, not a text"),
        (rules(is_on="no"), "`rules[1].is_on` must be true or false, not a text"),
        (rules(to="folder"), "`rules[1].to` must be a table, not a text"),
        (rules(send="value"), "`rules[1].send` must be \"messages\" or \"values\", not 'value'"),
        (rules(send=1.5), '`rules[1].send` must be "messages" or "values", not a number'),
        (rules(feeds="1,2"), "`rules[1].feeds` must be a list of whole numbers or \"all\","
         " not '1,2'"),
        (rules(feeds=[1, "x"]), "`rules[1].feeds[1]` must be a whole number, not a text"),
        (rules(nmae="x"), "there is no setting `rules[1].nmae`; did you mean `name`?"),
        (rules(qqq="x"), "there is no setting `rules[1].qqq`"),
        ({"qqq": 1}, "there is no setting `qqq`"),
        ({"rules": [{}]}, "`rules[0].name` is missing"),
        ({"rules": {"name": "one"}}, "`rules` must be a list of tables, not a table: each begins"
         " with [[rules]]"),
        ({"rules": "one"}, "`rules` must be a list of tables, not a text"),
        ({"limits": {"a": "b"}}, "`limits[...]` must be a whole number, not a text"),
        (5, "it must be a table, not a whole number"),
        (rules(name="none"), "`name` must not be none (at `rules[1]`)"),
    ],
)  # fmt: skip
def test_forms(given: object, words: str) -> None:
    with pytest.raises(msgspec.ValidationError) as raised:
        msgspec.convert(given, Settings)
    assert wrong_form(raised.value, Settings) == words


def test_what_is_no_error_of_forms_stays() -> None:
    assert wrong_form(ValueError("`port` is taken"), Settings) == "`port` is taken"


def test_secrets_are_not_told() -> None:
    with pytest.raises(msgspec.ValidationError) as raised:
        msgspec.convert(rules(gather_s="hunter2"), Settings)
    assert "hunter2" not in wrong_form(raised.value, Settings)
