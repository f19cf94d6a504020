"""Blots secrets out of texts of any form: forms, CSV, XML, broken documents, prose.

A text is searched for names of secrets, and what follows one is blotted: a quoted value, an
element's content, else the rest of the line or of the text. Passwords in addresses are known by
their place, and keys of ours by how they look.
"""

import html
import re
from urllib.parse import unquote_plus

from thingtank.net.secret_names import NAME_CHARS_MAX, is_secret
from thingtank.tank.request_log import BLOT

_SHORT_CHARS = 40  # than a key of ours
NAMES_MAX = 64  # of secrets in one text; behind them, all is taken for one

_NAME = re.compile(rf"[\w.\-\[\]$]{{1,{NAME_CHARS_MAX}}}")
_ELEMENT_BEGINS = re.compile(r"<(?:[\w.\-]{1,60}:)?$")
_QUOTED = r"\"(?:[^\"\\]|\\.)*\"?|'(?:[^'\\]|\\.)*'?"
_BETWEEN = r"[\"'\\]{0,3}\s{0,8}(?:=>|[:=])\s{0,8}"
# In prose: only what says that it gives a value. Elsewhere: a list, a row and all below it, too.
_VALUE = re.compile(rf"({_BETWEEN})({_QUOTED}|[\[{{].*|[^&\n<]+)", re.DOTALL)
_ROW = re.compile(r"([\"']?[ \t]*[,;|\t\n ])(.+)", re.DOTALL)
_ATTRIBUTE = re.compile(rf"([\"']\s{{1,8}}(?:value|content)\s{{0,8}}=\s{{0,8}})({_QUOTED})")
_CONTENT = re.compile(
    r"([\"']?(?:\s[^<>]{0,400})?>)([^<]*(?:<!\[CDATA\[.*?(?:\]\]>|$))?)", re.DOTALL
)

_USER = re.compile(r"(://[^/\s:@\"'<>]{0,200}:)[^\s\"'<>]{1,400}@")
_SCHEME = re.compile(r"\b(Basic|Bearer|Digest)( +)[\w.~+/=\-]{4,}", re.IGNORECASE)
_RUN = re.compile(
    r"(?<![\w-])(?=[\w-]{0,63}[0-9])(?=[\w-]{0,63}[A-Za-z])[A-Za-z0-9_-]{40,64}(?![\w-])"
)
_ESCAPE = re.compile(r"\\u([0-9a-fA-F]{4})")


def is_form(text: str) -> bool:
    """Whether a text looks like a form's or a query's."""
    is_all = all("=" in each for each in text.split("&"))
    return is_all and not any(char in text for char in "{[<\n \t")


def names_secret(text: str) -> bool:
    """Whether anything in a text is called like a secret."""
    return any(is_secret(name[0]) for name in _NAME.finditer(text))


def blotted_form(text: str) -> str:
    """A form or a query, as it was written but for its secrets."""
    return "&".join(map(_blotted_parameter, text.split("&")))


def _blotted_parameter(parameter: str) -> str:
    name, equals, value = parameter.partition("=")  # both may be percent-encoded
    if not equals:
        return _by_look(parameter)
    if is_secret(unquote_plus(name)):
        return f"{name}={BLOT}"
    if (plain := unquote_plus(value)) != blotted_string(plain):
        return f"{_by_look(name)}={BLOT}"
    return f"{_by_look(name)}={value}"


def blotted_string(text: str) -> str:
    """A string of a document, or of a person: only what is said to be a value is taken for one."""
    if len(text) < _SHORT_CHARS and not any(char in text for char in "=: "):
        return text  # as most are
    return _by_look(_by_name(text, is_prose=True))


def blotted_text(text: str) -> str:
    """A text of any form, as it was written but for its secrets."""
    blotted = _by_name(text, is_prose=False)
    plain = _unescaped(text)
    if plain != text:
        unescaped = _by_name(plain, is_prose=False)
        # Names that only an escape hides: then it is shown without escapes.
        if unescaped.count(BLOT) - plain.count(BLOT) > blotted.count(BLOT) - text.count(BLOT):
            blotted = unescaped
    return _by_look(blotted)


def _unescaped(text: str) -> str:
    """A text as its reader might read it."""
    text = _ESCAPE.sub(lambda found: chr(int(found[1], 16)), text)
    text = html.unescape(text) if "&" in text else text
    text = unquote_plus(text) if "%" in text else text
    return text.encode("utf-8", "replace").decode()  # without halves of characters


def _by_name(text: str, *, is_prose: bool) -> str:
    parts: list[str] = []
    done = found_count = 0
    for name in _NAME.finditer(text):
        if name.start() < done or not is_secret(name[0]):
            continue
        found_count += 1
        if found_count > NAMES_MAX:
            return "".join((*parts, text[done : name.end()], BLOT))
        value = _value_after(text, name, is_prose=is_prose)
        if value is None:
            continue
        first, end = value
        is_quoted = text[first] in "\"'" and end - first > 1 and text[end - 1] == text[first]
        blot = f"{text[first]}{BLOT}{text[first]}" if is_quoted else BLOT
        parts += (text[done:first], blot)
        done = end
    return "".join((*parts, text[done:]))


def _value_after(text: str, name: re.Match[str], *, is_prose: bool) -> tuple[int, int] | None:
    """Where the value begins and ends that a name of a secret is followed by; None without one."""
    at = name.end()
    if found := _VALUE.match(text, at):
        return found.span(2)
    if is_prose:
        return None
    if begins := _ELEMENT_BEGINS.search(text, max(0, name.start() - 64), name.start()):
        first = text.find(">", at) + 1
        if not first:
            return (at, len(text)) if at < len(text) else None
        ends = text.find(f"</{text[begins.start() + 1 : at]}", first)
        return first, ends if ends > 0 else len(text)
    if text[max(0, name.start() - 64) : name.start()].rpartition("<")[2].startswith("/"):
        return None  # an element's end
    for pattern in (_ATTRIBUTE, _CONTENT, _ROW):
        found = pattern.match(text, at)
        if found and found[2].strip():
            return found.span(2)
    return None


def _by_look(text: str) -> str:
    if "@" in text:
        text = _USER.sub(rf"\1{BLOT}@", text)
    text = _SCHEME.sub(rf"\1\2{BLOT}", text)
    return _RUN.sub(BLOT, text)
