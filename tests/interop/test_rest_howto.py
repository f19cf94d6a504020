"""docs/howto/use-the-rest-api.md: its lines are typed one after the other, and do what it says."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.live_server import LiveServer, start_server
from tests.needed import needed_program

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/howto/use-the-rest-api.md").read_text()
TYPED = re.compile(r"^ {4}(\S.*)$", re.M)
PYTHON = re.compile(r"^```python\n(.*?)^```", re.M | re.S)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    with start_server(tmp_path_factory.mktemp("rest") / "data") as server:
        yield server


def test_lines_of_the_page_do_what_it_says(server: LiveServer) -> None:
    needed_program("curl")
    key, api = server.master_key(), f"{server.url}/api"
    lines = [line for line in TYPED.findall(PYTHON.sub("", PAGE)) if not line.startswith("export ")]
    assert len(lines) == 16
    # One shell, as ETAG is remembered from one line to another; a mark stands between the answers.
    script = "\necho; echo '--- next'\n".join(lines)
    done = subprocess.run(
        ["bash", "-c", script],
        env={**os.environ, "KEY": key, "API": api},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    answers: list[Any] = [
        json.loads(text) if text.strip() else None for text in done.stdout.split("--- next")
    ]
    made, _, written, lines_written, found, streams, newest, steps, changed, _, titled, trigger, dead, sent, key_made, refused = answers  # fmt: skip
    assert (made["id"], made["title"]) == (2, "Roof station")
    assert (written, lines_written) == ({"written": 3}, {"written": 2})
    assert [device["id"] for device in found["results"]] == [2]
    assert {each["name"]: each["value"] for each in streams["results"]} == {"door": "shut", "temperature": 23}  # fmt: skip
    assert newest["results"][-1] == {"at": "2025-06-01T08:00:00.000000Z", "value": 21.5}
    assert [point["value"] for point in steps["results"]][:2] == [21.5, 22]
    assert changed["description"] == "Beside the chimney."
    assert titled["title"] == "Roof"
    assert (trigger["device"], trigger["webhook_url"]) == (2, "https://example.com/hook")
    assert dead["results"] == []
    assert sent["receipts"] == [{"devices": "tag:roof", "outcome": "away", "count": 0}]
    assert (key_made["label"], len(key_made["api_key"]) > 30) == ("A display", True)
    assert refused["detail"].startswith("titel is not known; valid here: scope, q, tag")
    (program,) = PYTHON.findall(PAGE)
    printed = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "KEY": key, "API": api},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert printed.stdout.splitlines() == ["2 Roof", "1 My first device"]


def test_every_type_of_problem_stands_in_the_reference() -> None:
    from thingtank.web.problems import TYPES

    page = (ROOT / "docs/reference/rest-api.md").read_text()
    for kind in TYPES:
        assert f"| `{kind.name}` | {kind.status} | {kind.meaning} |" in page
