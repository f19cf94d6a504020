"""Brings the workbench's WAMP page and the WAMP door together."""

from collections.abc import Mapping
from contextlib import AsyncExitStack

from msgspec import Struct

from thingtank.doors.wamp.door import WampDoor
from thingtank.doors.wamp.meter import Meter
from thingtank.doors.wamp.visits import KIND
from thingtank.doors.wamp.workbench import WampWorkbench
from thingtank.protocols.wamp.authentication import Accepted
from thingtank.protocols.wamp.members import Member
from thingtank.server.config import Config
from thingtank.server.listening import EVERYWHERE
from thingtank.server.wamp_door import PATH
from thingtank.tank.things import Account
from thingtank.web.workbench import wamp_router


class AccountAdmission(Struct, frozen=True):
    """Lets accounts in from the workbench, as `admin` or `account`."""

    def admit(self, realm: str, account: Account, address: str) -> Accepted | None:
        """What WELCOME says."""
        role = "admin" if account.is_admin else "account"
        return Accepted(account.login, role, KIND, "tank", is_hidden=True)

    def account_of(self, member: Member) -> int | None:
        """Nobody's: clients are anonymous."""
        return None


def open_workbench(
    config: Config,
    door: WampDoor,
    web_url: str,
    sockets: Mapping[str, str],
    stack: AsyncExitStack,
) -> None:
    """Give the pages their router, until `stack` takes it away.

    Args:
        web_url: how the web door is reached; blank where there is none.
        sockets: addresses of the socket doors by name.
    """
    url = _url(config, web_url, sockets)
    if not url:
        return
    meter = Meter(door.realms, door.reception.now_us)
    meter.start()
    stack.callback(meter.stop)
    is_everywhere = config.server.host in EVERYWHERE and not config.web.public_url
    wamp_router.attach(
        WampWorkbench(door, AccountAdmission(), meter, url, is_everywhere=is_everywhere)
    )
    stack.callback(wamp_router.attach, None)


def _url(config: Config, web_url: str, sockets: Mapping[str, str]) -> str:
    """How programs reach WAMP's WebSocket; blank where they cannot."""
    on_web_port = config.wamp.on_web_port and web_url
    by_web_port = web_url.replace("http", "ws", 1) + PATH if on_web_port else ""
    if by_web_port and config.web.public_url:
        return by_web_port  # the other ports are behind the proxy
    return sockets.get("wamp") or sockets.get("wamp_tls") or by_web_port
