"""What the API v1 shows differently in each of its formats: links, and times without fraction."""

import re

_FRACTION = re.compile(r"\.\d+")

VERSION = "0.6-alpha"


def whole_seconds(at: str) -> str:
    """A time as v1 writes it: `2011-02-22T14:28:50Z`."""
    return _FRACTION.sub("", at)


def feed_link(link: str, extension: str) -> str:
    """The address of a feed under `/v1`, for the one that it has under `/v2`."""
    before, found, feed_id = link.removesuffix(".json").rpartition("/v2/feeds/")
    return f"{before}{'/v1/feeds/' if found else ''}{feed_id}.{extension}"
