"""The paths of SkyNet's and Meshblu's REST API, of all generations.

A trailing slash means the same path; letters count as they are, and steps may be percent-encoded.

Source: SkyNet, server.js, 2013 to 2014; Meshblu, lib/httpRoutes, and meshblu-core's HTTP adapter.
"""

from collections.abc import Mapping
from functools import lru_cache
from urllib.parse import unquote

import msgspec

PATH_CHARS_MAX = 1024

# A step that begins with a colon is a name for whatever stands there. Of several that fit, the
# first counts.
PATTERNS = (
    "/",
    "/status",
    "/ipaddress",
    "/healthcheck",
    "/publickey",
    "/devices",
    "/devices/micro",
    "/devices/:uuid",
    "/devices/:uuid/publickey",
    "/devices/:uuid/token",
    "/devices/:uuid/tokens",
    "/devices/:uuid/tokens/:token",
    "/mydevices",
    "/mydevices/:uuid",
    "/localdevices",
    "/unclaimeddevices",
    "/claimdevice/:uuid",
    "/messages",
    "/broadcasts",
    "/inboundsms",
    "/events/:uuid",
    "/data/:uuid",
    "/subscribe",
    "/subscribe/:uuid",
    "/subscribe/:uuid/broadcast",
    "/subscribe/:uuid/received",
    "/subscribe/:uuid/sent",
    "/authenticate",
    "/authenticate/:uuid",
    "/gateway/:uuid",
    "/gatewayConfig",
    "/gatewayconfig",
    "/search/devices",
    "/search/tokens",
    "/v2/whoami",
    "/v2/devices",
    "/v2/devices/:uuid",
    "/v2/devices/:uuid/find-and-update",
    "/v2/devices/:uuid/subscriptions",
    "/v2/devices/:uuid/subscriptions/:emitter/:type",
    "/v3/devices/:uuid",
)


class RestPath(msgspec.Struct, frozen=True, gc=False):
    """A path that is one.

    Attributes:
        pattern: one of PATTERNS.
        names: what stands where the pattern has names.
    """

    pattern: str
    names: Mapping[str, str]

    def __repr__(self) -> str:
        return f"RestPath(pattern={self.pattern!r}, uuid={self.uuid!r})"

    @property
    def uuid(self) -> str:
        """Of the device that it names; blank for none."""
        return self.names.get("uuid", "")


def _steps(path: str) -> tuple[str, ...]:
    return tuple(step for step in path.split("/")[1:] if step)


_EXACT = {_steps(pattern): pattern for pattern in PATTERNS if ":" not in pattern}
_NAMED: dict[int, list[tuple[tuple[str, ...], str]]] = {}
for _pattern in PATTERNS:
    if ":" in _pattern:
        _NAMED.setdefault(len(_steps(_pattern)), []).append((_steps(_pattern), _pattern))

_NO_NAMES: Mapping[str, str] = {}


@lru_cache(4096)
def parse_path(raw_path: str) -> RestPath | None:
    """Read a path.

    Args:
        raw_path: as sent, percent-encoded, without the query.

    Returns:
        None for a path of none of these.
    """
    if len(raw_path) > PATH_CHARS_MAX or not raw_path.startswith("/"):
        return None
    sent = raw_path.removesuffix("/").split("/")[1:]
    if not all(sent):
        return None  # an empty step
    steps = tuple(map(unquote, sent)) if "%" in raw_path else tuple(sent)
    exact = _EXACT.get(steps)
    if exact is not None:
        return RestPath(exact, _NO_NAMES)
    for pattern_steps, pattern in _NAMED.get(len(steps), ()):
        names = _fit(pattern_steps, steps)
        if names is not None:
            return RestPath(pattern, names)
    return None


def _fit(pattern_steps: tuple[str, ...], steps: tuple[str, ...]) -> dict[str, str] | None:
    names = {}
    for wanted, step in zip(pattern_steps, steps, strict=True):
        if wanted.startswith(":"):
            names[wanted[1:]] = step
        elif wanted != step:
            return None
    return names
