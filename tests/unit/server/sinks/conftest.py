"""The bench that tests of rules at work have in common."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.unit.server.sinks import engine_for_tests
from tests.unit.server.sinks.sink_bench import Bench

from thingtank.sinks.engines import ENGINES


@pytest.fixture
async def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Bench]:
    monkeypatch.setitem(ENGINES, engine_for_tests.NAME, engine_for_tests.__name__)  # type: ignore[arg-type] # a dict
    made = Bench(tmp_path)
    yield made
    async with asyncio.timeout(20):
        await made.stop()
