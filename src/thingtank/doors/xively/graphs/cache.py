"""Pictures that were drawn lately, up to a number of bytes; the one not asked for longest goes."""

from collections import OrderedDict
from collections.abc import Hashable


class PictureCache:
    """Least recently used, bounded in bytes, and nothing older than `age_s_max`.

    Values that are changed or deleted in the past do not change a picture's key, so a picture may
    be that much out of date.
    """

    def __init__(self, bytes_max: int, age_s_max: float) -> None:
        self._bytes_max = bytes_max
        self._age_s_max = age_s_max
        self._pictures: OrderedDict[Hashable, tuple[float, bytes]] = OrderedDict()
        self.bytes_held = 0

    def find(self, key: Hashable, now_s: float) -> bytes | None:
        """A picture, when it is there and not too old."""
        found = self._pictures.get(key)
        if found is None:
            return None
        drawn_s, picture = found
        if now_s - drawn_s > self._age_s_max:
            self._forget(key)
            return None
        self._pictures.move_to_end(key)
        return picture

    def keep(self, key: Hashable, picture: bytes, now_s: float) -> None:
        """Keep a picture, unless it alone is larger than all may be."""
        self._forget(key)
        if len(picture) > self._bytes_max:
            return
        self._pictures[key] = (now_s, picture)
        self.bytes_held += len(picture)
        while self.bytes_held > self._bytes_max:
            self._forget(next(iter(self._pictures)))

    def _forget(self, key: Hashable) -> None:
        found = self._pictures.pop(key, None)
        if found is not None:
            self.bytes_held -= len(found[1])
