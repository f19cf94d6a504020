"""Reads XML from strangers: bounded, and without what XML can be abused for.

A document type declaration is refused as soon as it begins, and with it every entity of one's own,
internal or external: no expansion, no file, no request. What is left is bounded by depth, by count
and by length. defusedxml sets the parser (expat) up; the bounds are ours.
"""

import re
from typing import Any, NoReturn
from xml.etree.ElementTree import Element, ParseError, TreeBuilder

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import DefusedXMLParser

from thingtank.protocols.xively.errors import MalformedXml

DEPTH_MAX = 16  # the deepest documents, keys with resources, have 6
NODES_MAX = 50_000
ATTRIBUTES_MAX = 32
TEXT_CHARS_MAX = 65_536
# Others would be decoded by whichever codec of Python has the name.
ENCODINGS = frozenset({"utf-8", "us-ascii", "ascii", "iso-8859-1", "windows-1252", "utf-16"})

_POSITION = re.compile(r": line \d+, column \d+\Z", re.ASCII)
# The service's words, where they are known.
_SERVICE_WORDS = {"mismatched tag": "element start and end names do not match"}


class _BoundedBuilder:
    """Builds the tree while a document is within the bounds; names lose their namespaces."""

    def __init__(self) -> None:
        self._builder = TreeBuilder()
        self._depth = 0
        self._nodes = 0
        self._text_chars = 0

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        self._depth += 1
        self._nodes += 1
        self._text_chars = 0
        if self._depth > DEPTH_MAX:
            raise MalformedXml(f"elements are nested more than {DEPTH_MAX} deep")
        if self._nodes > NODES_MAX:
            raise MalformedXml(f"there are more than {NODES_MAX} elements")
        if len(attributes) > ATTRIBUTES_MAX:
            raise MalformedXml(f"an element has more than {ATTRIBUTES_MAX} attributes")
        self._builder.start(tag.rpartition("}")[2], attributes)

    def data(self, text: str) -> None:
        self._text_chars += len(text)
        if self._text_chars > TEXT_CHARS_MAX:
            raise MalformedXml(f"a text has more than {TEXT_CHARS_MAX} characters")
        self._builder.data(text)

    def end(self, tag: str) -> None:
        self._depth -= 1
        self._text_chars = 0
        self._builder.end(tag.rpartition("}")[2])

    def close(self) -> Element:
        return self._builder.close()


def read_xml(body: bytes) -> Element:
    """Read a document: its root; the names of elements are without their namespaces.

    Raises:
        MalformedXml: with the place, `… at LINE:COLUMN`, counted from 1.
    """
    parser = DefusedXMLParser(forbid_dtd=True, target=_BoundedBuilder())
    expat: Any = parser.parser
    expat.XmlDeclHandler = _check_encoding
    try:
        # Whole: expat reads a long token again for each piece of it. Blank lines before a
        # declaration are not XML, and are sent.
        parser.feed(body.lstrip(b" \t\r\n"))
        root: Element = parser.close()
    except ParseError as error:
        _refuse(_POSITION.sub("", str(error)), *error.position)
    except DefusedXmlException:
        line, column = expat.CurrentLineNumber, expat.CurrentColumnNumber
        _refuse("document type declarations are not allowed", line, column)
    except MalformedXml as error:
        _refuse(str(error), expat.CurrentLineNumber, expat.CurrentColumnNumber)
    return root


def _check_encoding(version: str, encoding: str | None, standalone: int) -> None:
    if encoding is not None and encoding.lower() not in ENCODINGS:
        raise MalformedXml(f"encoding {encoding[:32]} is not read")


def _refuse(reason: str, line: int, column: int) -> NoReturn:
    words = _SERVICE_WORDS.get(reason, reason)
    raise MalformedXml(f"invalid format, {words} at {line}:{column + 1}") from None


def text_of(parent: Element, name: str) -> str | None:
    """The stripped text of a child, blank when it is empty; None when there is no such child.

    Raises:
        MalformedXml: there are several.
    """
    child = child_of(parent, name)
    return None if child is None else own_text(child)


def own_text(element: Element) -> str:
    """An element's stripped text."""
    return (element.text or "").strip()


def child_of(parent: Element, name: str) -> Element | None:
    """The only child of a name; None when there is none.

    Raises:
        MalformedXml: there are several.
    """
    found = parent.findall(name)
    if len(found) > 1:
        raise MalformedXml(f"Multiple '{name}' nodes are not permitted in '{parent.tag[:32]}'")
    return found[0] if found else None
