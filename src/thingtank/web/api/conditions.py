"""Conditional requests: entity tags, and changes that happen only to what was seen.

Source: RFC 9110, 8.8.3 (ETag), 13.1 (If-Match, If-None-Match).
"""

import hashlib
import re
from typing import Any

import msgspec
from django.http import HttpRequest

from thingtank.web.problems import PRECONDITION_FAILED, Problem, ProblemRaised

TAGS_CHARS_MAX = 4096

_TAG = re.compile(r'(?:W/)?"[\x21\x23-\x7e\x80-\xff]*"')


def etag_of(version: Any) -> str:
    """A strong entity tag for all that a representation is made of; anything msgspec encodes."""
    digest = hashlib.blake2b(msgspec.json.encode(version), digest_size=16)
    return f'"{digest.hexdigest()}"'


class Conditions(msgspec.Struct, frozen=True):
    """What a request says of the state it is for.

    Attributes:
        if_match, if_none_match: entity tags, or `*`; None where the header is missing.
    """

    if_match: tuple[str, ...] | None = None
    if_none_match: tuple[str, ...] | None = None

    def is_unchanged(self, etag: str) -> bool:
        """Whether who reads has this state already."""
        tags = self.if_none_match
        return tags is not None and (
            "*" in tags or etag in [tag.removeprefix("W/") for tag in tags]
        )

    def check(self, etag: str) -> None:
        """Raise unless a thing may be read or changed in this state.

        Raises:
            ProblemRaised: with 412.
        """
        # Strong comparison: a weak tag never matches (RFC 9110, 13.1.1).
        if self.if_match is not None and "*" not in self.if_match and etag not in self.if_match:
            # Without the tag it is at: a key that may only write could guess a value by it.
            raise ProblemRaised(Problem(PRECONDITION_FAILED))

    def check_change(self, etag: str) -> None:
        """Raise, as `check`, also where If-None-Match names the state of what is to be changed."""
        self.check(etag)
        if self.is_unchanged(etag):
            detail = "it is in a state that If-None-Match names"
            raise ProblemRaised(Problem(PRECONDITION_FAILED, detail))


def conditions_of(request: HttpRequest) -> Conditions:
    """The conditions of a request."""
    return Conditions(
        _tags(request.META.get("HTTP_IF_MATCH")), _tags(request.META.get("HTTP_IF_NONE_MATCH"))
    )


def _tags(header: str | None) -> tuple[str, ...] | None:
    if header is None:
        return None
    if header.strip() == "*":
        return ("*",)
    return tuple(_TAG.findall(header[:TAGS_CHARS_MAX]))
