"""One token for one launch, however often it is asked for until EC2 has answered.

EC2 launches one machine for one token. It is kept in a file from before the question until an
answer: a command that was killed, or lost its connection, asks with the same token again. After
the answer it would only name a machine that may have ended.

Source: AWS, EC2 API, "Ensuring idempotency".
"""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

from thingtank.cloud.making import is_undecided

_NAME_CHARS_MAX = 240  # a machine of others may have a name that is too long for a file


class Token(NamedTuple):
    """A token, and where it is kept."""

    value: str
    file: Path

    def forget(self) -> None:
        """It is known what became of the launch, or its machine ends: the next one is another."""
        self.file.unlink(missing_ok=True)


def token_of(folder: Path, name: str) -> Token:
    """The token for machines of a name; blank where none is kept."""
    file = folder / f"launch-{quote(name, safe='')[:_NAME_CHARS_MAX]}.token"
    return Token(file.read_text().strip() if file.exists() else "", file)


@contextmanager
def launch_token(folder: Path, name: str) -> Iterator[Token]:
    """The token for what is done within; forgotten once it is known how that ended.

    Args:
        folder: where tokens are kept.
    """
    token = token_of(folder, name)
    if not token.value:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        token = Token(str(uuid.uuid4()), token.file)
        token.file.write_text(token.value)
    try:
        yield token
    except BaseException as error:
        if not is_undecided(error):
            token.forget()
        raise
    token.forget()
