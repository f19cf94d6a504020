"""What a request asks, out of its query and its body: forms, JSON, and JSON sent as a form.

Programs of 2014 sent `curl -d '{"devices": …}'`, whose content type says form.

Source: SkyNet, restify's body and query parsers with `mapParams`; Meshblu, Express and qs.
"""

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import parse_qsl

import msgspec

from thingtank.protocols.json_bounds import has_more_items, is_deeper

PARAMETERS_MAX = 500
NESTING_MAX = 8
JSON_DEPTH_MAX = 64
JSON_ITEMS_MAX = 100_000

_decode = msgspec.json.decode


class BadParameters(ValueError):
    """A query or body that cannot be read; the message says why."""


class Body(msgspec.Struct, frozen=True, gc=False):
    """A body that was read.

    Attributes:
        values: its members or fields.
        is_form: its values came as text, whatever they mean.
    """

    values: dict[str, Any]
    is_form: bool = False


EMPTY = Body({})


def read_query(query: bytes) -> dict[str, Any]:
    """The parameters of a query, as text; `a[b]=c` and `a[]=c` make objects and lists.

    Raises:
        BadParameters.
    """
    return nested(_pairs(query)) if query else {}


def read_json(body: bytes) -> dict[str, Any]:
    """The members of a JSON object.

    Raises:
        BadParameters: it is none, or is beyond the bounds.
    """
    try:
        values = _decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise BadParameters("the body is not JSON") from None
    if _is_too_much(body):
        raise BadParameters(
            f"the body is nested deeper than {JSON_DEPTH_MAX}, or has more than {JSON_ITEMS_MAX} "
            "parts"
        )
    if not isinstance(values, dict):
        raise BadParameters("the body is not a JSON object")
    return values


def is_json(content_type: bytes) -> bool:
    """Whether a content type says JSON."""
    name = content_type.partition(b";")[0].strip().lower()
    return name == b"application/json" or name.endswith(b"+json")


def read_body(body: bytes, content_type: bytes) -> Body:
    """Read a body.

    Args:
        content_type: as sent; blank for none, which is taken for a form.

    Raises:
        BadParameters.
    """
    if not body or body.isspace():
        return EMPTY
    if is_json(content_type):
        return Body(read_json(body))
    if content_type.lstrip().lower().startswith(b"multipart/"):
        raise BadParameters("multipart bodies are not read; send a form or JSON")
    if body.lstrip()[:1] == b"{":
        try:
            return Body(read_json(body))
        except BadParameters:
            if b"=" not in body:  # no form either
                raise
    return Body(nested(_pairs(body.strip())), is_form=True)


def decoded(value: Any) -> Any:
    """A text's value, where it is JSON: `5` is a number and `null` nothing; else as it is.

    So is JSON beyond the bounds of a body's.

    Source: SkyNet, `PUT /devices/:uuid`.
    """
    if not isinstance(value, str):
        return value
    try:
        found = _decode(value)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return value
    return value if _is_too_much(value.encode()) else found


def _is_too_much(text: bytes) -> bool:
    return is_deeper(text, JSON_DEPTH_MAX) or has_more_items(text, JSON_ITEMS_MAX)


def _pairs(encoded: bytes) -> Sequence[tuple[str, str]]:
    try:
        return parse_qsl(
            encoded.decode("utf-8", "replace"),
            keep_blank_values=True,
            max_num_fields=PARAMETERS_MAX,
        )
    except ValueError:
        raise BadParameters(f"there are more than {PARAMETERS_MAX} parameters") from None


def nested(pairs: Sequence[tuple[str, str]]) -> dict[str, Any]:
    """Parameters by name; a name that comes again makes a list.

    Source: qs: `a[b]=c` is an object in an object, `a[0]=c` and `a[]=c` are lists.
    """
    values: dict[str, Any] = {}
    has_lists = False
    for name, value in pairs:
        if name.endswith("]") and "[" in name:
            has_lists = True
            _put(values, name, value)
        elif name in values:
            old = values[name]
            values[name] = [*old, value] if isinstance(old, list) else [old, value]
        else:
            values[name] = value
    return {name: _with_lists(value) for name, value in values.items()} if has_lists else values


def _put(values: dict[str, Any], name: str, value: str) -> None:
    """Put a value where a name with brackets says; one that fits nowhere stays as it is named."""
    first, _, rest = name[:-1].partition("[")
    steps = [first, *rest.split("][")]
    target = values
    if len(steps) > NESTING_MAX or not first:
        values[name] = value
        return
    for step in steps[:-1]:
        inner = target.setdefault(step or str(len(target)), {})
        if not isinstance(inner, dict):
            values[name] = value
            return
        target = inner
    target[steps[-1] or str(len(target))] = value


def _with_lists(value: Any) -> Any:
    """Objects whose names are 0, 1, 2 … are lists."""
    if not isinstance(value, dict):
        return value
    inner = {name: _with_lists(member) for name, member in value.items()}
    if inner and all(name == str(number) for number, name in enumerate(inner)):
        return list(inner.values())
    return inner


def texts(values: Mapping[str, Any]) -> dict[str, str]:
    """A form's values as one text each: lists are joined by commas.

    Source: SkyNet, `POST /devices` until July 2014.
    """
    return {
        name: ",".join(map(str, value)) if isinstance(value, list) else str(value)
        for name, value in values.items()
    }
