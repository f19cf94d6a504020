"""The twin of box 8.28, as a program of its own, on a real MariaDB."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.database_servers import PASSWORD, USER, DatabaseServer, shared_server
from tests.needed import run_folder

PROGRAM = Path(__file__).parents[3] / "examples" / "box_8_28_mysql_table.py"


@pytest.fixture(scope="module")
def mariadb(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DatabaseServer]:
    with shared_server("mariadb", run_folder(tmp_path_factory)) as server:
        yield server


def run(server: DatabaseServer, name: str, password: str = PASSWORD) -> tuple[str, str]:
    """What the program printed, and what it said when it could not."""
    words = ["--port", str(server.port), "--user", USER, "--database", name]
    done = subprocess.run(
        [sys.executable, str(PROGRAM), *words],
        env={**os.environ, "MYSQL_PASSWORD": password},
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert (done.returncode == 0) == (not done.stderr), done.stderr
    return done.stdout, done.stderr


def test_box_8_28_makes_a_table_and_writes_and_reads_it_as_often_as_it_is_run(
    mariadb: DatabaseServer,
) -> None:
    name = mariadb.new_database()
    try:
        for _ in range(2):
            printed, _ = run(mariadb, name)
            assert "MariaDB" in printed.split("server version:")[1]
            assert "1 2014-03-04 09:45:10 UTC 20.00\n2 2014-03-04 09:47:37 UTC 25.00" in printed
            assert "average: 22.5" in printed
        # It is still there when the program has ended.
        assert mariadb.run("SELECT COUNT(*) FROM TemperatureData", name=name) == [(2,)]
        _, said = run(mariadb, name, "not-the-one")
        assert said.startswith("MySQL: Access denied")
        _, said = run(mariadb, "nowhere")
        assert "nowhere" in said
    finally:
        mariadb.drop(name)
