"""Looking on although AWS cannot be reached for a while: what goes on there goes on without us."""

import time
from collections.abc import Callable
from typing import TypeVar

from thingtank.aws.failures import classify, is_aws_failure, is_unknown_fault

PATIENCE_S = 900.0

T = TypeVar("T")


def patiently(
    look: Callable[[], T],
    pause_s: float,
    sleep: Callable[[float], object],
    patience_s: float = PATIENCE_S,
) -> T:
    """What a look gives; again after a pause while AWS does not answer, or asks for fewer calls.

    Raises:
        botocore.exceptions.BotoCoreError, ClientError: of a kind that does not pass, or for longer
            than `patience_s`.
    """
    deadline_s = time.monotonic() + patience_s
    while True:
        try:
            return look()
        except Exception as error:
            if not is_aws_failure(error) or is_unknown_fault(error):
                raise
            if not classify(error).is_passing:
                raise
            if time.monotonic() > deadline_s:
                raise
        sleep(pause_s)
