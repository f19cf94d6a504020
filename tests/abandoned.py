"""An archive that is left as a killed process would leave it, while this process goes on."""

import threading

from thingtank.stores.embedded_archive import EmbeddedArchive

CLOSE_S_MAX = 10.0


def abandon_journal(archive: EmbeddedArchive) -> None:
    """Close its journal, between two pieces of work: SQLite dies of being closed amid one."""
    closed = threading.Event()

    def close() -> None:
        archive._journal.close()
        closed.set()

    archive._committer._worker.submit(close, lambda result: None)
    assert closed.wait(CLOSE_S_MAX)
