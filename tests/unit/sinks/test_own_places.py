"""No rule of sinks may write into what is the tank's own; a place of its own there it has."""

import sqlite3
from pathlib import Path

import pytest

from thingtank.aws.clients import AwsClients
from thingtank.aws.settings import AwsSettings
from thingtank.server.config import BadSettings, load_config
from thingtank.sinks.engine import EngineFailed, EngineParts, Item
from thingtank.sinks.engines import BadEngine, engine_settings, make_engine, place_problem
from thingtank.sinks.engines.sql.settings import own_database
from thingtank.sinks.own_places import OwnPlaces
from thingtank.tank.failures import FailureKind

DIRECTORY = "sqlite:///directory.sqlite3"
MARIADB = "mysql://tank:secret-1@db.example/tank"

REFUSED = [
    (DIRECTORY, {"engine": "folder", "folder": "{data}/cold"}),
    (DIRECTORY, {"engine": "folder", "folder": "{data}"}),
    (DIRECTORY, {"engine": "folder", "folder": "{data}/sinks"}),
    (DIRECTORY, {"engine": "folder", "folder": "{data}/sinks/objects/../../cold"}),
    (DIRECTORY, {"engine": "folder", "folder": "{root}/link"}),
    (DIRECTORY, {"engine": "folder", "folder": "{root}", "prefix": "data/cold/"}),
    (DIRECTORY, {"engine": "sql", "url": "sqlite:///{data}/directory.sqlite3"}),
    (DIRECTORY, {"engine": "sql", "url": "sqlite:///{data}/journal.sqlite3"}),
    (DIRECTORY, {"engine": "sql", "url": "sqlite:///{data}/secret.key"}),
    (DIRECTORY, {"engine": "sql", "url": "sqlite:///{data}/new.sqlite3"}),
    (DIRECTORY, {"engine": "sql", "url": "sqlite:///queues.sqlite3"}),
    (DIRECTORY, {"engine": "sql", "url": "sqlite:///tables.sqlite3-wal"}),
    (DIRECTORY, {"engine": "sql", "url": "sqlite:///{root}/link/x.sqlite3"}),
    ("sqlite:///{root}/tank.sqlite3", {"engine": "sql", "url": "sqlite:///{root}/tank.sqlite3"}),
    ("sqlite:///{root}/tank.sqlite3", {"engine": "sql", "url": "sqlite:///{root}/hard.sqlite3"}),
    (MARIADB, {"engine": "sql", "url": "mariadb://other:secret-2@DB.example:3306/tank"}),
    ("mysql://t:s@localhost/tank", {"engine": "sql", "url": "mysql://o:s@127.0.0.1/tank"}),
    ("postgres://t:s@db/tank", {"engine": "sql", "url": "postgresql://o@db:5432/tank?sslmode=require"}),
]  # fmt: skip
ALLOWED = [
    (DIRECTORY, {"engine": "folder", "folder": "readings"}),
    (DIRECTORY, {"engine": "folder", "folder": "{data}/sinks/objects/readings"}),
    (DIRECTORY, {"engine": "folder", "folder": "{root}/elsewhere"}),
    (DIRECTORY, {"engine": "sql", "url": "sqlite:///orders.sqlite3"}),
    (DIRECTORY, {"engine": "sql", "url": "sqlite:///directory.sqlite3"}),  # below `sinks`
    (DIRECTORY, {"engine": "sql", "url": "sqlite:///{root}/orders.sqlite3"}),
    (DIRECTORY, {"engine": "sql", "url": "mysql://u:p@db.example/tank"}),
    (MARIADB, {"engine": "sql", "url": "mysql://u:p@db.example/readings"}),
    (MARIADB, {"engine": "sql", "url": "mysql://u:p@db.example:3307/tank"}),
    (MARIADB, {"engine": "sql", "url": "mysql://u:p@other.example/tank"}),
    ("mongodb://t:s@db/tank", {"engine": "sql", "url": "mysql://u:p@db/tank"}),
    (DIRECTORY, {"engine": "queue", "queue": "q"}),
]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A folder that has the data folder, a link into it, and a database with two names."""
    (tmp_path / "data" / "cold").mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "data" / "cold")
    sqlite3.connect(tmp_path / "tank.sqlite3").close()
    (tmp_path / "tank.sqlite3").touch()
    (tmp_path / "hard.sqlite3").hardlink_to(tmp_path / "tank.sqlite3")
    return tmp_path


def in_place(text: str, root: Path) -> str:
    return text.format(root=root, data=root / "data")


def problem_of(root: Path, database: str, to: dict[str, str]) -> str:
    own = OwnPlaces(root / "data", own_database(in_place(database, root)))
    return place_problem({key: in_place(value, root) for key, value in to.items()}, own)


@pytest.mark.parametrize(("database", "to"), REFUSED, ids=lambda each: str(each)[:70])
def test_what_is_the_tanks_own_is_refused_with_what_to_do(
    root: Path, database: str, to: dict[str, str]
) -> None:
    problem = problem_of(root, database, to)
    assert "tank" in problem
    assert ": write" in problem or ": name" in problem or ": make" in problem
    assert "secret-" not in problem


@pytest.mark.parametrize(("database", "to"), ALLOWED, ids=lambda each: str(each)[:70])
def test_what_is_not_may_be_written_to(root: Path, database: str, to: dict[str, str]) -> None:
    assert problem_of(root, database, to) == ""


@pytest.mark.parametrize(
    "to",
    [
        {"engine": "folder", "folder": "../../etc/x"},
        {"engine": "folder", "folder": "~nobody-of-this-name/x"},
        {"engine": "sql", "url": "sqlite:///../directory.sqlite3"},
    ],
    ids=str,
)
def test_a_path_that_is_not_whole_leads_nowhere_else(to: dict[str, str]) -> None:
    with pytest.raises(BadEngine, match=r"in the data folder, which a path|there is no such user"):
        engine_settings(to)


def test_settings_are_refused_as_they_are_read(root: Path) -> None:
    rule = f'[{{name = "r", to = {{engine = "folder", folder = "{root}/data/cold"}}}}]'
    with pytest.raises(
        BadSettings, match=r"sinks\.rules: r: `to`: `folder` .*its own: write a path"
    ):
        load_config(None, {}, [f"sinks.rules={rule}"], folder=root / "data")
    assert load_config(None, {}, [f"sinks.rules={rule}"], folder=root / "other").config


def test_a_link_that_leads_elsewhere_since_is_seen_when_the_place_is_opened(root: Path) -> None:
    parts = EngineParts(lambda: AwsClients(AwsSettings()), root / "data")
    there = root / "there"
    there.mkdir()
    (root / "out").symlink_to(there)
    folder = make_engine({"engine": "folder", "folder": f"{root}/out"}, parts)
    file = make_engine({"engine": "sql", "url": f"sqlite:///{root}/out/x.sqlite3"}, parts)
    folder.open()
    (root / "out").unlink()
    (root / "out").symlink_to(root / "data" / "cold")
    item = Item("o-1-0", "datapoint", 1, "u", "t", 1_700_000_000_000_000, "1", payload=b"1")
    for fails in (folder.open, lambda: folder.send([item]), file.open):
        with pytest.raises(EngineFailed) as raised:
            fails()
        assert raised.value.failure.kind is FailureKind.NOT_ALLOWED
    assert list((root / "data" / "cold").iterdir()) == []
