"""Making several things in AWS of which all or none should be there."""

from collections.abc import Callable
from types import TracebackType

from thingtank.aws.failures import classify, is_aws_failure, is_unknown_fault
from thingtank.cloud.progress import Progress
from thingtank.tank.failures import FailureKind

TakeBack = Callable[[], object]
_UNDECIDED = (FailureKind.UNREACHABLE, FailureKind.UNKNOWN)


class Making:
    """What is made from `with Making(…) as making` on goes again where a later part fails.

    Not so where it is not known whether that part was made, as after a lost connection or Ctrl-C:
    it may need what was made before.

    Args:
        if_unknown: what a person is to do then.
    """

    def __init__(self, told: Progress, if_unknown: str) -> None:
        self.told = told
        self._if_unknown = if_unknown
        self._made: list[tuple[str, TakeBack]] = []

    def __enter__(self) -> "Making":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if error is None:
            return
        if is_undecided(error):
            self.told.did(f"It is not known how far it came: {self._if_unknown}")
        else:
            for what, take_back in reversed(self._made):
                self._take_back(what, take_back)

    def made(self, what: str, take_back: TakeBack) -> None:
        """Something is made: say so, and how it goes again."""
        self._made.append((what, take_back))
        self.told.did(f"Made {what}")

    def _take_back(self, what: str, take_back: TakeBack) -> None:
        try:
            take_back()
        except Exception as error:
            if not is_aws_failure(error):
                raise
            self.told.did(f"Left for you to delete, {what}: {classify(error)}")
        else:
            self.told.did(f"Took back {what}")


def is_undecided(error: BaseException) -> bool:
    """Whether a call that ended so may have done its work all the same."""
    if not isinstance(error, Exception):
        return True  # Ctrl-C
    if not is_aws_failure(error) or is_unknown_fault(error):
        return False
    return classify(error).kind in _UNDECIDED
