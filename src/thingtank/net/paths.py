"""Who answers a path: the exact one, or all that lies directly below one, written `/below/*`."""

from collections.abc import Container
from typing import AnyStr

_ANY = {str: "/*", bytes: b"/*"}
_SLASH = {str: "/", bytes: b"/"}


def find_path(known: Container[AnyStr], path: AnyStr) -> AnyStr | None:
    """The known path that a request's path, without its query, belongs to."""
    if path in known:
        return path
    kind = type(path)
    below: AnyStr = path.rpartition(_SLASH[kind])[0] + _ANY[kind]  # type: ignore[assignment,operator,index] # both tables keep the kind
    return below if below in known else None
