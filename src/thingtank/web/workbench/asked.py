"""What the address of a page with a list asks for."""

from collections.abc import Mapping
from typing import Self

import msgspec

TERM_CHARS_MAX = 200


class Asked(msgspec.Struct, frozen=True):
    """Terms of an address's query, each a text; blank for any. A page adds its own as fields."""

    @property
    def is_any(self) -> bool:
        """Whether it asks for all."""
        return self == type(self)()

    @classmethod
    def of(cls, terms: Mapping[str, str]) -> Self:
        """Read an address's query; of long terms the beginning."""
        names = cls.__struct_fields__
        return cls(**{name: terms.get(name, "").strip()[:TERM_CHARS_MAX] for name in names})
