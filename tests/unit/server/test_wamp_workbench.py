"""With what rights accounts come in from the workbench, and the address that its page tells."""

import pytest
from msgspec.structs import replace

from thingtank.doors.wamp.principals import Identified, Principals
from thingtank.doors.wamp.realm_settings import RealmSettings
from thingtank.net.identity.principals import AccountPrincipal
from thingtank.server.config import Config, ServerSettings, WebDoorSettings
from thingtank.server.wamp_workbench import AccountAdmission, _url
from thingtank.stores.memory_directory import MemoryDirectory
from thingtank.tank.things import Account

ADMIN, ANN = Account(1, "owner", is_admin=True), Account(2, "ann")

ROLES: list[tuple[str, str, Account, str | None]] = [
    ("account", "admin", ADMIN, "admin"),
    ("account", "admin", ANN, "account"),
    ("guest", "", ADMIN, "guest"),
    ("", "admin", ANN, None),
    ("", "admin", ADMIN, None),
    ("account", "admin", replace(ANN, is_active=False), None),
]


@pytest.mark.parametrize(("account_role", "admin_role", "account", "role"), ROLES)
def test_accounts_have_the_roles_that_they_have_by_password(
    account_role: str, admin_role: str, account: Account, role: str | None
) -> None:
    settings = RealmSettings("realm1", account_role=account_role, admin_role=admin_role)
    admission = AccountAdmission([settings], Principals(MemoryDirectory(), lambda: 0))
    accepted = admission.admit("realm1", account, "192.0.2.1")
    if role is None:
        assert accepted is None
        return
    assert isinstance(accepted, Identified)
    assert (accepted.authid, accepted.authrole, accepted.is_hidden) == (account.login, role, True)
    assert accepted.principal == AccountPrincipal(account.account_id)
    assert accepted.address == "192.0.2.1"


SOCKETS = {"wamp": "ws://127.0.0.1:8080/ws", "wamp_tls": "wss://127.0.0.1:8443/ws"}
WEB, PUBLIC = "http://127.0.0.1:8000", "https://tank.example"
ADDRESSES: list[tuple[dict[str, str], str, str, bool, str]] = [
    (SOCKETS, WEB, "", True, "ws://127.0.0.1:8080/ws"),
    (SOCKETS, PUBLIC, PUBLIC, True, "wss://tank.example/ws"),
    (SOCKETS, PUBLIC, PUBLIC, False, "ws://127.0.0.1:8080/ws"),
    ({"wamp_tls": SOCKETS["wamp_tls"]}, WEB, "", True, "wss://127.0.0.1:8443/ws"),
    ({"wamp": "ws://127.0.0.1:8000/ws"}, WEB, "", True, "ws://127.0.0.1:8000/ws"),
    ({}, WEB, "", False, ""),
]


@pytest.mark.parametrize(("sockets", "web_url", "public_url", "on_web_port", "url"), ADDRESSES)
def test_programs_are_told_an_address_that_they_can_reach(
    sockets: dict[str, str], web_url: str, public_url: str, on_web_port: bool, url: str
) -> None:
    usual = Config()
    config = replace(
        usual,
        server=ServerSettings(),
        web=WebDoorSettings(public_url=public_url),
        wamp=replace(usual.wamp, on_web_port=on_web_port),
    )
    assert _url(config, web_url, sockets) == url
