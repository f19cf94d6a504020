"""Who answers a path: the exact one, or all that lies directly below one, written `/below/*`."""

from collections.abc import Container
from typing import AnyStr


def find_path(known: Container[AnyStr], path: AnyStr) -> AnyStr | None:
    """The known path that a request's path, without its query, belongs to."""
    if path in known:
        return path
    if isinstance(path, str):
        below = path.rpartition("/")[0] + "/*"
    else:
        below = path.rpartition(b"/")[0] + b"/*"
    return below if below in known else None
