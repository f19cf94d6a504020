"""One token for one launch, however often it is asked for until EC2 has answered.

EC2 launches one machine for one token. It is kept in a file from before the question until an
answer: a command that was killed, or lost its connection, asks with the same token again.

Source: AWS, EC2 API, "Ensuring idempotency".
"""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from thingtank.cloud.making import is_undecided


@contextmanager
def launch_token(file: Path) -> Iterator[str]:
    """The token for what is done within; forgotten once it is known how that ended."""
    if file.exists():
        token = file.read_text()
    else:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        token = str(uuid.uuid4())
        file.write_text(token)
    try:
        yield token
    except BaseException as error:
        if not is_undecided(error):
            file.unlink(missing_ok=True)
        raise
    file.unlink(missing_ok=True)
