"""What is wrong with settings of MQTT that have the right types: sentences that name them."""

import os
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping

from thingtank.doors.mqtt.access.tank_topic import tank_topic_of
from thingtank.doors.mqtt.authentication.principal import ADMIN, ANONYMOUS, LOCAL
from thingtank.doors.mqtt.settings import AclRule, MqttSettings, UserSettings
from thingtank.net.identity.certificates import is_certificate_name
from thingtank.net.identity.secret_sources import SecretSource, UnreadableSecret

NAME_CHARS_MAX = 255
ACL_MAX = 10_000
TOPIC_BYTES_MAX = 65_535
_KINDS = ("account", "key", "device", "user")
RESERVED = frozenset({ANONYMOUS, LOCAL, ADMIN})
_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_BOUNDS = {
    "receive_maximum": (1, 65_535),
    "inflight_max": (1, 65_535),
    "topic_alias_max": (0, 65_535),
    "keep_alive_s_max": (1, 65_535),
    "session_expiry_s_max": (0, 0xFFFF_FFFF),
    "packet_bytes_max": (16, 268_435_460),  # the largest that its length can say
    "topic_levels_max": (1, 65_536),
    "client_id_bytes_max": (23, 65_535),  # MQTT 5, 3.1.3.1: 23 are allowed in any case
}


def problems_of(settings: MqttSettings, environment: Mapping[str, str] = os.environ) -> list[str]:
    """All that is wrong, in order; secrets are looked up, and do not appear.

    Args:
        environment: variables in which secrets may be.
    """
    return [f"mqtt.{text}" for text in _problems(settings, environment)]


def _problems(settings: MqttSettings, environment: Mapping[str, str]) -> Iterator[str]:
    for name, (least, most) in _BOUNDS.items():
        value = getattr(settings, name)
        if not least <= value <= most:
            yield f"{name} must be {least} to {most}, and is {value}"
    if settings.sys_interval_s < 0:
        yield "sys_interval_s: less than 0"
    yield from (f"sys_readers: {text}" for text in _pattern_problems(settings.sys_readers))
    yield from (f"users: {text}" for text in _twice("user", (u.name for u in settings.users)))
    certificates = (name for user in settings.users for name in user.certificates)
    yield from (f"users: {text}" for text in _twice("certificate", certificates))
    for number, user in enumerate(settings.users):
        yield from (f"users[{number}].{text}" for text in _user_problems(user, environment))
    if len(settings.acl) > ACL_MAX:
        yield f"acl has {len(settings.acl)} rules; {ACL_MAX} are the most"
    for number, rule in enumerate(settings.acl):
        yield from (f"acl[{number}].{text}" for text in _rule_problems(rule))


def _user_problems(user: UserSettings, environment: Mapping[str, str]) -> Iterator[str]:
    name = user.name
    if not 0 < len(name) <= NAME_CHARS_MAX or not name.isprintable():
        yield f"name: must have 1 to {NAME_CHARS_MAX} printable characters"
    elif name in RESERVED or ":" in name or "*" in name:
        yield f"name: {name!r} would mean something else in rules"
    elif _UUID.fullmatch(name):
        yield f"name: {name!r} is what a device is called"
    if isinstance(user.password, SecretSource):
        try:
            user.password.read(environment)
        except UnreadableSecret as error:
            yield f"password: {error}"
    for number, certificate in enumerate(user.certificates):
        if not is_certificate_name(certificate):
            yield (
                f"certificates[{number}]: {certificate[:80]!r} is neither sha256: and 64"
                " hexadecimal digits nor a subject such as CN=lamp"
            )


def _rule_problems(rule: AclRule) -> Iterator[str]:
    problem = filter_problem(rule.topic)
    if problem:
        yield f"topic: {rule.topic[:80]!r} {problem}"
    if re.search(r"%(?!%|[cud])", rule.topic.replace("%%", "")):
        yield f"topic: {rule.topic[:80]!r} has a % that is not %c, %u, %d or %%"
    if not rule.principals:
        yield "principals: are none, so the rule would never fit"
    yield from (f"principals: {text}" for text in _pattern_problems(rule.principals))
    if bool(rule.allow) == bool(rule.deny):
        yield "allow: one of allow and deny must say what"
    if tank_topic_of(rule.topic) is not None:
        yield f"topic: {rule.topic[:80]!r} is the tank's, where accounts and keys decide"
    if rule.topic.partition("/")[0] == "$SYS" and not _is_of_bridges(rule):
        yield "topic: $SYS is a matter of mqtt.sys_readers"


def _is_of_bridges(rule: AclRule) -> bool:
    """Whether a rule lets other brokers publish the state of their connections to this one."""
    return rule.topic.startswith("$SYS/broker/connection/") and rule.allow == "publish"


def _pattern_problems(patterns: Iterable[str]) -> Iterator[str]:
    for pattern in patterns:
        kind, colon, rest = pattern.partition(":")
        if not pattern or (colon and (kind not in _KINDS or not rest)):
            yield (
                f"{pattern[:80]!r} is no principal: a user's name, anonymous, local, admin,"
                " account:LOGIN, key:NUMBER, device:UUID or *"
            )


def filter_problem(topic_filter: str) -> str:
    """What is wrong with a topic filter; blank for nothing (MQTT 5, 4.7)."""
    if not topic_filter or "\0" in topic_filter:
        return "is no topic filter"
    if len(topic_filter.encode("utf-8", "surrogatepass")) > TOPIC_BYTES_MAX:
        return f"has more than {TOPIC_BYTES_MAX} bytes"
    if topic_filter.startswith("$share/"):
        return "must be the filter alone, without $share"
    *levels, last = topic_filter.split("/")
    if any("#" in level for level in levels) or ("#" in last and last != "#"):
        return "has a # that is not its whole last level"
    if any("+" in level and level != "+" for level in (*levels, last)):
        return "has a + that is not a whole level"
    return ""


def _twice(what: str, names: Iterable[str]) -> Iterator[str]:
    for name, count in Counter(names).items():
        if count > 1:
            yield f"{what} {name!r} stands there {count} times"
