"""The SQL engine does the same on SQLite, MariaDB and PostgreSQL: rows once, in order, typed."""

import contextlib
import secrets
import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from tests.database_servers import KINDS, DatabaseServer, shared_server
from tests.needed import run_folder

from thingtank.aws.clients import AwsClients
from thingtank.aws.settings import AwsSettings
from thingtank.sinks.engine import (
    ALL_DELIVERED,
    EngineFailed,
    EngineParts,
    Item,
    Kind,
    SinkEngine,
    TopicFacts,
)
from thingtank.sinks.engines import make_engine
from thingtank.tank.failures import FailureKind

AT_US = 1_795_772_365_764_573
AT = datetime(2026, 11, 27, 9, 39, 25, 764_573, UTC)


class Target(NamedTuple):
    """A table that is not there yet.

    Attributes:
        folder: of SQLite files.
        name: the database's.
    """

    kind: str
    url: str
    folder: Path
    server: DatabaseServer | None
    name: str
    table: str

    def engine(self, table: str = "", url: str = "", kind: Kind = "datapoint") -> SinkEngine:
        to = {"engine": "sql", "url": url or self.url, "table": table or self.table}
        parts = EngineParts(lambda: AwsClients(AwsSettings()), self.folder, None, kind)
        return make_engine(to, parts)

    def run(self, statement: str) -> list[tuple[Any, ...]]:
        """Run a statement in which TABLE_NAME stands for the table."""
        statement = statement.replace("TABLE_NAME", self.table)
        if self.server is not None:
            return self.server.run(statement, name=self.name)
        (self.folder / "sinks").mkdir(exist_ok=True)
        file = sqlite3.connect(self.folder / "sinks" / self.name, isolation_level=None)
        with contextlib.closing(file):
            return file.execute(statement).fetchall()

    def rows(self) -> list[tuple[Any, ...]]:
        """What arrived, in order."""
        return self.run(
            "SELECT item_id, device_id, datastream, value, number FROM TABLE_NAME ORDER BY row_id"
        )


class Databases:
    """One database of each kind, made when it is needed."""

    def __init__(self, factory: pytest.TempPathFactory, stack: contextlib.ExitStack) -> None:
        self._factory = factory
        self._stack = stack
        self._made: dict[str, tuple[DatabaseServer, str]] = {}

    def target(self, kind: str, folder: Path) -> Target:
        table = f"t_{secrets.token_hex(4)}"
        if kind == "sqlite":
            return Target(kind, "sqlite:///out.sqlite3", folder, None, "out.sqlite3", table)
        if kind not in self._made:
            server = self._stack.enter_context(shared_server(kind, run_folder(self._factory)))
            name = server.new_database()
            self._stack.callback(server.drop, name)
            self._made[kind] = (server, name)
        server, name = self._made[kind]
        return Target(kind, server.url(name), folder, server, name, table)


@pytest.fixture(scope="module")
def databases(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Databases]:
    with contextlib.ExitStack() as stack:
        yield Databases(tmp_path_factory, stack)


@pytest.fixture(params=["sqlite", *KINDS])
def target(request: pytest.FixtureRequest, databases: Databases, tmp_path: Path) -> Target:
    return databases.target(request.param, tmp_path)


@pytest.fixture(params=KINDS)
def server_target(request: pytest.FixtureRequest, databases: Databases, tmp_path: Path) -> Target:
    return databases.target(request.param, tmp_path)


@contextlib.contextmanager
def opened(engine: SinkEngine) -> Iterator[SinkEngine]:
    engine.open()
    try:
        yield engine
    finally:
        engine.close()


def item(number: int, value: str = "21.50", parsed: float | None = 21.5, **members: Any) -> Item:
    at_us = members.pop("at_us", AT_US + number)
    return Item(f"o-{number}-0", "datapoint", 7, "u-7", "t°", at_us, value, parsed)


def test_rows_are_typed_and_in_order_and_the_same_again_changes_nothing(target: Target) -> None:
    items = [item(1), item(2, "on", None), item(3, "café 🌡 ' \\ %s \" `", None), item(4, "-0", 0.0)]
    with opened(target.engine()) as engine:
        assert engine.send(items[:3]) == ALL_DELIVERED
        assert engine.send(items) == ALL_DELIVERED  # as after a crash
        engine.open()
        assert engine.send(items[:1]) == ALL_DELIVERED
    assert target.rows() == [
        ("o-1-0", 7, "t°", "21.50", 21.5),
        ("o-2-0", 7, "t°", "on", None),
        ("o-3-0", 7, "t°", "café 🌡 ' \\ %s \" `", None),
        ("o-4-0", 7, "t°", "-0", 0.0),
    ]
    ((at,),) = target.run("SELECT at FROM TABLE_NAME WHERE item_id = 'o-1-0'")
    if isinstance(at, str):
        at = datetime.fromisoformat(at)
    assert at.replace(tzinfo=at.tzinfo or UTC) == AT.replace(microsecond=764_574)


def test_a_whole_batch_of_the_longest_values_fits_in_one_call(target: Target) -> None:
    with opened(target.engine()) as engine:
        items = [item(n, "€" * 255, None) for n in range(engine.bounds.items_max)]
        engine.send(items)
    ((count,),) = target.run("SELECT count(*) FROM TABLE_NAME")
    assert count == len(items)


def test_a_message_of_any_size_fits_and_its_topic_stands_for_the_datastream(target: Target) -> None:
    body = '{"payload": "' + "€" * 40_000 + '"}'
    message = Item("o-m-1", "message", 7, "u-7", "", AT_US, body, None, "lights")
    with opened(target.engine()) as engine:
        engine.send([message])
    assert target.rows() == [("o-m-1", 7, "lights", body, None)]


@pytest.mark.parametrize("at_us", [-62_135_596_800_000_000, 253_402_300_799_999_999])
def test_all_times_that_a_tank_keeps_fit(target: Target, at_us: int) -> None:
    with opened(target.engine()) as engine:
        engine.send([item(1, at_us=at_us)])
    ((count,),) = target.run("SELECT count(*) FROM TABLE_NAME")
    assert count == 1


def test_a_text_that_no_column_takes_is_refused(target: Target) -> None:
    with opened(target.engine()) as engine:
        for value in ("half \ud83d", "nul \0"):
            try:
                engine.send([item(1, value, None)])
            except EngineFailed as error:
                assert error.failure.kind is FailureKind.REFUSED  # noqa: PT017 - some take it
        engine.send([item(2)])  # and the connection is still good
    assert ("o-2-0", 7, "t°", "21.50", 21.5) in target.rows()


@pytest.mark.parametrize(
    "columns", ["item_id VARCHAR(64) PRIMARY KEY, colour INT", "item_id VARCHAR(64), device_id INT,"
                " datastream VARCHAR(9), at VARCHAR(40), value TEXT, number FLOAT"],
    ids=["other columns", "no unique index"],
)  # fmt: skip
def test_a_table_of_another_shape_is_told_and_left_alone(target: Target, columns: str) -> None:
    if target.kind == "mariadb":
        columns = columns.replace("at VARCHAR", "`at` VARCHAR")
    target.run(f"CREATE TABLE TABLE_NAME ({columns})")
    with pytest.raises(EngineFailed) as caught:
        target.engine().open()
    assert caught.value.failure.kind is FailureKind.EXISTS
    assert "Rename or drop that table" in str(caught.value)


def test_a_table_that_goes_is_made_again(target: Target) -> None:
    with opened(target.engine()) as engine:
        engine.send([item(1)])
        target.run("DROP TABLE TABLE_NAME")
        with pytest.raises(EngineFailed):
            engine.send([item(2)])
        engine.open()
        engine.send([item(2)])
    assert [row[0] for row in target.rows()] == ["o-2-0"]


def test_a_table_may_be_filled_by_who_may_not_make_tables(server_target: Target) -> None:
    target, server = server_target, server_target.server
    assert server is not None
    with opened(target.engine()):
        pass
    user = f"writer_{target.table}"
    if target.kind == "mariadb":
        target.run(f"CREATE USER {user}@'%' IDENTIFIED BY 'long-enough'")
        target.run(f"GRANT SELECT, INSERT, UPDATE ON {target.name}.TABLE_NAME TO {user}@'%'")
    else:
        target.run(f"CREATE USER {user} PASSWORD 'long-enough'; GRANT SELECT, INSERT ON"
                   f" TABLE_NAME TO {user}; GRANT USAGE ON SEQUENCE TABLE_NAME_row_id_seq TO {user}")  # fmt: skip
    url = server.url(target.name, user=user, password="long-enough")
    with opened(target.engine(url=url)) as engine:
        engine.send([item(1)])
    assert len(target.rows()) == 1
    with pytest.raises(EngineFailed) as caught:
        target.engine("another", url=url).open()
    assert caught.value.failure.kind is FailureKind.NOT_ALLOWED
    assert "Grant the user" in str(caught.value)
    host = "@'%'" if target.kind == "mariadb" else ""
    target.run("DROP TABLE TABLE_NAME")
    target.run(f"DROP USER {user}{host}")


@pytest.mark.parametrize(
    ("change", "kind", "advice"),
    [
        ({"password": "not-the-one"}, FailureKind.CREDENTIALS, "user and password"),
        ({"name": "nowhere"}, FailureKind.MISSING, "nowhere"),
        ({"port": 1}, FailureKind.UNREACHABLE, "Does the server run"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_who_cannot_connect_is_told_why_and_what_to_do(
    server_target: Target, change: dict[str, Any], kind: FailureKind, advice: str
) -> None:
    target, server = server_target, server_target.server
    assert server is not None
    if "port" in change:
        server = server._replace(port=change["port"])
    url = server.url(change.get("name", target.name))
    if "password" in change:
        url = server.url(target.name, password=change["password"])
    with pytest.raises(EngineFailed) as caught:
        target.engine(url=url).open()
    assert caught.value.failure.kind is kind
    assert advice in str(caught.value)
    assert "not-the-one" not in str(caught.value)


def test_a_lost_connection_is_told_as_such_and_open_mends_it(server_target: Target) -> None:
    target, server = server_target, server_target.server
    assert server is not None
    with opened(target.engine()) as engine:
        engine.send([item(1)])
        if target.kind == "mariadb":
            rows = target.run("SHOW PROCESSLIST")
            for row in rows:
                if row[3] == target.name and "PROCESSLIST" not in str(row[7]):
                    target.run(f"KILL {row[0]}")
        else:
            target.run("SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                       " WHERE datname = current_database() AND pid <> pg_backend_pid()")  # fmt: skip
        with pytest.raises(EngineFailed) as caught:
            engine.send([item(2)])
        assert caught.value.failure.kind is FailureKind.UNREACHABLE
        engine.open()
        engine.send([item(2)])
    assert [row[0] for row in target.rows()] == ["o-1-0", "o-2-0"]


def test_it_says_where_it_sends_to_without_the_password(target: Target) -> None:
    said = target.engine().describe()
    assert said.startswith(f"table {target.table} of ")
    assert "p@ss" not in said
    assert "p%40ss" not in said


def test_a_url_that_is_in_no_file_yet_is_told_when_it_opens(tmp_path: Path) -> None:
    parts = EngineParts(lambda: AwsClients(AwsSettings()), tmp_path)
    engine = make_engine({"engine": "sql", "url": {"file": str(tmp_path / "none")}}, parts)
    assert engine.describe() == "table readings"
    with pytest.raises(EngineFailed, match="cannot be read"):
        engine.open()


def test_a_file_that_is_no_database_and_a_folder_that_is_not_there_are_told(
    tmp_path: Path,
) -> None:
    (tmp_path / "noise").write_bytes(b"no database at all" * 100)
    parts = EngineParts(lambda: AwsClients(AwsSettings()), tmp_path / "data")
    for url, reason in (
        (f"sqlite:///{tmp_path}/noise", "not a database"),
        (f"sqlite:///{tmp_path}", f"{tmp_path} is a folder.*Name a file in `url`"),
        ("sqlite:////proc/none/x.sqlite3", "/proc/none/x.sqlite3"),
    ):
        with pytest.raises(EngineFailed, match=reason):
            make_engine({"engine": "sql", "url": url}, parts).open()


def test_a_table_of_topics_has_columns_of_its_own(target: Target) -> None:
    facts = TopicFacts(1, True, False, "text/plain", (("unit", "°C"),), AT_US + 1_000_000)
    items = [
        Item("o-t-1-1", "topic", 0, "", "", AT_US, "21.5", 21.5, "plant/°/t", facts=facts),
        Item("o-t-1-2", "topic", 0, "", "", AT_US, "/w==", None, "t" * 3000,
             facts=TopicFacts(0, False, True)),
    ]  # fmt: skip
    with opened(target.engine(kind="topic")) as engine:
        assert engine.send(items) == ALL_DELIVERED
        assert engine.send(items[:1]) == ALL_DELIVERED  # as after a crash
        engine.open()
        with pytest.raises(EngineFailed) as caught:
            target.engine().open()
    assert caught.value.failure.kind is FailureKind.EXISTS
    query = (
        "SELECT item_id, topic, payload, encoding, number, qos, content_type, user_properties"
        " FROM TABLE_NAME ORDER BY row_id"
    )
    assert target.run(query) == [
        ("o-t-1-1", "plant/°/t", "21.5", "", 21.5, 1, "text/plain", '[["unit","°C"]]'),
        ("o-t-1-2", "t" * 3000, "/w==", "base64", None, 0, None, None),
    ]
    query = 'SELECT "retain", expires_at FROM TABLE_NAME ORDER BY row_id'
    (first, second) = target.run(query.replace('"', "`") if target.kind == "mariadb" else query)
    assert (bool(first[0]), bool(second[0]), second[1]) == (True, False, None)
    assert "39:26.764573" in str(first[1])
