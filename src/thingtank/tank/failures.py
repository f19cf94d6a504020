"""What went wrong with a service outside, in few kinds by what is to be done about it.

A service of AWS, a database, a folder: those that speak to one say which kind a failure of it is
(`aws.failures` for AWS). Who tries again, shows or gives up asks for the kind alone.
"""

import enum

import msgspec


class FailureKind(enum.Enum):
    """What is to be done after a failure."""

    UNREACHABLE = enum.auto()  # the endpoint is down: again, later and later
    THROTTLED = enum.auto()  # too fast for it: again, later and later
    CREDENTIALS = enum.auto()  # none, expired or wrong: again slowly, as roles renew theirs
    NOT_ALLOWED = enum.auto()  # a permission is missing: stop, and say which
    MISSING = enum.auto()  # what is named is not there
    EXISTS = enum.auto()  # what is to be made is there already
    QUOTA = enum.auto()  # the account's limit
    REFUSED = enum.auto()  # this input can never be right: not again
    UNKNOWN = enum.auto()  # a failure of the service, or a code in no list: again


class Failure(msgspec.Struct, frozen=True):
    """One failure, in words for a person.

    Attributes:
        code: as the service names it, such as `AccessDenied`; else the exception's name.
        message: the service's own sentence.
        advice: what to do.
    """

    kind: FailureKind
    code: str
    message: str
    advice: str

    @property
    def is_passing(self) -> bool:
        """Whether the same call may succeed later, with nothing changed here."""
        return self.kind in _PASSING

    def __str__(self) -> str:
        return f"{self.message.rstrip('.')} ({self.code}). {self.advice}".strip()


_PASSING = {
    FailureKind.UNREACHABLE,
    FailureKind.THROTTLED,
    FailureKind.CREDENTIALS,
    FailureKind.UNKNOWN,
}
