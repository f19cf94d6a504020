"""What an operation works on."""

from collections.abc import Awaitable, Callable, Iterable, Mapping

import msgspec

from thingtank.server.backup.parts import Copied
from thingtank.server.batch.schedule import Schedule
from thingtank.server.batch.schedules import Schedules
from thingtank.server.operations.shapes import Refused
from thingtank.server.rule_troubles import RuleTrouble
from thingtank.stores.embedded_archive import EmbeddedArchive
from thingtank.tank.errors import NoSuchAccount
from thingtank.tank.sinks import SinkBoard
from thingtank.tank.sources import SourceBoard
from thingtank.tank.tank import Tank
from thingtank.tank.things import Account
from thingtank.web.catalog.directory import DjangoDirectory


async def _none() -> Mapping[str, bool]:
    return {}


def _nothing_runs(_: Schedule) -> int | None:
    return None


class Context(msgspec.Struct, frozen=True):
    """An open instance.

    Attributes:
        schedules: of batch jobs.
        url: where its web door is; blank when no server runs.
        local_url: how this machine reaches it; blank likewise.
        sockets: where its other doors are, by name.
        checks: of the server's readiness, by name; none without one.
        troubles: rules of sinks and sources that do not work; none without a server.
        sinks: the rules that send on; None without a server.
        sources: those that read; None without a server, and where there are none.
        begun_us: when the run of a schedule that is under way began; None for none.
        copy_files: writes copies of the folder's files that fit together.
    """

    tank: Tank
    directory: DjangoDirectory
    archive: EmbeddedArchive
    copy_files: Callable[[], Awaitable[Copied]]
    schedules: Schedules
    url: str = ""
    local_url: str = ""
    sockets: Mapping[str, str] = {}
    checks: Callable[[], Awaitable[Mapping[str, bool]]] = _none
    troubles: Callable[[], Iterable[RuleTrouble]] = tuple
    sinks: SinkBoard | None = None
    sources: SourceBoard | None = None
    begun_us: Callable[[Schedule], int | None] = _nothing_runs

    def require_server(self) -> None:
        """Raise Refused without a server: rules are at work in one only."""
        if self.sinks is None:
            raise Refused(
                "no server runs for this data folder, and rules are at work in one only:"
                " thingtank serve"
            )

    def account(self, login: str) -> Account:
        """The account of that login; a blank one means the instance's owner.

        Raises:
            NoSuchAccount.
        """
        account = self.directory.find_account(login) if login else self.directory.find_owner()
        if account is None:
            no_owner = "no active admin owns this instance; name an account with --owner"
            raise NoSuchAccount(f"there is no account {login}" if login else no_owner)
        return account
