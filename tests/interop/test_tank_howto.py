"""docs/howto/use-the-tank-over-wamp.md: its programs run one after the other, in one session."""

import os
import re
import subprocess
import sys
import textwrap
from pathlib import Path

from tests.interop.conftest import Served, made

PAGE = (Path(__file__).parents[2] / "docs/howto/use-the-tank-over-wamp.md").read_text()
BLOCKS = re.findall(r"^```python\n(.*?)^```", PAGE, re.M | re.S)
RUN_S_MAX = 60


def test_the_programs_of_the_page_run(served: Served, tmp_path: Path) -> None:
    device = made(served.folder, "device", "create", "Roof station")
    head, _, body = BLOCKS[0].partition("async def joined(session, details):\n")
    joined, _, tail = body.partition("\n\n\nrun(")
    joined = joined.removesuffix("    session.leave()")
    inside = f"{textwrap.dedent(joined)}\nuuid = {device['uuid']!r}\n" + "\n".join(BLOCKS[1:])
    program = (
        f"{head}async def joined(session, details):\n"
        f"{textwrap.indent(inside, '    ')}\n    print('done')\n    session.leave()\n\n\nrun({tail}"
    )
    assert program.count("ws://127.0.0.1:8080/ws") == 1
    program = program.replace("ws://127.0.0.1:8080/ws", served.server.sockets["wamp"])
    path = tmp_path / "program.py"
    path.write_text(program.replace("1001", str(device["feed_id"])))
    environment = {**os.environ, "THINGTANK_WAMP_TICKET": served.server.master_key()}
    done = subprocess.run(
        [sys.executable, path],
        env=environment,
        capture_output=True,
        text=True,
        timeout=RUN_S_MAX,
        check=False,
    )
    assert "done" in done.stdout, done.stdout + done.stderr
    assert "[['title', \"can't be blank\"]]" in done.stdout
    assert re.search(r"^\S+Z \d", done.stdout, re.M), "history and values that were heard"
    assert re.search(r"^\d+ datapoints$", done.stdout, re.M), "an export, in parts"
