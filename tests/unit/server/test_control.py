"""The control socket's edge: what breaks in a command is told to its caller and logged."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from thingtank.server.control import ControlSocket
from thingtank.server.operations.shapes import Refused


async def run_operation(name: str, parameters: object) -> Any:
    if name == "bug":
        raise ZeroDivisionError("/home/someone/secret")
    if name == "refused":
        raise Refused("not today")
    return {"asked": parameters}


@pytest.fixture
async def path(tmp_path: Path) -> AsyncIterator[Path]:
    listening = ControlSocket(tmp_path, run_operation)
    await listening.start()
    yield tmp_path / "control.sock"
    await listening.stop()


async def ask(path: Path, *lines: bytes) -> list[dict[str, Any]]:
    """Send lines; the answer to each."""
    reader, writer = await asyncio.open_unix_connection(str(path))
    answers = []
    for line in lines:
        writer.write(line + b"\n")
        answers.append(json.loads(await asyncio.wait_for(reader.readline(), 10)))
    writer.close()
    return answers


async def test_every_line_gets_an_answer_and_a_bug_ends_nothing(path: Path) -> None:
    answers = await ask(
        path,
        b'{"operation": "bug"}',
        b'{"operation": "refused"}',
        b"not json",
        b'{"operation": "fine", "parameters": {"x": 1}}',
    )
    assert answers[0] == {"error": "bug failed in the server; its log says how"}
    assert answers[1] == {"error": "not today"}
    assert answers[2]["error"].startswith("not a request")
    assert answers[3] == {"result": {"asked": {"x": 1}}}


def test_only_the_servers_user_may_connect(path: Path) -> None:
    assert path.stat().st_mode & 0o777 == 0o600
