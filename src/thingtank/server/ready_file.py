"""A file that tells programs that the server is ready, and how to reach it."""

import json
import os
from pathlib import Path
from typing import Any

from thingtank.server.cannot_start import CannotStart


class ReadyFile:
    """Made when the server starts, to be sure that it can be; there is none before `write`."""

    def __init__(self, path: Path) -> None:
        """Begin a draft; raises CannotStart."""
        self._path = path
        try:
            self._draft = path.with_name(path.name + ".part")
            # For this user only: it holds a key and a way to sign in.
            descriptor = os.open(self._draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        except (OSError, ValueError) as error:
            raise self._refused(error) from None
        self._file = os.fdopen(descriptor, "w")

    def write(self, values: dict[str, Any]) -> None:
        """Have the whole file there; raises CannotStart."""
        try:
            with self._file:
                json.dump(values, self._file)
            self._draft.rename(self._path)
        except OSError as error:
            raise self._refused(error) from None

    def discard(self) -> None:
        """Leave no draft behind."""
        self._file.close()
        self._draft.unlink(missing_ok=True)

    def _refused(self, error: OSError | ValueError) -> CannotStart:
        reason = error.strerror if isinstance(error, OSError) else error
        return CannotStart(
            f"the ready file {self._path} cannot be written: {reason};"
            " choose another with --ready-file"
        )
