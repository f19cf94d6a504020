"""Settings of a realm: who may come in, what each role may do, what is kept.

What a role may do follows Crossbar.io's static model: of its permissions the best match decides, an
exact one before the longest prefix before a wildcard, and where none matches it may not.
`realm_problems.py` says what is wrong with settings that have the right types.
"""

from typing import Literal

import msgspec
from msgspec.structs import force_setattr

from thingtank.net.identity.secret_sources import SecretSource, hidden
from thingtank.protocols.wamp.history import HistoryRule
from thingtank.protocols.wamp.options import Match

Method = Literal[
    "anonymous", "cookie", "tls", "cryptosign", "wamp-scram", "scram", "wampcra", "ticket"
]
METHODS: tuple[Method, ...] = (
    "anonymous",
    "cookie",
    "tls",
    "cryptosign",
    "wamp-scram",
    "scram",
    "wampcra",
    "ticket",
)
AnonymousRule = Literal["usual", "off", "loopback", "everybody"]
Disclosure = Literal["asked"] | bool
OPEN_REALM = "realm1"  # the one that the examples of all WAMP libraries join


class Allowed(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Which actions; what is not named is not allowed."""

    call: bool = False
    register: bool = False
    publish: bool = False
    subscribe: bool = False


class Disclosed(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Whether the other side is told who calls or publishes.

    Attributes:
        caller: `true` always, `false` never, `"asked"` where one of the two asks for it.
        publisher: the same.
    """

    caller: Disclosure = "asked"
    publisher: Disclosure = "asked"


class PermissionSettings(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True
):
    """One `[[wamp.realms.roles.permissions]]`.

    Attributes:
        uri: a topic or procedure, or a pattern; blank with `match = "prefix"` for all.
        match: `exact`, `prefix` or `wildcard`.
        allow: which actions, such as `{call = true, subscribe = true}`.
        disclose: whether the other side is told who calls or publishes.
        cache: remember decisions of this permission; false costs time and changes nothing else.
    """

    uri: str
    match: Match = "exact"
    allow: Allowed = Allowed()
    disclose: Disclosed = Disclosed()
    cache: bool = True


class RoleSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """One `[[wamp.realms.roles]]`.

    Attributes:
        name: as principals name it, or one of the roles that there are without settings:
            `anonymous`, `account`, `admin`, `device`, `key`.
        permissions: what it may do.
        authorizer: a procedure of the realm that decides where no permission matches; blank for
            none. It is called with session details, URI, action and options.
        authorizer_s_max: for how long its answer is waited for.
        authorizer_cache_s: for how long its answer is remembered, unless it says otherwise; 0 for
            not at all.
    """

    name: str
    permissions: tuple[PermissionSettings, ...] = ()
    authorizer: str = ""
    authorizer_s_max: float = 5.0
    authorizer_cache_s: float = 60.0


class PrincipalSettings(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True
):
    """One `[[wamp.realms.principals]]`: somebody who is neither account nor device nor key.

    Attributes:
        authid: who it is.
        role: what it may do.
        ticket: its secret for the method `ticket`: a string, `{file = "…"}` or
            `{environment = "…"}`.
        secret: its secret for `wampcra`, `scram` and `wamp-scram`, given in the same ways.
        public_keys: Ed25519 keys for `cryptosign`, 64 hexadecimal digits each.
        certificates: for `tls`: `sha256:` and the fingerprint of a client certificate, or its
            subject as RFC 4514 writes it, such as `CN=lamp,O=Example`.
        account: login of the account whose rights it has under `tank.`; blank for a stranger's.
    """

    authid: str
    role: str
    ticket: str | SecretSource | None = None
    secret: str | SecretSource | None = None
    public_keys: tuple[str, ...] = ()
    certificates: tuple[str, ...] = ()
    account: str = ""

    def __post_init__(self) -> None:
        """Hide the secrets from everything that prints settings."""
        force_setattr(self, "ticket", hidden(self.ticket))
        force_setattr(self, "secret", hidden(self.secret))


class RealmSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """One `[[wamp.realms]]`.

    Attributes:
        name: a URI, such as `realm1`.
        history: which topics have their events kept.
        methods: of authentication, that are offered.
        anonymous: who may come in without saying who they are: `off`, `loopback`, `everybody`;
            `usual` is `loopback` in `realm1` and `off` in others.
        anonymous_role, account_role, admin_role, device_role, key_role: what these may do. Blank
            keeps them out; a blank `admin_role` makes admins accounts like others.
        roles: in addition to those that there are without settings, or in place of them.
        principals: who may come in beside accounts, devices and keys.
        cookie_s: for how long a browser that has said who it is need not say it again.
    """

    name: str
    history: tuple[HistoryRule, ...] = ()
    methods: tuple[Method, ...] = METHODS
    anonymous: AnonymousRule = "usual"
    anonymous_role: str = "anonymous"
    account_role: str = "account"
    admin_role: str = "admin"
    device_role: str = "device"
    key_role: str = "key"
    roles: tuple[RoleSettings, ...] = ()
    principals: tuple[PrincipalSettings, ...] = ()
    cookie_s: float = 7 * 86_400.0

    @property
    def anonymous_rule(self) -> Literal["off", "loopback", "everybody"]:
        """Who may come in without saying who they are."""
        if "anonymous" not in self.methods or not self.anonymous_role:
            return "off"
        if self.anonymous == "usual":
            return "loopback" if self.name == OPEN_REALM else "off"
        return self.anonymous

    def role_of_account(self, *, is_admin: bool) -> str:
        """What an account is here; blank where it may not come in."""
        if not self.account_role:
            return ""
        return (self.admin_role if is_admin else "") or self.account_role

    @property
    def roles_by_name(self) -> dict[str, RoleSettings]:
        """All roles, those that there are without settings among them."""
        return {role.name: role for role in (*USUAL_ROLES, *self.roles)}


ALL = Allowed(call=True, register=True, publish=True, subscribe=True)
_EVERYTHING = PermissionSettings("", "prefix", ALL)
USUAL_ROLES = (
    *(
        RoleSettings(name, (_EVERYTHING,))
        for name in ("anonymous", "account", "device", "key")  # but what is under tank. and wamp.
    ),
    RoleSettings("admin", (_EVERYTHING, PermissionSettings("wamp.", "prefix", ALL))),
)
"""What these may do under `tank.` is decided by their account or key. To end other sessions, and
the like, takes a permission that names `wamp.`."""
