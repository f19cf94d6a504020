"""One database of each kind for all contract tests of a worker, one in use at a time.

Django can be set up only once in a process, so it is led from one to the other between tests.
"""

from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.database_servers import KINDS, DatabaseServer, shared_server
from tests.emulated_mongodb import emulated_mongodb
from tests.needed import run_folder

from thingtank.web.database.url import Database, DatabaseSource, database_of
from thingtank.web.setup import configure, migrate
from thingtank.web.web_settings import WebSettings

if TYPE_CHECKING:
    from django.db.backends.base.base import BaseDatabaseWrapper

SECRET = bytes(range(32))


class Databases:
    """Databases with all tables, made when they are first used."""

    def __init__(self, folder: Path, shared: Path, stack: ExitStack) -> None:
        configure(WebSettings(), folder, SECRET)
        from django.db import connections
        from django.db.backends.signals import connection_created

        self._handler = connections
        self._settings = {"sqlite": connections.settings["default"]}
        self._shared = shared
        self._stack = stack
        self._servers: dict[str, DatabaseServer] = {}
        self._migrated: set[str] = set()
        self._opened: list[BaseDatabaseWrapper] = []
        connection_created.connect(self._note)
        self.folder = folder

    def use(self, kind: str) -> None:
        """Have Django use this kind from now on."""
        if kind not in self._settings:
            url = self._stack.enter_context(self._made(kind))
            database = database_of(DatabaseSource(url), self.folder)
            made = self._handler.configure_settings({"default": database.settings})
            self._settings[kind] = made["default"]
        if self._handler.settings["default"] is not self._settings[kind]:
            self.leave()
            self._handler.settings["default"] = self._settings[kind]
        if kind not in self._migrated:
            migrate()
            self._migrated.add(kind)

    @contextmanager
    def at(self, url: str) -> Iterator[Database]:
        """Have Django use another database for a while."""
        from django.db.backends.base.base import RAN_DB_VERSION_CHECK

        database = database_of(DatabaseSource(url), self.folder)
        made = self._handler.configure_settings({"default": database.settings})
        self.leave()
        RAN_DB_VERSION_CHECK.clear()
        before, self._handler.settings["default"] = (
            self._handler.settings["default"],
            made["default"],
        )
        try:
            yield database
        finally:
            self.close_all()
            self.leave()
            self._handler.settings["default"] = before

    def _note(self, connection: "BaseDatabaseWrapper", **_: object) -> None:
        self._opened.append(connection)

    def close_all(self) -> None:
        """Close what a test left open; what it did in the loop's thread has a context of its own."""
        for connection in self._opened:
            connection.inc_thread_sharing()
            connection.close()
        self._opened.clear()

    def _made(self, kind: str) -> AbstractContextManager[str]:
        """The URL of a new database."""
        if kind == "mongodb":
            return emulated_mongodb()
        server = self.server(kind)
        return nullcontext(server.url(server.furnished_database()))

    def server(self, kind: str) -> DatabaseServer:
        """The run's server of a kind."""
        if kind not in self._servers:
            self._servers[kind] = self._stack.enter_context(shared_server(kind, self._shared))
        return self._servers[kind]

    def leave(self) -> None:
        """Forget this thread's connection."""
        self._handler["default"].close()
        del self._handler["default"]


@pytest.fixture(scope="session")
def databases(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Databases]:
    with ExitStack() as stack:
        made = Databases(tmp_path_factory.mktemp("directory"), run_folder(tmp_path_factory), stack)
        yield made
        made.use("sqlite")
        made.leave()


@pytest.fixture(params=["sqlite", *KINDS])
def database(request: pytest.FixtureRequest, databases: Databases) -> Iterator[Path]:
    """The folder of a database with all tables; each test empties those it uses."""
    databases.use(request.param)
    yield databases.folder
    databases.close_all()


@pytest.fixture
def blocking_calls(database: Path) -> Iterator[None]:
    """Lets a test use Django's tables in the loop's thread, which Django refuses by default."""
    from django.db import connection

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "1")
        yield
        connection.close()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run what needs no database once, though its fixture may take one."""
    items[:] = [item for item in items if not _is_twice(item)]


def _is_twice(item: pytest.Item) -> bool:
    params = getattr(getattr(item, "callspec", None), "params", {})
    return "memory" in params.values() and params.get("database", "sqlite") != "sqlite"
