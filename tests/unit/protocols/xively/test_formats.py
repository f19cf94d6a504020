"""Which format a request means, and that each resource's formats have who reads and writes them."""

from collections.abc import Sequence
from typing import get_args

import pytest

from thingtank.protocols.xively import paths
from thingtank.protocols.xively.errors import NotAcceptable
from thingtank.protocols.xively.formats import (
    CONTENT_TYPES,
    FEED_CODECS,
    FEED_FORMATS,
    FORMATS,
    default_format,
    select_format,
)

BROWSER = b"text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8"
SELECTED: list[tuple[str, bytes | None, Sequence[str], str]] = [
    ("", None, FEED_FORMATS, "json"),
    ("", b"", FEED_FORMATS, "json"),
    ("", b"*/*", FEED_FORMATS, "json"),
    ("xml", None, FEED_FORMATS, "xml"),
    ("csv", b"application/json", FEED_FORMATS, "csv"),
    ("", b"application/xml", FEED_FORMATS, "xml"),
    ("", b"text/xml; charset=utf-8", FEED_FORMATS, "xml"),
    ("", b"text/csv", FEED_FORMATS, "csv"),
    ("", b"application/csv", FEED_FORMATS, "csv"),
    ("", b"Application/XML, application/json", FEED_FORMATS, "xml"),
    ("", b"nonsense", FEED_FORMATS, "json"),
    ("", BROWSER, FEED_FORMATS, "json"),
    ("", b"text/html", FEED_FORMATS, "json"),
    ("", b"image/png", FORMATS[paths.DatastreamPath], "png"),
    ("", b"image/avif,image/png,*/*", FEED_FORMATS, "json"),
    ("", b"text/csv, application/xml", ("json", "xml"), "xml"),
    ("", b"text/csv, */*", ("json", "xml"), "json"),
]


@pytest.mark.parametrize(("extension", "accept", "spoken", "name"), SELECTED)
def test_1_1_the_extension_decides_then_accept_then_json(
    extension: str, accept: bytes | None, spoken: Sequence[str], name: str
) -> None:
    assert select_format(extension, accept, spoken) == name


def test_8_2_v1_means_xml_when_nothing_is_named() -> None:
    assert select_format("", b"*/*", FEED_FORMATS, default_format(1)) == "xml"
    assert select_format("", BROWSER, FEED_FORMATS, default_format(1)) == "xml"
    assert default_format(2) == "json"


REFUSED: list[tuple[str, bytes | None, type[paths.XivelyPath]]] = [
    ("pdf", None, paths.FeedPath),
    ("png", None, paths.FeedPath),
    ("csv", None, paths.TriggersPath),
    ("csv", b"application/json", paths.KeyPath),
    ("xml", None, paths.ProductPath),
    ("xml", None, paths.ActivationPath),
    ("", b"text/csv", paths.KeysPath),
    ("", b"image/png;q=1", paths.FeedPath),
]


@pytest.mark.parametrize(("extension", "accept", "kind"), REFUSED)
def test_1_1_what_the_resource_lacks_is_refused(
    extension: str, accept: bytes | None, kind: type[paths.XivelyPath]
) -> None:
    with pytest.raises(NotAcceptable, match="is not available here; ask for json"):
        select_format(extension, accept, FORMATS[kind])


def test_every_resource_has_formats_and_every_format_a_type() -> None:
    assert set(FORMATS) == set(get_args(paths.XivelyPath))
    assert {name for row in FORMATS.values() for name in row} == set(CONTENT_TYPES)
    assert set(FEED_CODECS) == {(version, name) for version in (1, 2) for name in FEED_FORMATS}
