"""Which formats are spoken, and whether a request means one of them.

The extension decides; else the Accept header, where it names a format; else JSON. Content-Type is
never asked: real clients label JSON as a form, as CSV, or not at all.

Source: Xively API v2, data formats.
"""

from thingtank.protocols.xively.errors import NotAcceptable

FORMATS = ("json",)

_FORMAT_OF_TYPE = {
    "application/json": "json",
    "application/xml": "xml",
    "text/xml": "xml",
    "text/csv": "csv",
    "application/csv": "csv",  # one client's name for it
    "image/png": "png",
}
_ANYTHING = (None, b"", b"*/*")


def select_format(extension: str, accept: bytes | None) -> str:
    """The format of a request's body and of its answer.

    Args:
        extension: of the path, blank when it had none.
        accept: the Accept header.

    Raises:
        NotAcceptable: a format is meant that is not spoken.
    """
    if extension:
        return _spoken(extension)
    if accept in _ANYTHING:
        return "json"
    types = [item.partition(";")[0].strip() for item in accept.decode("latin-1").lower().split(",")]
    named = [_FORMAT_OF_TYPE[name] for name in types if name in _FORMAT_OF_TYPE]
    for name in named:
        if name in FORMATS:
            return name
    # Browsers name XML and then take anything; only who takes nothing else is refused.
    if not named or "*/*" in types:
        return "json"
    return _spoken(named[0])


def _spoken(name: str) -> str:
    if name not in FORMATS:
        raise NotAcceptable(
            f"format {name[:16]} is not available here; ask for {' or '.join(FORMATS)}"
        )
    return name
