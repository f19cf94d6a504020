"""Making several things in AWS of which all or none should be there."""

from collections.abc import Callable
from types import TracebackType

from thingtank.aws.failures import classify, is_aws_failure
from thingtank.cloud.progress import Progress

TakeBack = Callable[[], object]


class Making:
    """What is made from `with Making(told) as making` on goes again where a later part fails."""

    def __init__(self, told: Progress) -> None:
        self.told = told
        self._made: list[tuple[str, TakeBack]] = []

    def __enter__(self) -> "Making":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if error is not None:
            for what, take_back in reversed(self._made):
                self._take_back(what, take_back)

    def made(self, what: str, take_back: TakeBack) -> None:
        """Something is made: say so, and how it goes again."""
        self._made.append((what, take_back))
        self.told.did(f"Made {what}")

    def keep(self) -> None:
        """Leave what is made so far, whatever becomes of the rest."""
        self._made.clear()

    def _take_back(self, what: str, take_back: TakeBack) -> None:
        try:
            take_back()
        except Exception as error:
            if not is_aws_failure(error):
                raise
            self.told.did(f"Left for you to delete, {what}: {classify(error)}")
        else:
            self.told.did(f"Took back {what}")
