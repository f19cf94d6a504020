"""What is wrong with settings of realms that have the right types: sentences that name them."""

import math
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from thingtank.doors.wamp.realm_settings import (
    PrincipalSettings,
    RealmSettings,
    RoleSettings,
)
from thingtank.net.identity.certificates import is_certificate_name
from thingtank.net.identity.secret_sources import SecretSource, UnreadableSecret
from thingtank.protocols.wamp.uris import is_reserved, is_uri

AUTHID_CHARS_MAX = 255
_TANK = "tank"


def problems_of(
    realms: Sequence[RealmSettings], environment: Mapping[str, str] = os.environ
) -> list[str]:
    """All that is wrong, in order; secrets are looked up, and do not appear.

    Args:
        environment: variables in which secrets may be.
    """
    problems = [f"wamp.realms: {text}" for text in _twice("realm", (each.name for each in realms))]
    for number, realm in enumerate(realms):
        place = f"wamp.realms[{number}]"
        problems += [f"{place}.{text}" for text in _realm_problems(realm, environment)]
    return problems


def _realm_problems(realm: RealmSettings, environment: Mapping[str, str]) -> Iterator[str]:
    if not is_uri(realm.name) or is_reserved(realm.name):
        yield f"name: {realm.name!r} is no URI for a realm, such as realm1"
    for number, rule in enumerate(realm.history):
        if not is_uri(rule.uri, rule.match):
            yield f"history[{number}].uri: {rule.uri!r} is no URI for the match {rule.match!r}"
    for field in ("anonymous_role", "account_role", "admin_role", "device_role", "key_role"):
        name = getattr(realm, field)
        if name and name not in realm.roles_by_name:
            yield f"{field}: there is no role {name!r}"
    if not (math.isfinite(realm.cookie_s) and realm.cookie_s >= 0):
        yield f"cookie_s: must be a time in seconds, and is {realm.cookie_s}"
    for text in _twice("role", (role.name for role in realm.roles)):
        yield f"roles: {text}"
    for number, role in enumerate(realm.roles):
        yield from (f"roles[{number}].{text}" for text in _role_problems(role))
    yield from _principals_problems(realm, environment)


def _role_problems(role: RoleSettings) -> Iterator[str]:
    if not role.name or len(role.name) > AUTHID_CHARS_MAX:
        yield f"name: must have 1 to {AUTHID_CHARS_MAX} characters"
    for number, permission in enumerate(role.permissions):
        place = f"permissions[{number}].uri"
        uri, match = permission.uri, permission.match
        if not is_uri(uri, match):
            yield f"{place}: {uri!r} is no URI for the match {match!r}"
        elif uri.partition(".")[0] == _TANK:
            yield f"{place}: {uri!r} is the tank's, where accounts and keys decide, not roles"
    rules = Counter((permission.uri, permission.match) for permission in role.permissions)
    for (uri, match), count in rules.items():
        if count > 1:
            yield f"permissions: {uri!r} with match {match!r} stands there {count} times"
    if role.authorizer and (not is_uri(role.authorizer) or is_reserved(role.authorizer)):
        yield f"authorizer: {role.authorizer!r} is no URI of a procedure"
    if not 0 < role.authorizer_s_max <= 60:
        yield f"authorizer_s_max: must be more than 0 and at most 60, not {role.authorizer_s_max}"
    if not 0 <= role.authorizer_cache_s <= 86_400:
        yield f"authorizer_cache_s: must be 0 to 86400, not {role.authorizer_cache_s}"


def _principals_problems(realm: RealmSettings, environment: Mapping[str, str]) -> Iterator[str]:
    principals = realm.principals
    for text in _twice("authid", (each.authid for each in principals)):
        yield f"principals: {text}"
    keys = (key.lower() for each in principals for key in each.public_keys)
    for text in _twice("public key", keys):
        yield f"principals: {text}"
    for text in _twice("certificate", (name for each in principals for name in each.certificates)):
        yield f"principals: {text}"
    for number, principal in enumerate(principals):
        place = f"principals[{number}]"
        if principal.role not in realm.roles_by_name:
            yield f"{place}.role: there is no role {principal.role!r}"
        yield from (f"{place}.{text}" for text in _principal_problems(principal, environment))


def _principal_problems(
    principal: PrincipalSettings, environment: Mapping[str, str]
) -> Iterator[str]:
    authid = principal.authid
    if not 0 < len(authid) <= AUTHID_CHARS_MAX or not authid.isprintable():
        yield f"authid: must have 1 to {AUTHID_CHARS_MAX} printable characters"
    elif authid.startswith("key:"):
        yield f"authid: {authid!r} is what an API key is called"
    for field in ("ticket", "secret"):
        source = getattr(principal, field)
        if isinstance(source, SecretSource):
            try:
                source.read(environment)
            except UnreadableSecret as error:
                yield f"{field}: {error}"
    for number, key in enumerate(principal.public_keys):
        if not _is_public_key(key):
            yield f"public_keys[{number}]: {key[:80]!r} is no Ed25519 key in hexadecimal digits"
    for number, name in enumerate(principal.certificates):
        if not is_certificate_name(name):
            yield (
                f"certificates[{number}]: {name[:80]!r} is neither sha256: and 64 hexadecimal"
                " digits nor a subject such as CN=lamp"
            )
    if not (principal.ticket or principal.secret or principal.public_keys) and (
        not principal.certificates
    ):
        yield "authid: has no ticket, secret, public key or certificate to come in by"


def _is_public_key(text: str) -> bool:
    try:
        key = bytes.fromhex(text)
        Ed25519PublicKey.from_public_bytes(key)
    except (ValueError, UnsupportedAlgorithm):
        return False
    return len(text) == 64


def _twice(what: str, names: Iterable[str]) -> Iterator[str]:
    for name, count in Counter(names).items():
        if count > 1:
            yield f"{what} {name!r} stands there {count} times"
