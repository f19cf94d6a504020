"""Reads kept events beside the writer, in a thread of its own: it holds up neither loop nor writer.

A question that takes too long, or that nobody waits for any more, is broken off.
"""

import contextlib
import sqlite3
import time
from collections.abc import Callable, Generator, Iterator
from pathlib import Path

from thingtank.protocols.wamp.answers import UNAVAILABLE, Refused
from thingtank.protocols.wamp.history_query import EventsQuery
from thingtank.protocols.wamp.meta_calls import invalid
from thingtank.protocols.wamp.publications import Publication
from thingtank.stores.wamp_event_rows import COLUMNS, publication_of

READ_S_MAX = 10.0
_STEPS_BETWEEN_LOOKS = 200_000  # of SQLite's machine; some milliseconds
_NUMBER_MAX = 2**63 - 1
_AT_US_MAX = 2**62


class WampEventReader:
    """Blocking access, to read; used from one thread."""

    def __init__(self, path: Path, read_s_max: float = READ_S_MAX) -> None:
        """Read a file that is there."""
        self._read_s_max = read_s_max
        self._connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self._connection.execute("PRAGMA query_only = ON")

    @contextlib.contextmanager
    def events(
        self,
        stream_id: int,
        query: EventsQuery,
        oldest_us: int,
        admits: Callable[[Publication], bool],
        is_over: Callable[[], bool],
    ) -> Iterator[Iterator[Publication]]:
        """Find events, in the order that is asked for, at most `query.limit`.

        Args:
            oldest_us: events from before are as good as forgotten.
            admits: whether the asker may see one.
            is_over: whether nobody waits for them any more.

        Raises:
            Refused: a publication that the question names is not there; or it takes too long.
        """
        end_s = time.monotonic() + self._read_s_max
        self._connection.set_progress_handler(
            lambda: is_over() or time.monotonic() > end_s, _STEPS_BETWEEN_LOOKS
        )
        try:
            with contextlib.closing(self._found(stream_id, query, oldest_us, admits)) as found:
                yield found
        except sqlite3.OperationalError as error:
            if getattr(error, "sqlite_errorcode", None) != sqlite3.SQLITE_INTERRUPT:
                raise
            text = f"finding these events takes longer than {self._read_s_max:g} s"
            raise Refused(UNAVAILABLE, text) from None
        finally:
            self._connection.set_progress_handler(None, 0)

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def _found(
        self,
        stream_id: int,
        query: EventsQuery,
        oldest_us: int,
        admits: Callable[[Publication], bool],
    ) -> Generator[Publication, None, None]:
        first, last = self._numbers(stream_id, query)
        from_us = oldest_us if query.from_us is None else max(oldest_us, query.from_us)
        until_us = _AT_US_MAX if query.until_us is None else query.until_us
        values: list[int | str] = [stream_id, first, last, from_us, until_us]
        topic = ""
        if query.topic is not None:
            topic = "AND topic = ?"
            values.append(query.topic)
        rows = self._connection.execute(
            f"SELECT {COLUMNS} FROM event INDEXED BY of_stream WHERE stream_id = ?"  # noqa: S608 - names of ours
            f" AND number BETWEEN ? AND ? AND at_us BETWEEN ? AND ? {topic}"
            f" ORDER BY number {'DESC' if query.reverse else 'ASC'}",
            values,
        )
        left = query.limit
        with contextlib.closing(rows):
            for row in rows:
                publication = publication_of(row)
                if admits(publication):
                    yield publication
                    left -= 1
                    if not left:
                        return

    def _numbers(self, stream_id: int, query: EventsQuery) -> tuple[int, int]:
        """The bounds that publications are, both included."""
        first, last = 0, _NUMBER_MAX
        if query.from_publication is not None:
            first = max(first, self._number(stream_id, query.from_publication))
        if query.after_publication is not None:
            first = max(first, self._number(stream_id, query.after_publication) + 1)
        if query.until_publication is not None:
            last = min(last, self._number(stream_id, query.until_publication))
        if query.before_publication is not None:
            last = min(last, self._number(stream_id, query.before_publication) - 1)
        return first, last

    def _number(self, stream_id: int, publication_id: int) -> int:
        # No index: ids are random, and each event would write to another page of it.
        found = self._connection.execute(
            "SELECT number FROM event INDEXED BY of_stream"
            " WHERE stream_id = ? AND publication_id = ? ORDER BY number DESC LIMIT 1",
            (stream_id, publication_id),
        ).fetchone()
        if found is None:
            raise invalid(f"publication {publication_id} is not kept here, or not any more")
        return int(found[0])
