"""A database that cannot be used is refused with a sentence that says why, and what to do."""

import asyncio
import re
import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import pytest
from tests.contract.conftest import Databases
from tests.database_servers import KINDS, PASSWORD, DatabaseServer
from tests.emulated_mongodb import emulated_mongodb
from tests.waiting import wait_until

from thingtank.stores.archive_settings import ArchiveSettings
from thingtank.stores.embedded_archive import EmbeddedArchive
from thingtank.stores.stored import holds_datapoints
from thingtank.tank.datapoints import Datapoint, DatapointRows
from thingtank.tank.tank import SystemClock

SECRET = bytes(range(32))


@pytest.fixture(params=KINDS)
def server(request: pytest.FixtureRequest, databases: Databases) -> DatabaseServer:
    return databases.server(request.param)


@pytest.fixture
def name(server: DatabaseServer) -> Iterator[str]:
    made = server.furnished_database()
    yield made
    server.drop(made)


def opened(databases: Databases, url: str, folder: Path, secret: bytes = SECRET) -> None:
    """Open a database as a server would, and let it go."""
    from thingtank.web.database.opening import open_database

    with databases.at(url) as database:
        open_database(database, folder, secret, partial(holds_datapoints, folder)).close()


def why_refused(databases: Databases, url: str, folder: Path, secret: bytes = SECRET) -> str:
    from thingtank.web.database.trouble import DatabaseRefused

    with pytest.raises(DatabaseRefused) as refused:
        opened(databases, url, folder, secret)
    assert PASSWORD not in str(refused.value)
    return str(refused.value)


def weak_user(server: DatabaseServer, name: str) -> str:
    """The URL for a user who may come in, and make nothing."""
    user = f"weak_{name}"
    if server.kind == "postgresql":
        server.run(f"CREATE ROLE {user} LOGIN PASSWORD '{PASSWORD}'")
        server.run("REVOKE CREATE ON SCHEMA public FROM PUBLIC", name=name)
    else:
        server.run(
            f"CREATE USER {user}@'%' IDENTIFIED BY '{PASSWORD}'",
            f"GRANT SELECT ON {name}.* TO {user}@'%'",
        )
    return server.url(name, user=user)


def test_what_is_wrong_with_a_server_is_said(
    databases: Databases, server: DatabaseServer, name: str, tmp_path: Path
) -> None:
    url = server.url(name)
    bare = server.new_database()
    rows = [
        (server.url(name, password="hunter22"), f"127.0.0.1:{server.port} refuses .*password"),
        (server.url("nowhere"), "has no database nowhere; make it with"),
        (weak_user(server, bare), f"does not let user weak_{bare} make tables in {bare};"),
        (url.replace(f":{server.port}/", ":1/"), "127.0.0.1:1 cannot be reached: .*refused"),
        (f"{url}?nonsense=1", "knows no option nonsense"),
    ]
    for bad, words in rows:
        said = why_refused(databases, bad, tmp_path)
        assert re.search(words, said), said
        assert "hunter22" not in said


def test_a_bug_is_not_taken_for_a_database_that_refuses(
    databases: Databases, server: DatabaseServer, name: str
) -> None:
    from thingtank.web.database.trouble import told

    bug = pytest.raises(TypeError, match="a bug")
    with databases.at(server.url(name)) as database, bug, told(database):
        raise TypeError("a bug of ours")


def test_a_server_that_is_too_old_is_told_which_it_must_be(
    databases: Databases,
    server: DatabaseServer,
    name: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from django.db import connections

    with databases.at(server.url(name)):
        features = type(connections["default"].features)
    monkeypatch.setattr(features, "minimum_database_version", (99, 9))
    said = why_refused(databases, server.url(name), tmp_path)
    assert re.search(r"is too old: \w+ 99.9 or later is required, and it is 1\d", said), said


def test_only_one_process_has_a_database_at_a_time(
    databases: Databases, server: DatabaseServer, name: str, tmp_path: Path
) -> None:
    from thingtank.web.database.opening import open_database

    url = server.url(name)
    with databases.at(url) as database:
        lock = open_database(database, tmp_path, SECRET, lambda: False)
        assert "is in use by another Thing Tank" in why_refused(databases, url, tmp_path)
        end_connections(server, name)
        lock.renew()
        assert "is in use by another Thing Tank" in why_refused(databases, url, tmp_path)
        lock.close()
    opened(databases, url, tmp_path)


def test_a_lock_that_another_has_taken_ends_all_writes(
    databases: Databases, server: DatabaseServer, name: str, tmp_path: Path
) -> None:
    from django.db import OperationalError

    from thingtank.web.accounts.models import Account
    from thingtank.web.database.opening import open_database
    from thingtank.web.database.server_lock import ServerLock

    with databases.at(server.url(name)) as database, ExitStack() as stack:
        lock, other = open_database(database, tmp_path, SECRET, lambda: False), ServerLock(database)
        stack.callback(lock.close)
        stack.callback(other.close)
        Account.objects.create(username="before")
        end_connections(server, name)
        databases.leave()
        other.take()
        lock.renew()
        assert "another Thing Tank has taken" in lock.why_lost
        assert PASSWORD not in lock.why_lost
        with pytest.raises(OperationalError, match="stop one of the two"):
            Account.objects.create(username="after")
        other.close()
        lock.renew()  # what the other has changed is not known, so it stays as it is
        assert Account.objects.filter(username="before").exists()
        with pytest.raises(OperationalError):
            Account.objects.update(username="after")
        lock.close()
        Account.objects.update(username="after")


def end_connections(server: DatabaseServer, name: str) -> None:
    """Have a server hang up, as when it is restarted."""
    if server.kind == "postgresql":
        rows, end = "SELECT pid, datname FROM pg_stat_activity", "SELECT pg_terminate_backend({})"
    else:
        rows, end = "SELECT id, db FROM information_schema.processlist", "KILL {}"

    def open_ones() -> list[int]:
        return [number for number, database in server.run(rows) if database == name]

    for number in open_ones():
        server.run(end.format(number))
    wait_until(lambda: not open_ones(), open_ones)  # it ends them when it comes to it


def test_a_folder_has_one_database_and_a_database_one_folder(
    databases: Databases, server: DatabaseServer, name: str, tmp_path: Path
) -> None:
    url = server.socket_url(name)
    opened(databases, url, tmp_path)
    noted = (tmp_path / "database.txt").read_text()
    assert name in noted
    assert PASSWORD not in noted
    opened(databases, server.url(name), tmp_path)  # the same by another way

    other = tmp_path / "other"
    other.mkdir()
    assert "belongs to another Thing Tank" in why_refused(databases, url, other, bytes(32))

    usual = f"sqlite:///{tmp_path / 'directory.sqlite3'}"
    said = why_refused(databases, usual, tmp_path)
    assert f"127.0.0.1:{server.port}/{name}, and sqlite:///directory.sqlite3 has none yet" in said
    assert not (tmp_path / "directory.sqlite3").exists()

    opened(databases, f"sqlite:///{other / 'directory.sqlite3'}", other)
    empty = server.new_database()
    assert "has none yet; set `database`" in why_refused(databases, server.url(empty), other)
    server.drop(empty)


@pytest.mark.parametrize("kind", ["sqlite", *KINDS])
def test_a_database_that_has_lost_all_is_not_begun_anew(
    databases: Databases, kind: str, tmp_path: Path
) -> None:
    if kind == "sqlite":
        url = "sqlite:///lost.sqlite3"
        lost = databases.folder / "lost.sqlite3"
        opened(databases, url, tmp_path)
        lost.unlink()
    else:
        server = databases.server(kind)
        name = server.furnished_database()
        url = server.url(name)
        opened(databases, url, tmp_path)
        server.drop(name)
        server.new_database(name)
    said = why_refused(databases, url, tmp_path)
    assert "restore it from your backup" in said
    assert str(tmp_path / "database.txt") in said
    (tmp_path / "database.txt").unlink()
    opened(databases, url, tmp_path)


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder whose archive has a datapoint in the journal, in the hot and the cold tier."""
    folder = tmp_path_factory.mktemp("archive")

    async def fill() -> None:
        made = await EmbeddedArchive.open(folder, ArchiveSettings(), SystemClock())
        day_us = 86_400_000_000
        for at_us in (day_us, SystemClock().now_us()):
            await made.append(DatapointRows.of([(1, Datapoint(at_us, "21.5"))]))
        await made.flush()
        await made.compact()
        await made.close()

    asyncio.run(fill())
    return folder


@pytest.mark.parametrize("is_elsewhere", [False, True], ids=["in the folder", "elsewhere"])
@pytest.mark.parametrize("emptied", [False, True], ids=["lost", "emptied"])
@pytest.mark.parametrize("left", ["journal.sqlite3", "hot.duckdb", "cold"])
def test_a_lost_directory_is_not_begun_anew_beside_what_is_left_of_an_archive(
    databases: Databases,
    archive: Path,
    left: str,
    emptied: bool,
    is_elsewhere: bool,
    tmp_path: Path,
) -> None:
    folder = tmp_path / "tank"
    folder.mkdir()
    copy = shutil.copytree if (archive / left).is_dir() else shutil.copyfile
    copy(archive / left, folder / left)
    file = (tmp_path if is_elsewhere else folder) / "directory.sqlite3"
    if emptied:
        file.touch()
    said = why_refused(databases, f"sqlite:///{file}", folder)
    assert "the archive in" in said
    assert "restore it from your backup" in said
    assert "new folder" in said
    assert file.exists() == emptied
    assert not (folder / "database.txt").exists()


def test_an_archive_without_datapoints_does_not_hinder_a_new_directory(
    databases: Databases, tmp_path: Path
) -> None:
    async def make() -> None:
        made = await EmbeddedArchive.open(tmp_path, ArchiveSettings(), SystemClock())
        await made.close()

    asyncio.run(make())
    opened(databases, f"sqlite:///{tmp_path / 'directory.sqlite3'}", tmp_path)


def test_a_damaged_file_counts_as_datapoints(tmp_path: Path) -> None:
    for name in ("journal.sqlite3", "hot.duckdb"):
        (tmp_path / name).write_bytes(b"nonsense" * 1000)
        assert holds_datapoints(tmp_path)
        (tmp_path / name).unlink()
    assert not holds_datapoints(tmp_path)


def test_mongodb_numbers_its_rows_as_the_others_do(databases: Databases, tmp_path: Path) -> None:
    with emulated_mongodb() as url, databases.at(url):
        from thingtank.web.accounts.models import Account
        from thingtank.web.setup import migrate

        migrate()
        alice, bob = (Account.objects.create_user(login) for login in ("alice", "bob"))
        assert [alice.pk, bob.pk] == [1, 2]
        bob.delete()
        Account.objects.create(pk=7, username="carol")
        assert Account.objects.create_user("dora").pk == 8  # and never 2 again
        assert list(Account.objects.order_by("id").values_list("username", flat=True)) == [
            "alice",
            "carol",
            "dora",
        ]


def test_a_mongodb_that_is_not_there_is_told_in_words(databases: Databases, tmp_path: Path) -> None:
    from thingtank.web.database.trouble import DatabaseRefused

    url = "mongodb://me:hunter22@127.0.0.1:1/tank?serverSelectionTimeoutMS=200"
    with pytest.raises(DatabaseRefused, match="cannot be reached") as refused:
        opened(databases, url, tmp_path)
    assert "hunter22" not in str(refused.value)
