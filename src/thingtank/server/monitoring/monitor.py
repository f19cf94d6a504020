"""Puts together what watches a running instance."""

from contextlib import AsyncExitStack
from pathlib import Path
from urllib.parse import urlsplit

from asgiref.sync import sync_to_async
from django.db import connection

from thingtank.server.config import Config
from thingtank.server.data_folder import OpenFolder
from thingtank.server.monitoring.app import MonitoringApp
from thingtank.server.monitoring.loop_lag import LoopLag
from thingtank.server.monitoring.readers import Readers
from thingtank.server.monitoring.readiness import Phase, Readiness
from thingtank.server.monitoring.samples import Counts, Doors, Samples
from thingtank.web.django_settings import LOOPBACK_HOSTS


class DatabaseLost(Exception):
    """Another Thing Tank has the database. The message is a sentence for people."""


class Monitor:
    """From before the first door opens until after the last is closed.

    Attributes:
        app: answers on the web port.
        connections: counts of open connections by door; who opens a port adds its own.
    """

    def __init__(
        self, config: Config, folder: Path, opened: OpenFolder, stack: AsyncExitStack
    ) -> None:
        """Begin to look; `stack` ends it.

        Raises:
            CannotStart: the token of `metrics` cannot be read.
        """
        self.readiness = Readiness()
        self.connections: Counts = {}
        self._opened = opened
        lag = LoopLag()
        lag.start()
        stack.callback(lag.stop)
        self.samples = Samples(folder, opened, lag)
        public_host = urlsplit(config.web.public_url).hostname
        hosts = [
            *LOOPBACK_HOSTS,
            *config.web.allowed_hosts,
            *([public_host] if public_host else []),
        ]
        readers = Readers(config.metrics, _is_admin, hosts)
        self.app = MonitoringApp(self.readiness, self.samples, readers, self.is_failing)
        self._add_checks()

    def is_failing(self) -> bool:
        """Whether a file that is written cannot be used."""
        opened = self._opened
        return opened.archive.is_failing or opened.tank.trigger_service.is_failing

    def run(self, doors: Doors) -> None:
        """All doors are open."""
        self.samples.doors = doors
        self.readiness.phase = Phase.RUNNING

    def _add_checks(self) -> None:
        opened, add = self._opened, self.readiness.add

        async def journal() -> bool:
            return not opened.archive.writes().is_failing

        async def archive() -> bool:
            return not opened.archive.is_failing

        async def outbox() -> bool:
            await opened.outbox.place("")  # raises where the file cannot be read
            return not opened.tank.trigger_service.is_failing

        async def database() -> bool:
            if opened.database_lock.why_lost:
                raise DatabaseLost(opened.database_lock.why_lost)
            return await _database_answers()

        async def doors() -> bool:
            return self.readiness.phase is Phase.RUNNING

        add("journal", journal)
        add("archive", archive)
        add("outbox", outbox)
        add("database", database)
        add("doors", doors)


async def _database_answers() -> bool:
    return await sync_to_async(_ask_database, thread_sensitive=False)()


def _ask_database() -> bool:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
            return bool(cursor.fetchone() == (1,))
    finally:
        connection.close()


async def _is_admin(headers: list[tuple[bytes, bytes]]) -> bool:
    from thingtank.web import tank_access  # imports models: not before Django is configured

    account = (await tank_access.caller_of_headers(headers)).account
    return account is not None and account.is_active and account.is_admin
