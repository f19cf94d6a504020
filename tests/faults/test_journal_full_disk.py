"""On a full disk the archive refuses writes and answers reads; with room again it goes on."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.faults.full_disk_child import ROWS

from thingtank.stores.archive_settings import ArchiveSettings
from thingtank.stores.embedded_archive import EmbeddedArchive
from thingtank.tank.tank import SystemClock

ROOT = Path(__file__).parents[2]


async def test_full_disk_refuses_writes_loses_nothing_and_recovers(tmp_path: Path) -> None:
    folder = tmp_path / "tank"
    outcome = outcome_of_child(folder)
    acknowledged = outcome["acknowledged"]
    assert len(outcome["refused"]) == 3
    assert outcome["while_full"] == (len(acknowledged) - 1) * ROWS
    assert outcome["at_us_while_full"] == acknowledged[-2] * ROWS + ROWS - 1
    assert outcome["afterwards"] == len(acknowledged) * ROWS
    archive = await EmbeddedArchive.open(folder, ArchiveSettings(), SystemClock())
    try:
        found = (await archive.read([1], 0, 10**15, 10**7))[1]
        expected = [number * ROWS + i for number in acknowledged for i in range(ROWS)]
        assert [datapoint.at_us for datapoint in found] == expected
        current = archive.current(1)
        assert current is not None
        assert current.at_us == expected[-1]
    finally:
        await archive.close()


def outcome_of_child(folder: Path) -> dict[str, Any]:
    finished = subprocess.run(
        [sys.executable, "-m", "tests.faults.full_disk_child", str(folder)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert finished.returncode == 0, finished.stderr
    outcome: dict[str, Any] = json.loads(finished.stdout.splitlines()[-1])
    return outcome
