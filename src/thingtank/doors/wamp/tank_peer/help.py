"""What the procedures say of themselves: for `tank.help` and for the reference page."""

import inspect
import re
from functools import cache
from typing import Any

import msgspec

from thingtank.doors.wamp.tank_peer.error_table import ROWS
from thingtank.doors.wamp.tank_peer.procedures import PROCEDURES, Procedure
from thingtank.protocols.wamp.meta_calls import INVALID_ARGUMENT
from thingtank.tank import errors
from thingtank.tank.errors import TankError, ValidationFailed

HELP = "tank.help"
_ABOUT_HELP = "List the tank's procedures, or tell of one of them what it takes."
_SECTION = re.compile(r"^(Args|Returns|Raises|Source):(.*)$")
_ARGUMENT = re.compile(r"^    ((?:\w+)(?:, \w+)*): (.*)$")
_ERRORS_OF_PARAMETERS = {"feed": {"NoSuchDevice"}, "user": {"NoSuchAccount", "Unauthenticated"}}
_WORD = re.compile(r"\w+")


class Help(msgspec.Struct, frozen=True):
    """What there is to know of a procedure.

    Attributes:
        signature: its arguments as Python writes them.
        summary: one sentence. text: what else there is to say.
        args: the meaning of arguments by their names, several together where they are alike.
        errors: URIs.
    """

    procedure: str
    signature: str
    summary: str
    text: str
    args: dict[str, str]
    returns: str
    errors: list[str]


@cache
def help_of(procedure: Procedure) -> Help:
    """Read what a function's docstring and signature say; once, for it takes a millisecond."""
    summary, _, rest = (inspect.getdoc(procedure.function) or "").partition("\n")
    sections: dict[str, list[str]] = {"": []}
    current = sections[""]
    for line in rest.splitlines():
        if found := _SECTION.match(line):
            current = sections[found[1]] = [found[2]]
        else:
            current.append(line)
    return Help(
        procedure.uri,
        f"{procedure.uri}({_signature(procedure)})",
        summary,
        _joined(sections[""]),
        _args(sections.get("Args", [])),
        _joined(sections.get("Returns", [])),
        _errors(procedure, sections.get("Raises", [])),
    )


def _signature(procedure: Procedure) -> str:
    signature = inspect.signature(procedure.function)
    parameters = list(signature.parameters.values())[1:]
    plain = [parameter.replace(annotation=inspect.Parameter.empty) for parameter in parameters]
    text = str(signature.replace(parameters=plain, return_annotation=inspect.Signature.empty))
    return text[1:-1]


def _args(lines: list[str]) -> dict[str, str]:
    args: dict[str, str] = {}
    names = ""
    for line in lines:
        if found := _ARGUMENT.match(line):
            names = found[1]
            args[names] = found[2]
        elif names and line.strip():
            args[names] += f" {line.strip()}"
    return args


def _errors(procedure: Procedure, own: list[str]) -> list[str]:
    """URIs of the errors that the docstrings of action and function name, and of parameters."""
    words = set(_WORD.findall(" ".join(own)))
    _, _, of_action = (inspect.getdoc(procedure.action) or "").partition("Raises:")
    words |= set(_WORD.findall(of_action))
    if procedure.action is not None:
        for parameter in inspect.signature(procedure.function).parameters:
            words |= _ERRORS_OF_PARAMETERS.get(parameter, set())
    kinds = [kind for word in words if (kind := getattr(errors, word, None)) is not None]
    uris = {_uri(kind) for kind in kinds if isinstance(kind, type) and issubclass(kind, TankError)}
    return sorted(uris | {INVALID_ARGUMENT})


def _uri(kind: type[TankError]) -> str:
    return next(uri for row, uri, _ in ROWS if issubclass(kind, row))


def _joined(lines: list[str]) -> str:
    return " ".join(line.strip() for line in lines).strip()


@cache
def _summaries() -> dict[str, str]:
    summaries = {procedure.uri: help_of(procedure).summary for procedure in PROCEDURES}
    return {HELP: _ABOUT_HELP, **summaries}


def answer_help(uri: str | None) -> Any:
    """The answer of `tank.help`.

    Args:
        uri: a procedure's; None for a list of all.

    Raises:
        ValidationFailed: there is none.
    """
    if uri is None:
        return _summaries()
    for procedure in PROCEDURES:
        if procedure.uri == uri:
            return msgspec.to_builtins(help_of(procedure))
    raise ValidationFailed([("procedure", "is none of the tank's; tank.help lists them")])
