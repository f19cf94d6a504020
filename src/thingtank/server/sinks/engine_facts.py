"""What engines have to be told, read from their settings: so the form in the workbench is right."""

import inspect
import re
from collections.abc import Mapping
from importlib import import_module
from typing import Any

import msgspec

from thingtank.sinks.engine import SECRET_FIELDS
from thingtank.sinks.engines import ENGINES
from thingtank.tank.sinks import EngineFacts, EngineField

_ATTRIBUTES = re.compile(r"\n\s*Attributes:\n(.*)", re.S)
_ATTRIBUTE = re.compile(r"^ {4}(\w[\w, ]*): (.*(?:\n {8,}.*)*)", re.M)


def engine_facts() -> list[EngineFacts]:
    """All engines, in the order of their table."""
    return [_facts(name, module) for name, module in ENGINES.items()]


def _facts(name: str, module_name: str) -> EngineFacts:
    module = import_module(module_name)
    meanings = _meanings(module.Settings)
    meaning = (module.__doc__ or "").strip().splitlines()[0]
    fields = [
        EngineField(
            field.encode_name,
            meanings.get(field.name, ""),
            _default(field),
            is_secret=field.encode_name in SECRET_FIELDS,
            is_flag=field.type is bool,
            is_number=field.type in (int, float),
        )
        for field in msgspec.structs.fields(module.Settings)
    ]
    fields.sort(key=lambda field: field.default is not None)  # what must be told comes first
    return EngineFacts(name, meaning, fields)


def _default(field: msgspec.structs.FieldInfo) -> str | None:
    if field.default is msgspec.NODEFAULT:
        return None if field.default_factory is msgspec.NODEFAULT else ""
    return str(field.default).lower() if isinstance(field.default, bool) else str(field.default)


def _meanings(settings: Any) -> Mapping[str, str]:
    """By name; of what settings inherit as well."""
    found: dict[str, str] = {}
    for each in settings.__mro__:
        told = _ATTRIBUTES.search(f"\n{inspect.cleandoc(each.__doc__ or '')}")
        for names, meaning in _ATTRIBUTE.findall(told[1] if told else ""):
            for name in names.split(","):
                found.setdefault(name.strip(), " ".join(meaning.split()))
    return found
