"""URLs that may hold a password, as they may be shown."""

import re

_USER = re.compile(r"(?<=://)(.*)(?=@)", re.S)  # to the last @: a password may be badly written
_SECRET_OPTION = re.compile(
    r"([?&][^=&]*(?:pass|secret|token|mechanismproperties)[^=&]*=)[^&#]+", re.I
)


def shown_url(url: str) -> str:
    """A URL without passwords."""
    without = _USER.sub(
        lambda found: f"{found[1].partition(':')[0]}:…" if ":" in found[1] else found[1], url
    )
    return _SECRET_OPTION.sub(r"\1…", without)
