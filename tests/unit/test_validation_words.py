"""What is wrong with the form of settings, in people's words; no value is told but a bad choice."""

import datetime
from collections.abc import Iterator
from importlib import import_module
from typing import Annotated, Any, Literal

import msgspec
import pytest
from msgspec import inspect

from thingtank.net.identity.secret_sources import SecretSource
from thingtank.server.config import Config
from thingtank.sinks.engines import ENGINES
from thingtank.validation_words import IN_JSON, IN_SETTINGS, _told, validation_words


class Rule(msgspec.Struct, forbid_unknown_fields=True):
    name: str
    send: Literal["values", "messages"] = "values"
    feeds: tuple[int, ...] | Literal["all"] = "all"
    gather_s: float | None = None
    to: dict[str, Any] = {}
    is_on: bool = True
    methods: tuple[Literal["a", "b"], ...] = ()
    count: Annotated[int, msgspec.Meta(ge=1, le=5)] = 1

    def __post_init__(self) -> None:
        if self.name == "none":
            raise ValueError("`name` must not be none")


class Settings(msgspec.Struct, forbid_unknown_fields=True):
    rules: tuple[Rule, ...] = ()
    limits: dict[str, int] = {}


class Point(msgspec.Struct, array_like=True, tag=7, forbid_unknown_fields=True):
    label: str
    options: Rule
    order: Literal[1, 2] = 1
    kind: Annotated[str, msgspec.Meta(pattern="^(a|b)$")] = "a"


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
        ({"rules": {"name": "one"}}, "`rules` must be a list of tables, not a table"),
        ({"rules": "one"}, "`rules` must be a list of tables, not a text"),
        ({"limits": {"a": "b"}}, "each value in `limits` must be a whole number, not a text"),
        ({"limits": {"a": 1.5}}, "each value in `limits` must be a whole number,"
         " not one with a fraction"),
        ({"limits": datetime.date(2026, 11, 28)}, "`limits` must be a table, not a date"),
        ({"limits": {1: 2}}, "the names in `limits` must be texts"),
        (rules(methods=["c"]), '`rules[1].methods[0]` must be "a" or "b", not \'c\''),
        (rules(methods="a"), '`rules[1].methods` must be a list of these: "a" or "b", not a text'),
        (rules(count=0), "`rules[1].count` must be 1 or more"),
        (rules(count=9), "`rules[1].count` must be at most 5"),
        (rules(send="x" * 1000), '`rules[1].send` must be "messages" or "values"'),
        (rules(send="mysql://u:p@h/d"), '`rules[1].send` must be "messages" or "values"'),
        (5, "it must be a table, not a whole number"),
        (rules(name="none"), "`name` must not be none (at `rules[1]`)"),
    ],
)  # fmt: skip
def test_forms(given: object, words: str) -> None:
    with pytest.raises(msgspec.ValidationError) as raised:
        msgspec.convert(given, Settings)
    assert validation_words(raised.value, Settings) == words


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ([7, 5, {"name": "x"}], "`label` must be a string, not a whole number"),
        ([7, None, {"name": "x"}], "`label` must be a string, not null"),
        ([7, b"a", {"name": "x"}], "`label` must be a string, not a byte string"),
        ([7, "a", {"name": "x", "is_on": 1}], "`options.is_on` must be true or false,"
         " not a whole number"),
        ([7, "a", {}], "`options.name` is missing"),
        ([7, "a", {"name": "x", 1: 2}], "the names in `options` must be strings"),
        ([7, "a", {"name": "x"}, 3], "`order` must be 1 or 2, not 3"),
        ([7, "a", {"name": "x"}, 1, "c"], "`kind` must be of the form ^(a|b)$"),
    ],
)  # fmt: skip
def test_elements_of_what_is_an_array_are_called_by_their_names(given: object, words: str) -> None:
    with pytest.raises(msgspec.ValidationError) as raised:
        msgspec.msgpack.decode(msgspec.msgpack.encode(given), type=Point)
    assert validation_words(raised.value, Point, IN_JSON) == words


def test_what_is_no_error_of_forms_stays() -> None:
    assert validation_words(ValueError("`port` is taken"), Settings) == "`port` is taken"


def test_secrets_are_not_told() -> None:
    with pytest.raises(msgspec.ValidationError) as raised:
        msgspec.convert(rules(gather_s="hunter2"), Settings)
    assert "hunter2" not in validation_words(raised.value, Settings)


def test_a_form_gives_texts_whatever_is_wanted() -> None:
    with pytest.raises(msgspec.ValidationError) as raised:
        msgspec.convert({"limits": {"a": "1.5"}}, Settings, strict=False)
    words = validation_words(raised.value, Settings, is_text=True)
    assert words == "each value in `limits` must be a whole number"


def types_in(found: inspect.Type, depth: int = 8) -> Iterator[inspect.Type]:
    """All that there are in one of settings."""
    yield found
    if depth:
        inner: list[Any] = [field.type for field in getattr(found, "fields", ())]
        inner += getattr(found, "types", ())
        inner += filter(
            None, (getattr(found, "item_type", None), getattr(found, "value_type", None))
        )
        for each in inner:
            yield from types_in(each, depth - 1)


SHAPES = [Config, *(import_module(name).Settings for name in ENGINES.values())]


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.__module__)
def test_there_are_words_for_all_settings_and_no_secret_is_a_choice(shape: type) -> None:
    for found in types_in(inspect.type_info(shape)):
        assert isinstance(found, inspect.AnyType | inspect.NoneType) or _told(found, IN_SETTINGS), (
            found
        )
        kinds = getattr(found, "types", ())
        is_secret = any(getattr(kind, "cls", None) is SecretSource for kind in kinds)
        assert not (is_secret and any(isinstance(kind, inspect.LiteralType) for kind in kinds))
