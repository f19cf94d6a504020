"""What databases do differently, behind one interface."""

from collections.abc import Sequence
from typing import Any, Protocol

from thingtank.sinks.engines.sql.shapes import Row, Shape
from thingtank.tank.failures import Failure, FailureKind

CONNECT_S_MAX = 10
SILENCE_S_MAX = 30  # of a server that has taken a question


class Dialect(Protocol):
    """One kind of database. `connect` imports the driver; nothing else does.

    Attributes:
        name: for people.
        at_chars: of a time, as it takes them.
    """

    name: str
    at_chars: int

    def connect(self) -> Any:
        """A new connection. Raises the driver's errors."""
        ...

    def prepare(self, connection: Any) -> None:
        """Make the table if it is missing, and raise if rows could not be written to it."""
        ...

    def write(self, connection: Any, rows: Sequence[Row]) -> None:
        """Write rows and commit; rows whose item_id is there already change nothing."""
        ...

    def failure(self, error: Exception) -> Failure | None:
        """What a driver's error means; None if it is not the driver's."""
        ...


def failure(kind: FailureKind, code: object, message: str, advice: str = "") -> Failure:
    """A failure with the advice that fits databases."""
    return Failure(kind, str(code), message, advice or _ADVICE.get(kind, ""))


_ADVICE = {
    FailureKind.UNREACHABLE: "Does the server run, and are host and port of `url` right?",
    FailureKind.CREDENTIALS: "Look at user and password of `url`.",
    FailureKind.NOT_ALLOWED: "Grant the user CREATE, SELECT, INSERT and UPDATE on the database.",
    FailureKind.THROTTLED: "It is tried again.",
    FailureKind.QUOTA: "Make room on the server's disk.",
    FailureKind.REFUSED: "",
}


def other_shape(shape: Shape, code: object, message: str) -> Failure:
    """The table is there, and is not ours."""
    advice = (
        "Rename or drop that table, or name another in `table`: the columns must be"
        f" {', '.join(shape.columns)}, with a unique index on item_id."
    )
    return Failure(FailureKind.EXISTS, str(code), message, advice)


class WrongTable(Exception):
    """The table is there, and is not ours; the message says what is missing."""
