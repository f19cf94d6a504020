"""The archive as a job's input: which feeds and channels, which times, and a line a datapoint."""

from collections.abc import Mapping, Sequence
from urllib.parse import parse_qsl, unquote, urlsplit

import msgspec

from thingtank.batch.job import BatchFailed

SCHEME = "archive:"
_FORM = "archive:feed/7/temperature?start=2026-11-01&end=2026-12-01"
_ESCAPES = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"})


class ArchiveInput(msgspec.Struct, frozen=True):
    """What of the archive is a job's input.

    Attributes:
        feed: id or uuid; blank for all.
        channel: blank for all.
        start, end: ISO 8601, included and excluded; blank for no bound.
    """

    feed: str = ""
    channel: str = ""
    start: str = ""
    end: str = ""


def archive_input(text: str) -> ArchiveInput:
    """Read `archive:feed/ID/CHANNEL?start=…&end=…`; each part of it may be left out.

    Raises:
        BatchFailed: it is not of this form.
    """
    url = urlsplit(text)
    words = [unquote(word) for word in url.path.split("/") if word]
    terms: Mapping[str, str] = dict(parse_qsl(url.query, keep_blank_values=True))
    known = {"start", "end"}
    if url.scheme + ":" != SCHEME or len(words) not in (0, 2, 3) or terms.keys() - known:
        raise BatchFailed(f"{text!r} is no input of the archive; one is like {_FORM}")
    if words and words[0] != "feed":
        raise BatchFailed(f"{text!r} is no input of the archive; one is like {_FORM}")
    _, feed, channel = [*words, "", "", ""][:3]
    return ArchiveInput(feed, channel, terms.get("start", ""), terms.get("end", ""))


def line_of(row: Sequence[object]) -> str:
    r"""A datapoint's line: feed, channel, time and value, with tabs between them.

    A backslash, tab or line end in one is written as `\\`, `\t`, `\n`, `\r`.
    """
    return "\t".join(str(cell).translate(_ESCAPES) for cell in row) + "\n"
