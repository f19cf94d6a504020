"""What can go wrong in the tank, by meaning. Doors map these to their own words, in one table each.

```
TankError
├── NotFound
│   ├── NoSuchAccount  NoSuchDevice  NoSuchDatastream  NoSuchDatapoint  NoSuchKey
│   └── NoSuchDelivery  NoSuchProduct  NoSuchProductDevice  NoSuchTrigger
├── Unauthenticated      no key, or one nobody knows, or an expired one
├── NotAllowed           known, but may not do this
│   └── AlreadyActivated a provisioned device is active, and the caller may not see its key
├── ValidationFailed     the request's content breaks rules; lists each problem
├── UuidTaken            another device has this uuid already
├── LimitReached         more than the settings allow (datapoints a write, length of a range)
├── RateExceeded         more often than the settings allow: try again after `retry_after_s`
└── Unavailable          not now: try again after `retry_after_s`
    ├── Overloaded       a bounded queue is full
    └── StorageFailed    the disk is full or read-only
```
"""

from collections.abc import Sequence


class TankError(Exception):
    """Base of all errors that a caller of the tank may see."""


class NotFound(TankError):
    """The thing that was asked for does not exist."""


class NoSuchAccount(NotFound):
    """No account of that login or id."""


class NoSuchDevice(NotFound):
    """No device (and so no feed) of that id or uuid."""

    @classmethod
    def of(cls, device_id: int) -> "NoSuchDevice":
        """None of this id; doors read what cannot be an id as a negative one."""
        return cls(f"there is no feed {device_id}" if device_id >= 0 else "there is no such feed")


class NoSuchDatastream(NotFound):
    """The device has no datastream of that name."""


class NoSuchDatapoint(NotFound):
    """The datastream has no datapoint at that instant."""


class NoSuchKey(NotFound):
    """No API key of that id."""


class NoSuchDelivery(NotFound):
    """No delivery of that id, or no longer."""


class NoSuchProduct(NotFound):
    """No product of that id."""

    def __init__(self, product_id: str) -> None:
        # The words are the service's own, which a client's tests hold.
        super().__init__(f"couldn't find Product with product_id = {product_id[:40]}")


class NoSuchProductDevice(NotFound):
    """The product has no device of that serial, or no device has that activation code."""


class NoSuchTrigger(NotFound):
    """No trigger of that id."""

    @classmethod
    def of(cls, trigger_id: int) -> "NoSuchTrigger":
        """None of this id; doors read what cannot be an id as a negative one."""
        if trigger_id < 0:
            return cls("there is no such trigger")
        return cls(f"there is no trigger {trigger_id}")


class Unauthenticated(TankError):
    """The caller is nobody the tank knows."""


class NotAllowed(TankError):
    """The caller is known and may not do this. The message says which right is missing."""


class AlreadyActivated(NotAllowed):
    """The device is active, and the caller has no right to its key.

    Doors tell the message: devices look for its words.
    """

    def __init__(self, hint: str = "") -> None:
        super().__init__("This device has already been activated" + hint)


class ValidationFailed(TankError):
    """The content of a request breaks rules.

    Attributes:
        problems: (field, message) pairs, at least one; messages as Xively words them.
    """

    def __init__(self, problems: Sequence[tuple[str, str]]) -> None:
        self.problems = tuple(problems)
        super().__init__("; ".join(f"{field} {message}" for field, message in self.problems))


class UuidTaken(TankError):
    """Another device has this uuid already, or one that differs in case only."""

    @classmethod
    def of(cls, uuid: str) -> "UuidTaken":
        """A uuid that a client chose."""
        return cls(f"there is a device with the uuid {uuid} already")


class LimitReached(TankError):
    """More was asked for than a limit allows. The message gives the value and the bound."""


class RateExceeded(TankError):
    """A key, or an address without one, asked too often. The message gives the bound."""

    def __init__(self, message: str, retry_after_s: int = 1) -> None:
        self.retry_after_s = retry_after_s
        super().__init__(message)


class Unavailable(TankError):
    """The tank cannot do this now; the same request may succeed later."""

    def __init__(self, message: str, retry_after_s: int = 1) -> None:
        self.retry_after_s = retry_after_s
        super().__init__(message)


class Overloaded(Unavailable):
    """A bounded queue is full."""


class StorageFailed(Unavailable):
    """Disk or database refused. Nothing of the request was kept.

    Attributes:
        details: what disk or database said, with paths, addresses and the like: for logs and the
            operator, and not in the message, which whoever asked is told.
    """

    def __init__(self, message: str, retry_after_s: int = 1, *, details: object = "") -> None:
        self.details = str(details)
        super().__init__(message, retry_after_s)

    @property
    def reason(self) -> str:
        """All of it, for logs."""
        return f"{self}: {self.details}" if self.details else str(self)


def reason_of(error: Exception) -> str:
    """What a log is to say of an error: also what who asked is not told."""
    return error.reason if isinstance(error, StorageFailed) else str(error)
