"""What the SkyNet door refuses by itself; see also `thingtank.tank.errors`.

```
SkynetError
├── RateLimited     too often; says when to try again
└── NotReady        the connection has not said yet who it is
Unauthenticated (of the tank)
└── TooManyWrongTokens   no more tokens are looked at for a while
```
"""

from thingtank.tank.errors import Unauthenticated


class SkynetError(Exception):
    """Base of what this door refuses."""


class RateLimited(SkynetError):
    """One request too many.

    Attributes:
        retry_after_s: when there is room again.
    """

    def __init__(self, what: str, rate: float, retry_after_s: float) -> None:
        self.retry_after_s = retry_after_s
        super().__init__(
            f"Rate limit exceeded: {rate:g} {what} a second; try again in {retry_after_s:.1f} s"
        )


class NotReady(SkynetError):
    """It must identify first."""

    def __init__(self) -> None:
        super().__init__("identify first")


class TooManyWrongTokens(Unauthenticated):
    """An address has shown so many wrong tokens that no more are looked at.

    Attributes:
        retry_after_s: when they are again.
    """

    def __init__(self, message: str, retry_after_s: int = 60) -> None:
        self.retry_after_s = retry_after_s
        super().__init__(message)
