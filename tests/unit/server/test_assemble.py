"""An instance's parts begin and end in an order in which none misses what another does."""

import json
import subprocess
import sys
from pathlib import Path

CHILD = Path(__file__).with_name("order_child.py")
DOORS = ["HttpServer", "TcpSocket", "SockJsPort", "SharedPort", "HttpServer", "ControlSocket"]


def test_triggers_work_before_the_first_door_opens_and_until_the_last_is_closed(
    tmp_path: Path,
) -> None:
    command = [sys.executable, str(CHILD), str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    order = json.loads(done.stdout.splitlines()[-1])
    assert order["began"] == ["TriggerEngine", "Dispatcher", *DOORS]
    assert order["ended"] == [*reversed(order["began"]), "SqliteOutbox"]
