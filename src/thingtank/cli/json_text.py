"""JSON that may be shown by a terminal, whoever wrote what is in it."""

import json
from typing import Any


def json_text(value: Any, indent: int | None = None) -> str:
    """A value as JSON: other languages' letters as they are, and escaped what a terminal obeys.

    `json` escapes the control characters of ASCII alone; a terminal obeys those up to U+009F as
    well (ECMA-48, C1), and marks turn the direction of what follows. It is the same JSON.

    Args:
        indent: spaces for each level, on lines of their own; None for one line.
    """
    text = json.dumps(value, ensure_ascii=False, indent=indent)
    return "\n".join(map(escaped, text.split("\n")))  # those of `indent`: no text has one raw


def escaped(text: str) -> str:
    r"""A text with what is not printable as JSON escapes it: `\u009b`, `\n`."""
    if text.isprintable():
        return text
    return "".join(sign if sign.isprintable() else json.dumps(sign)[1:-1] for sign in text)
