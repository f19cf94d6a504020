"""Tests that wait, all of a module at once.

What is marked `@meanwhile()` becomes a test that starts every marked scenario of its module in a
thread of its own, unless an earlier one has, and then waits for its own. So the module takes as
long as its slowest scenario.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

import pytest
from tests.conformance.mqtt.octets import Version
from tests.conformance.mqtt.wire import VERSIONS, Broker

WAIT_S_MAX = 60.0
Scenario = Callable[[Broker, Version], None]
Outcome = Callable[[Version, tuple[str, int]], None]

_scenarios: dict[str, list[tuple[Scenario, Version]]] = {}
_futures: dict[tuple[Scenario, Version], Future[None]] = {}


def meanwhile(*versions: Version) -> Callable[[Scenario], Outcome]:
    """Make a test of a scenario, for some versions or all."""

    def decorate(scenario: Scenario) -> Outcome:
        for version in versions or VERSIONS:
            _scenarios.setdefault(scenario.__module__, []).append((scenario, version))

        @pytest.mark.parametrize("version", versions or VERSIONS)
        def outcome(version: Version, address: tuple[str, int]) -> None:
            if (scenario, version) not in _futures:
                _start(scenario.__module__, address)
            _futures[scenario, version].result(WAIT_S_MAX)

        outcome.__name__ = outcome.__qualname__ = scenario.__name__
        outcome.__doc__ = scenario.__doc__
        outcome.__module__ = scenario.__module__
        return outcome

    return decorate


def _start(module: str, address: tuple[str, int]) -> None:
    together = _scenarios[module]
    pool = ThreadPoolExecutor(len(together), thread_name_prefix="meanwhile")
    for scenario, version in together:
        _futures[scenario, version] = pool.submit(_play, scenario, version, address)
    pool.shutdown(wait=False)


def _play(scenario: Scenario, version: Version, address: tuple[str, int]) -> None:
    broker = Broker(*address)
    try:
        scenario(broker, version)
    finally:
        broker.close()
