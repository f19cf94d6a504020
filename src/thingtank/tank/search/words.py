"""What counts as a word of a text, and how much a word says about a device."""

import re
import unicodedata
from collections.abc import Iterable
from functools import lru_cache

from thingtank.tank.things import Datastream, Device

WORD_CHARS_MAX = 64  # what is longer is cut, in texts and in queries alike
WORDS_PER_DEVICE_MAX = 2000  # title, tags and names first; the rest of a description is not found

WEIGHT_TITLE = 3
WEIGHT_NAME = 2
WEIGHT_DESCRIPTION = 1

# Scripts that write words without blanks between them: each of their characters is a word.
_UNSPACED = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff"
# Signs that Indic and South-East Asian words hold, though they are no letters by themselves.
_SIGNS = "\u0900-\u0963\u0966-\u0eff"
_WORD = re.compile(rf"[{_UNSPACED}]|(?:[^\W_{_UNSPACED}]|[{_SIGNS}])+")
_ASCII_WORD = re.compile(r"[A-Za-z0-9]+")
_HUMP = re.compile(r"(?<=[a-z])(?=[A-Z])")


def words_of(text: str) -> list[str]:
    """The words to find a text by: without case and accents, `outdoorTemp` also by its parts."""
    text = _plain(text)
    tokens = _tokens(text)
    words = [token.casefold()[:WORD_CHARS_MAX] for token in tokens]
    if _HUMP.search(text):
        for token in tokens:
            parts = _HUMP.split(token)
            if len(parts) > 1:
                words += [part.casefold()[:WORD_CHARS_MAX] for part in parts]
    return words


def query_words(text: str) -> list[str]:
    """The words a query asks for, each once."""
    return list(dict.fromkeys(token.casefold()[:WORD_CHARS_MAX] for token in _tokens(_plain(text))))


def _plain(text: str) -> str:
    """A text without accents and the like."""
    if text.isascii():
        return text
    decomposed = unicodedata.normalize("NFKD", text)
    return "".join(char for char in decomposed if not unicodedata.combining(char))


def _tokens(text: str) -> list[str]:
    pattern = _ASCII_WORD if text.isascii() else _WORD  # the same in half the time
    return pattern.findall(text)


@lru_cache(8192)
def words_of_name(name: str) -> tuple[str, ...]:
    """The words of a short text that many things have, such as a tag or a login."""
    return tuple(words_of(name))


def weighed_words(device: Device, datastreams: Iterable[Datastream]) -> dict[str, int]:
    """All words that a device is found by, each with the greatest of its weights.

    The login of its owner is not among them, because it may change without the device.
    """
    words = dict.fromkeys(words_of(device.title), WEIGHT_TITLE)
    names = list(device.tags)
    for datastream in datastreams:
        names.append(datastream.name)
        names += datastream.tags
    for name in names:
        for word in words_of_name(name):
            if word not in words:
                words[word] = WEIGHT_NAME
    for word in words_of(device.description):
        if len(words) >= WORDS_PER_DEVICE_MAX:
            break
        words.setdefault(word, WEIGHT_DESCRIPTION)
    if len(words) > WORDS_PER_DEVICE_MAX:
        words = dict(list(words.items())[:WORDS_PER_DEVICE_MAX])
    return words
