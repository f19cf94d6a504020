"""The drawing process: it comes when needed, goes when idle, and cannot hold anything up."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.waiting import until

from thingtank.doors.xively.graphs import drawer as drawer_module
from thingtank.doors.xively.graphs.drawer import Drawer, DrawingFailed
from thingtank.doors.xively.graphs.question import GraphQuestion
from thingtank.protocols.xively.graph_options import GraphOptions
from thingtank.tank.errors import Overloaded

QUESTION = GraphQuestion(
    GraphOptions(), [1_000_000, 2_000_000], ["1", "2"], 0, 3_000_000, 3_000_000
)
PNG = b"\x89PNG\r\n"
PATIENT_S = 60.0  # two busy cores


@pytest.fixture
async def drawer() -> AsyncIterator[Drawer]:
    drawer = Drawer(draw_s_max=PATIENT_S)
    yield drawer
    await drawer.close()


def is_gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


def test_the_server_does_not_load_the_plotting_library() -> None:
    program = (
        "import sys, thingtank.doors.xively.graphs.graphs, thingtank.doors.xively.graphs.drawer\n"
        "print('matplotlib' in sys.modules, 'PIL' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.split() == ["False", "False"]


async def test_a_process_draws_one_graph_after_the_other(drawer: Drawer) -> None:
    assert drawer.pid is None
    pictures = await asyncio.gather(*[drawer.draw(QUESTION) for _ in range(3)])
    assert {picture[:6] for picture in pictures} == {PNG}
    first = drawer.pid
    await drawer.draw(QUESTION)
    assert drawer.pid == first


async def test_an_idle_process_ends_and_the_next_question_starts_another() -> None:
    drawer = Drawer(draw_s_max=PATIENT_S, idle_s_max=0.1)
    await drawer.draw(QUESTION)
    first = drawer.pid
    assert first is not None
    await until(lambda: is_gone(first))
    assert drawer.pid is None
    assert (await drawer.draw(QUESTION)).startswith(PNG)
    await drawer.close()


async def test_a_process_that_is_killed_fails_one_graph_only(drawer: Drawer) -> None:
    await drawer.draw(QUESTION)
    assert drawer.pid is not None
    os.kill(drawer.pid, signal.SIGSTOP)
    asked = asyncio.create_task(drawer.draw(QUESTION))
    await asyncio.sleep(0.05)
    os.kill(drawer.pid, signal.SIGKILL)
    with pytest.raises(DrawingFailed) as caught:
        await asked
    assert caught.value.retry_after_s > 0
    assert (await drawer.draw(QUESTION)).startswith(PNG)


async def test_a_graph_that_takes_too_long_is_given_up() -> None:
    drawer = Drawer(draw_s_max=0.3)
    drawer._draw_s_max = PATIENT_S
    await drawer.draw(QUESTION)
    drawer._draw_s_max = 0.3
    assert drawer.pid is not None
    stuck = drawer.pid
    os.kill(stuck, signal.SIGSTOP)
    with pytest.raises(DrawingFailed, match="in time"):
        await drawer.draw(QUESTION)
    await until(lambda: is_gone(stuck))
    await drawer.close()


async def test_a_graph_that_nobody_waits_for_any_more_spoils_no_other(drawer: Drawer) -> None:
    await drawer.draw(QUESTION)
    asked = asyncio.create_task(drawer.draw(QUESTION))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    asked.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asked
    assert (await drawer.draw(QUESTION)).startswith(PNG)


async def test_only_so_many_wait() -> None:
    drawer = Drawer(waiting_max=2, draw_s_max=PATIENT_S)
    waiting = [asyncio.create_task(drawer.draw(QUESTION)) for _ in range(2)]
    await asyncio.sleep(0)
    with pytest.raises(Overloaded):
        await drawer.draw(QUESTION)
    assert all(picture.startswith(PNG) for picture in await asyncio.gather(*waiting))
    await drawer.close()


async def test_an_answer_that_is_too_large_is_not_read(
    drawer: Drawer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(drawer_module, "PICTURE_BYTES_MAX", 100)
    with pytest.raises(DrawingFailed):
        await drawer.draw(QUESTION)
    assert drawer.pid is None


async def test_a_fault_in_drawing_is_an_error_and_not_the_end(drawer: Drawer) -> None:
    uneven = GraphQuestion(GraphOptions(), [1], ["1", "2"], 0, 3_000_000, 0)
    with pytest.raises(DrawingFailed):
        await drawer.draw(uneven)
    pid = drawer.pid
    assert (await drawer.draw(QUESTION)).startswith(PNG)
    assert drawer.pid == pid


async def test_the_process_is_told_no_secrets(
    drawer: Drawer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("THINGTANK_SECRET", "s3cret")
    await drawer.draw(QUESTION)
    environment = Path(f"/proc/{drawer.pid}/environ").read_bytes()  # noqa: ASYNC240 - in memory
    assert b"MPLCONFIGDIR=" in environment
    assert b"s3cret" not in environment


async def test_a_closed_drawer_leaves_nothing_behind(drawer: Drawer) -> None:
    await drawer.draw(QUESTION)
    pid, folder = drawer.pid, drawer._folder
    assert pid is not None
    assert folder is not None
    await drawer.close()
    await until(lambda: is_gone(pid))
    assert not Path(folder.name).exists()  # noqa: ASYNC240 - a test may look
    with pytest.raises(DrawingFailed, match="stopping"):
        await drawer.draw(QUESTION)
