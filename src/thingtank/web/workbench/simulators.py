"""The weather simulators as pages know them; the server runs them and brings the two together.

Everything here belongs to the loop's thread: views reach it by `tank_access.run`.
"""

from collections.abc import Mapping
from typing import Protocol

import msgspec

from thingtank.tank.access import Caller


class SimulatorState(msgspec.Struct, frozen=True):
    """An account's simulator.

    Attributes:
        feed_id: where it writes, or has last written; 0 before its first start.
        report_count: reports since it was started.
        at_ms: of the last report, milliseconds since the epoch, UTC; 0 before the first.
        values: of the last report, by channel.
        problem: why it does not get through, or has ended; blank when neither.
    """

    is_running: bool = False
    feed_id: int = 0
    report_count: int = 0
    at_ms: int = 0
    values: Mapping[str, str] = {}
    problem: str = ""


class Simulators(Protocol):
    """One for each account."""

    def state(self, account_id: int) -> SimulatorState:
        """How an account's is doing."""

    async def start(self, caller: Caller) -> None:
        """Start the caller's own; nothing when it runs.

        Raises:
            LimitReached, Unauthenticated.
        """

    async def stop(self, account_id: int) -> None:
        """Stop an account's; nothing when it does not run."""


_simulators: Simulators | None = None


def attach(simulators: Simulators | None) -> None:
    """Give the pages their simulators; None where there are none."""
    global _simulators
    _simulators = simulators


def simulators() -> Simulators | None:
    """The simulators, while the server has them."""
    return _simulators
