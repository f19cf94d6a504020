"""The settings file as a document of TOML, and in words what is wrong with one that is none."""

import os
import re
import stat
import tomllib
from pathlib import Path
from typing import Any

DIGITS_MAX = 4300  # more, and Python makes no number of them

_PLACE = re.compile(r"(.*) \(at (?:line (\d+), column \d+|end of document)\)", re.DOTALL)
_DIGITS = re.compile(rf"\d{{{DIGITS_MAX + 1}}}")
_TWICE = re.compile(r"Cannot declare \((.*?),?\) twice|Duplicate inline table key (.*)")
_WORDS = (
    ("Cannot overwrite a value", "this name has a value already: give each setting once"),
    ("Invalid value", "what follows `=` is no value: one of text stands in quotes"),
    ("Expected newline or end of document after a statement",
     "the line goes on behind its value: text stands in quotes, and each setting in a line"),
    ("Expected '=' after a key in a key/value pair", "a setting is written NAME = VALUE"),
    ("Expected ']' at the end of a table declaration",
     "the name of a section ends with ], as in [web]"),
    ("Expected ']]' at the end of an array declaration",
     "the name of such a section ends with ]], as in [[sinks.rules]]"),
    ("Unterminated string", "a text has no quote at its end"),
    ("Illegal character '\\n'", "a text has no quote at the end of its line"),
    ("Found invalid character '\\n'", "a text has no quote at the end of its line"),
    ('Expected "\'"', "a text has no quote at the end of its line"),
    ("Unclosed array", "a list has no ] at its end"),
    ("Invalid statement", "this is no setting and no section: NAME = VALUE, or [SECTION]"),
)  # fmt: skip


class BadFile(Exception):
    """It cannot be read, or is no TOML; the message says so behind the file's name."""


def read_document(file: Path) -> dict[str, Any]:
    """What the file holds; nothing if there is none.

    Raises:
        BadFile.
    """
    try:
        content = _content_of(file)
    except (FileNotFoundError, NotADirectoryError):
        if file.is_symlink():
            raise BadFile(f"is a link to {os.readlink(file)}, which is not there") from None
        return {}
    except OSError as error:
        raise BadFile(f"cannot be read: {error.strerror}") from None
    try:
        text = content.decode("utf-8-sig")  # some editors of Windows write its mark
        return tomllib.loads(text)
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise BadFile(f"is not TOML: line {line}: it is not UTF-8; save it as UTF-8") from None
    except RecursionError:
        raise BadFile("is not TOML: it is nested too deep") from None
    except ValueError as error:
        raise BadFile(f"is not TOML: {_words_of(error, text)}") from None


def _content_of(file: Path) -> bytes:
    """Its bytes. What is read from a pipe, whoever writes to it, would be waited for."""
    mode = file.stat().st_mode
    if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode) and str(file) != os.devnull:
        raise BadFile("is no file but a pipe or a device; settings are read from a file")
    return file.read_bytes()


def _words_of(error: ValueError, text: str) -> str:
    placed = _PLACE.fullmatch(str(error))
    if placed is None:  # Python's, of a number
        huge = _DIGITS.search(text)
        line = text.count("\n", 0, huge.start()) + 1 if huge else 1
        return f"line {line}: a number has too many digits"
    said, line_word = placed.groups()
    line = int(line_word) if line_word else text.rstrip("\n").count("\n") + 1
    return f"line {line}: {_own_words(said)}"


def _own_words(said: str) -> str:
    if twice := _TWICE.fullmatch(said):
        names = re.findall(r"'([^']*)'", said)
        what = f"the section [{'.'.join(names)}]" if twice[1] else f"`{names[0]}`"
        return f"{what} is here a second time: put all of it into one"
    return next((words for theirs, words in _WORDS if said.startswith(theirs)), said)
