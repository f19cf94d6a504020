"""Writes XML that is well-formed whatever the texts hold."""

import re
from xml.etree.ElementTree import Element, SubElement, tostring

_DECLARATION = b'<?xml version="1.0" encoding="UTF-8"?>\n'
# XML 1.0, 2.2: all others have no form in a document, not even escaped.
_NO_CHARACTER = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_REPLACEMENT = "\ufffd"


def add(
    parent: Element, name: str, text: str = "", attributes: dict[str, str] | None = None
) -> Element:
    """Add an element with a text and attributes, in the order given."""
    child = SubElement(parent, name, _safe_attributes(attributes) if attributes else {})
    if text:
        child.text = safe_text(text)
    return child


def add_named(parent: Element, texts: dict[str, str]) -> None:
    """Add an element for each text that is not blank."""
    for name, text in texts.items():
        if text:
            add(parent, name, text)


def root(name: str, attributes: dict[str, str] | None = None) -> Element:
    """The element that a document begins with."""
    return Element(name, _safe_attributes(attributes or {}))


def document(element: Element) -> bytes:
    """The document of a root."""
    text = tostring(element, encoding="unicode")
    return _DECLARATION + text.replace("\r", "&#13;").encode()  # else read as a line feed (2.11)


def safe_text(text: str) -> str:
    """A text with characters that XML lacks replaced by U+FFFD."""
    return _NO_CHARACTER.sub(_REPLACEMENT, text)


def _safe_attributes(attributes: dict[str, str]) -> dict[str, str]:
    return {name: safe_text(value) for name, value in attributes.items()}
