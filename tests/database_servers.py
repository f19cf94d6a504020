"""Real PostgreSQL and MariaDB for tests: one server of each a test run, whoever needs it first.

All workers of a run share them. Each holds a lock on a file while it lasts; a keeper process, which
starts the server, waits for the lock that excludes all of them, and then ends the server.

Debian's programs are used, and not its services. The servers refuse to run as root, so for root they
are run by the users that the packages make.
"""

import contextlib
import fcntl
import json
import os
import pwd
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

import pytest
from tests.live_server import LiveServer, start_server
from tests.needed import needed_program, run_folder
from tests.ports import free_port
from tests.waiting import wait_until

START_S_MAX = 60.0
USER = "tank"
PASSWORD = "p@ss/w:rd?"  # what has to be written in another way in a URL
KINDS = ("postgresql", "mariadb")
_held: dict[Path, int] = {}  # descriptors of this worker's, never closed


class DatabaseServer(NamedTuple):
    """A running server.

    Attributes:
        kind: one of KINDS.
        folder: its files, and `socket` in it.
        port: on 127.0.0.1.
    """

    kind: str
    folder: Path
    port: int

    @property
    def scheme(self) -> str:
        return "postgres" if self.kind == "postgresql" else "mysql"

    def url(self, name: str, *, user: str = USER, password: str = PASSWORD) -> str:
        """A database's URL, by TCP."""
        at = f"{quote(user, '')}:{quote(password, '')}@127.0.0.1:{self.port}"
        return f"{self.scheme}://{at}/{name}"

    def socket_url(self, name: str) -> str:
        """A database's URL, by the Unix socket."""
        where = quote(str(self.folder), "") + f":{self.port}"  # the port is in the file's name
        if self.kind == "mariadb":
            where = quote(str(self.folder / "socket"), "")
        return f"{self.scheme}://{USER}:{quote(PASSWORD, '')}@{where}/{name}"

    def new_database(self, name: str = "") -> str:
        """Make an empty database; return its name."""
        name = name or f"test_{secrets.token_hex(6)}"
        self.run(f"CREATE DATABASE {name}")
        return name

    def furnished_database(self) -> str:
        """Make a database that has all tables, and nothing in them; return its name.

        They are made once for all, as Django takes seconds.
        """
        made = self.folder / "tables"
        with (self.folder / "tables.lock").open("a") as turn:
            fcntl.flock(turn, fcntl.LOCK_EX)
            if not made.exists():
                self._make_tables(self.new_database("tables"))
                made.touch()
            if self.kind == "postgresql":
                name = f"test_{secrets.token_hex(6)}"
                self.run(f"CREATE DATABASE {name} TEMPLATE tables")
                return name
        name = self.new_database()
        with (self.folder / "tables.sql").open("rb") as file:
            subprocess.run([*self._client("mariadb"), name], stdin=file, timeout=60, check=True)
        return name

    def _make_tables(self, name: str) -> None:
        code = (
            "import sys; from pathlib import Path;"
            "from thingtank.web.database.url import DatabaseSource, database_of;"
            "from thingtank.web.setup import configure, migrate;"
            "from thingtank.web.web_settings import WebSettings;"
            "at = database_of(DatabaseSource(sys.argv[1]), Path());"
            "configure(WebSettings(), Path(), bytes(32), at); migrate()"
        )
        subprocess.run([sys.executable, "-c", code, self.url(name)], timeout=100, check=True)
        if self.kind == "mariadb":
            with (self.folder / "tables.sql").open("wb") as file:
                dump = [*self._client("mariadb-dump"), name]
                subprocess.run(dump, stdout=file, timeout=60, check=True)

    def _client(self, program: str) -> list[str]:
        where = f"--socket={self.folder / 'socket'}"
        return [needed_program(program), "--no-defaults", where, "-u", USER, f"-p{PASSWORD}"]

    def drop(self, name: str) -> None:
        """Remove a database, whoever is connected to it."""
        force = " WITH (FORCE)" if self.kind == "postgresql" else ""
        self.run(f"DROP DATABASE IF EXISTS {name}{force}")

    def run(self, *statements: str, name: str = "") -> list[tuple[Any, ...]]:
        """Run statements as the server's administrator; return the rows of the last."""
        with contextlib.closing(self._connect(name)) as connection:
            cursor = connection.cursor()
            for statement in statements:
                cursor.execute(statement)
            return list(cursor.fetchall()) if cursor.description else []

    def _connect(self, name: str) -> Any:
        if self.kind == "postgresql":
            import psycopg

            where = {"host": str(self.folder), "port": self.port, "user": USER}
            return psycopg.connect(
                **where, password=PASSWORD, dbname=name or "postgres", autocommit=True
            )
        import pymysql

        return pymysql.connect(
            unix_socket=str(self.folder / "socket"),
            user=USER,
            password=PASSWORD,
            database=name or None,
            autocommit=True,
        )


@contextlib.contextmanager
def shared_server(kind: str, run_folder: Path) -> Iterator[DatabaseServer]:
    """The run's server of a kind, started by who comes first, ended after the last worker.

    Args:
        run_folder: one that all workers of a run have in common.
    """
    for program in _programs(kind):
        _program(kind, program)
    # Held until this worker ends: whoever came after the last user would find no server.
    users = run_folder / f"{kind}.users"
    if users not in _held:
        _held[users] = os.open(users, os.O_RDWR | os.O_CREAT, 0o600)
        fcntl.flock(_held[users], fcntl.LOCK_SH)
    with (run_folder / f"{kind}.starting").open("a") as starting:
        fcntl.flock(starting, fcntl.LOCK_EX)
        ready = run_folder / f"{kind}.json"
        if not ready.exists():
            _start_keeper(kind, run_folder, ready)
        found = json.loads(ready.read_text())
    yield DatabaseServer(kind, Path(found["folder"]), found["port"])


@contextlib.contextmanager
def server_on(kind: str, factory: pytest.TempPathFactory, *flags: str) -> Iterator[LiveServer]:
    """A Thing Tank with its directory on SQLite or one of KINDS."""
    folder = factory.mktemp("data")
    if kind == "sqlite":
        with start_server(folder, *flags) as server:
            yield server
        return
    with shared_server(kind, run_folder(factory)) as database:
        url = database.url(database.furnished_database())
        with start_server(folder, "--database", url, *flags, is_furnished=False) as server:
            yield server


@contextlib.contextmanager
def own_server(kind: str, *, is_durable: bool = False) -> Iterator["OwnServer"]:
    """A server of a test's own, to be stopped and started again.

    Args:
        is_durable: whether it writes to the disk before it answers, as outside of tests.
    """
    folder = _folder(kind)
    own = OwnServer(_prepared(kind, folder), is_durable)
    try:
        own.start()
        _make_user(own.server)
        yield own
    finally:
        own.stop()
        shutil.rmtree(folder, ignore_errors=True)


class OwnServer:
    """A server that may be away for a while."""

    def __init__(self, server: DatabaseServer, is_durable: bool) -> None:
        self.server = server
        self._is_durable = is_durable
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, and wait until it answers."""
        self._process = _started(self.server, self._is_durable)

    def stop(self) -> None:
        """Stop it at once, as a crash would, and wait until it is gone."""
        if self._process is not None:
            _stop(self.server.kind, self._process)
            self._process = None


def _start_keeper(kind: str, run_folder: Path, ready: Path) -> None:
    log = run_folder / f"{kind}.log"
    # Not a Popen, which complains of a child that outlives it.
    os.posix_spawn(
        sys.executable,
        [sys.executable, "-m", "tests.database_servers", kind, str(run_folder)],
        {**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent)},
        file_actions=[
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_OPEN, 1, str(log), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600),
            (os.POSIX_SPAWN_DUP2, 1, 2),
        ],
        setsid=True,  # Ctrl-C is for the tests; the keeper ends after them
    )
    wait_until(
        ready.exists, lambda: f"{kind} does not start:\n{log.read_text()}", s_max=START_S_MAX
    )


def keep(kind: str, run_folder: Path) -> None:
    """Run a server until nobody of a run needs it any more."""
    folder = _folder(kind)
    try:
        server = _prepared(kind, folder)
        process = _started(server)
        try:
            _make_user(server)
            draft = run_folder / f"{kind}.new"
            draft.write_text(json.dumps({"folder": str(folder), "port": server.port}))
            draft.rename(run_folder / f"{kind}.json")
            with (run_folder / f"{kind}.users").open("a") as users:
                fcntl.flock(users, fcntl.LOCK_EX)
        finally:
            _stop(kind, process)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _folder(kind: str) -> Path:
    folder = Path(tempfile.mkdtemp(prefix=f"tank-{kind}-"))
    if os.getuid() == 0:
        entry = pwd.getpwnam(_who(kind))
        os.chown(folder, entry.pw_uid, entry.pw_gid)
    return folder


def _who(kind: str) -> str:
    return "postgres" if kind == "postgresql" else "mysql"


def _as_user(kind: str) -> dict[str, Any]:
    """How a program is run by the user whose it is."""
    if os.getuid() != 0:
        return {}
    entry = pwd.getpwnam(_who(kind))
    return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}


def _programs(kind: str) -> tuple[str, ...]:
    return ("initdb", "postgres") if kind == "postgresql" else ("mariadb-install-db", "mariadbd")


def _program(kind: str, name: str) -> str:
    # Debian keeps PostgreSQL's by version, apart from what is for users.
    found = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"), key=_version)
    return str(found[-1]) if kind == "postgresql" and found else needed_program(name)


def _version(program: Path) -> int:
    return int(program.parts[-3])


def _prepared(kind: str, folder: Path) -> DatabaseServer:
    """Make a server's files, and choose its port."""
    data = folder / "data"
    password = folder / "password"
    password.write_text(f"{PASSWORD}\n")
    if os.getuid() == 0:
        entry = pwd.getpwnam(_who(kind))
        os.chown(password, entry.pw_uid, entry.pw_gid)
    if kind == "postgresql":
        command = [_program(kind, "initdb"), "--no-sync", "-D", str(data), "-U", USER]
        command += ["--auth=scram-sha-256", f"--pwfile={password}", "--encoding=UTF8", "--locale=C"]
    else:
        command = [_program(kind, "mariadb-install-db"), "--no-defaults", f"--datadir={data}"]
        command += ["--auth-root-authentication-method=normal", "--skip-test-db"]
        command += ["--skip-name-resolve", "--innodb-flush-method=nosync"]
    done = subprocess.run(
        command, capture_output=True, text=True, cwd=folder, check=False, **_as_user(kind)
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return DatabaseServer(kind, folder, free_port())


def _started(server: DatabaseServer, is_durable: bool = False) -> subprocess.Popen[bytes]:
    folder, data, port = server.folder, server.folder / "data", server.port
    if server.kind == "postgresql":
        command = [_program(server.kind, "postgres"), "-D", str(data), "-p", str(port)]
        command += ["-k", str(folder)]
        settings = ["listen_addresses=127.0.0.1", "wal_level=minimal", "max_wal_senders=0",
                    "shared_buffers=32MB", "max_connections=200", "autovacuum=off"]  # fmt: skip
        if not is_durable:
            settings += ["fsync=off", "full_page_writes=off", "synchronous_commit=off"]
        command += [word for setting in settings for word in ("-c", setting)]
    else:
        command = [_program(server.kind, "mariadbd"), "--no-defaults", f"--datadir={data}"]
        command += [f"--socket={folder / 'socket'}", f"--port={port}", "--bind-address=127.0.0.1"]
        command += ["--skip-log-bin", "--skip-name-resolve", "--performance-schema=off"]
        command += ["--innodb-buffer-pool-size=64M", "--max-connections=200"]
        command += ["--innodb-log-file-size=64M"]
        if not is_durable:
            command += ["--innodb-flush-log-at-trx-commit=0", "--innodb-doublewrite=0"]
            command += ["--innodb-flush-method=nosync", "--sync-frm=0"]
    with (folder / "log").open("ab") as log:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=log,
            cwd=folder, **_as_user(server.kind),
        )  # fmt: skip
    end_s = time.monotonic() + START_S_MAX
    while True:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            break
        said = (folder / "log").read_text(errors="replace")
        assert process.poll() is None, said
        assert time.monotonic() < end_s, said
        time.sleep(0.02)
    _await_answers(server, end_s)
    return process


def _await_answers(server: DatabaseServer, end_s: float) -> None:
    while server.kind == "postgresql":
        import psycopg

        try:
            server.run("SELECT 1")
            return
        except psycopg.OperationalError:  # it is starting up
            assert time.monotonic() < end_s, "it does not answer"
            time.sleep(0.02)


def _make_user(server: DatabaseServer) -> None:
    if server.kind == "postgresql":
        return  # initdb has
    import pymysql

    who = f"'{USER}'@'%' IDENTIFIED BY '{PASSWORD}'"
    root = pymysql.connect(unix_socket=str(server.folder / "socket"), user="root")
    with contextlib.closing(root) as connection, connection.cursor() as cursor:
        cursor.execute(f"CREATE USER {who}")
        cursor.execute(f"GRANT ALL PRIVILEGES ON *.* TO '{USER}'@'%' WITH GRANT OPTION")


def _stop(kind: str, process: subprocess.Popen[bytes]) -> None:
    # PostgreSQL's children must not outlive it: this is its immediate shutdown.
    if kind == "postgresql":
        process.send_signal(3)
    else:
        process.kill()
    try:
        process.wait(START_S_MAX)
    finally:
        process.kill()
        process.wait(START_S_MAX)


if __name__ == "__main__":
    keep(sys.argv[1], Path(sys.argv[2]))
