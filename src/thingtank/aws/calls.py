"""Many things cut into calls, each of which takes so many and so many bytes."""

from collections.abc import Iterable, Iterator
from typing import Protocol, TypeVar


class Counted(Protocol):
    """What goes into a call."""

    @property
    def byte_count(self) -> int:
        """As the service counts it."""
        ...


T = TypeVar("T", bound=Counted)


def cut(things: Iterable[T], count_max: int, bytes_max: int) -> Iterator[list[T]]:
    """Cut things into what one call takes, in their order; none is larger than a call."""
    call: list[T] = []
    bytes_left = bytes_max
    for thing in things:
        if call and (len(call) == count_max or thing.byte_count > bytes_left):
            yield call
            call, bytes_left = [], bytes_max
        call.append(thing)
        bytes_left -= thing.byte_count
    if call:
        yield call
