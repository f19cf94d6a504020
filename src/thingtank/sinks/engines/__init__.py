"""Engines by name, and how a rule's `to` becomes one.

A module of an engine has

- `Settings`, a frozen msgspec struct with `forbid_unknown_fields=True`: the members of `to`
  besides `engine`, each a str, int, float or bool with its meaning in the docstring; it checks
  itself in `__post_init__` and raises ValueError;
- `make_engine(settings, parts)`, which returns a `SinkEngine` and neither connects nor waits;
- where it can write to files or databases, `place_problem(settings, own)`: why it may not write to
  that one, or a blank. Its engine asks again when it opens, as links change.

It imports what is heavy (boto3, a driver) only when it opens: all modules are loaded to check the
settings.
"""

import re
from collections.abc import Mapping
from importlib import import_module
from typing import Any

import msgspec

from thingtank.sinks.engine import EngineParts, SinkEngine
from thingtank.sinks.own_places import OwnPlaces
from thingtank.validation_words import place_of_huge_number, validation_words

_ENGINE = re.compile(r"[\w-]{1,40}")  # what else may stand there by mistake is not told
# Name, as `to.engine` says it → module.
ENGINES: Mapping[str, str] = {
    "sql": "thingtank.sinks.engines.sql",
    "kinesis": "thingtank.sinks.engines.kinesis",
    "sqs": "thingtank.sinks.engines.sqs",
    "queue": "thingtank.sinks.engines.queue",
    "dynamodb": "thingtank.sinks.engines.dynamodb",
    "table": "thingtank.sinks.engines.table",
    "s3": "thingtank.sinks.engines.s3",
    "folder": "thingtank.sinks.engines.folder",
}


class BadEngine(Exception):
    """There is no such engine, or its settings are no good; the message says what is right."""


def engine_settings(to: Mapping[str, object]) -> Any:
    """The settings struct of what a rule says it sends to.

    Raises:
        BadEngine.
    """
    name = to.get("engine")
    if not isinstance(name, str) or name not in ENGINES:
        told = f", not {name!r}" if isinstance(name, str) and _ENGINE.fullmatch(name) else ""
        raise BadEngine(f"`engine` must be one of {', '.join(ENGINES)}{told}")
    own = {key: value for key, value in to.items() if key != "engine"}
    if place := place_of_huge_number(own):
        raise BadEngine(f"{name}: a number in `{place}` has too many digits")
    shape: type = import_module(ENGINES[name]).Settings
    try:
        # Not strict: what a form sends is text, and so are numbers and flags in it.
        return msgspec.convert(own, shape, strict=False)
    except ValueError as error:  # so are those of msgspec
        raise BadEngine(f"{name}: {validation_words(error, shape, is_text=True)}") from None


def place_problem(to: Mapping[str, object], own: OwnPlaces) -> str:
    """Why a rule may not write where it says, as that is the tank's own; blank if it may.

    Raises:
        BadEngine.
    """
    settings = engine_settings(to)
    check = getattr(import_module(ENGINES[str(to["engine"])]), "place_problem", None)
    return str(check(settings, own)) if check is not None else ""


def make_engine(to: Mapping[str, object], parts: EngineParts) -> SinkEngine:
    """An engine that is not open yet.

    Raises:
        BadEngine.
    """
    settings = engine_settings(to)
    made: SinkEngine = import_module(ENGINES[str(to["engine"])]).make_engine(settings, parts)
    return made
