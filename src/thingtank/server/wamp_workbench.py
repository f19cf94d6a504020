"""Brings the workbench's WAMP page and the WAMP door together."""

from collections.abc import Iterable, Mapping
from contextlib import AsyncExitStack

from thingtank.doors.wamp.door import WampDoor
from thingtank.doors.wamp.meter import Meter
from thingtank.doors.wamp.principals import Identified, Principals
from thingtank.doors.wamp.realm_settings import RealmSettings
from thingtank.doors.wamp.visits import KIND
from thingtank.doors.wamp.workbench import WampWorkbench
from thingtank.net.identity.principals import AccountPrincipal
from thingtank.protocols.wamp.authentication import Accepted
from thingtank.protocols.wamp.members import Member
from thingtank.server.config import Config
from thingtank.server.listening import is_reached_by_any_name
from thingtank.server.wamp_door import web_port_url
from thingtank.tank.errors import Unauthenticated
from thingtank.tank.tank import Tank
from thingtank.tank.things import Account
from thingtank.web.workbench import wamp_router


class AccountAdmission:
    """Lets accounts in from the workbench, in the roles that they have by password."""

    def __init__(self, realms: Iterable[RealmSettings], principals: Principals) -> None:
        """Look rights up."""
        self._realms = {realm.name: realm for realm in realms}
        self._principals = principals

    def admit(self, realm: str, account: Account, address: str) -> Accepted | None:
        """What WELCOME says; None where the realm lets accounts of this kind not in."""
        role = self._realms[realm].role_of_account(is_admin=account.is_admin)
        if not role or not account.is_active:
            return None
        return Identified(
            account.login,
            role,
            KIND,
            "tank",
            is_hidden=True,
            principal=AccountPrincipal(account.account_id),
            address=address,
        )

    def lets_anonymous_in(self, realm: str) -> bool:
        """Whether clients may come in without saying who they are, from this machine at least."""
        return self._realms[realm].anonymous_rule != "off"

    def account_of(self, member: Member) -> int | None:
        """Whose rights a session has, if it is an account's, or a key's or device's of one."""
        try:
            account = self._principals.caller_of(member).account
        except Unauthenticated:
            return None
        return account.account_id if account is not None else None


def open_wamp_workbench(
    config: Config,
    tank: Tank,
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
    principals = Principals(tank.directory, tank.clock.now_us)
    admission = AccountAdmission(config.wamp.realms, principals)
    workbench = WampWorkbench(
        door,
        admission,
        meter,
        url,
        is_everywhere=is_reached_by_any_name(config),
        key_realm=_key_realm(config.wamp.realms),
    )
    wamp_router.attach(workbench)
    stack.callback(wamp_router.attach, None)


def _key_realm(realms: Iterable[RealmSettings]) -> str:
    """The first realm that lets keys in by ticket; blank for none."""
    return next(
        (realm.name for realm in realms if realm.key_role and "ticket" in realm.methods), ""
    )


def _url(config: Config, web_url: str, sockets: Mapping[str, str]) -> str:
    """How programs reach WAMP's WebSocket; blank where they cannot."""
    if config.web.public_url and config.wamp.on_web_port and web_url:
        return web_port_url(web_url)  # the other ports are behind the proxy
    return sockets.get("wamp") or sockets.get("wamp_tls") or ""
