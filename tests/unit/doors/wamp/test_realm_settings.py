"""Settings of realms: what is wrong is said by name, and no secret is ever shown."""

import json
import tomllib
from pathlib import Path
from typing import Any

import msgspec
import pytest

from thingtank.doors.wamp.realm_problems import problems_of
from thingtank.doors.wamp.realm_settings import (
    METHODS,
    PrincipalSettings,
    RealmSettings,
    RoleSettings,
)
from thingtank.doors.wamp.settings import WampSettings
from thingtank.net.identity.secret_sources import SecretSource

PAGE = Path(__file__).parents[4] / "docs" / "howto" / "let-wamp-clients-in.md"
KEY = "545efb0a2192db8d43f118e9bf9aee081466e1ef36c708b96ee6f62dddad9122"
SECRET = "a-secret-that-nobody-sees"
LAMP = {"authid": "lamp", "role": "device", "ticket": SECRET}


def realm(**settings: Any) -> RealmSettings:
    return msgspec.convert({"name": "plant", **settings}, RealmSettings)


def test_usual_settings_have_no_problem() -> None:
    assert problems_of(WampSettings().realms) == []
    assert problems_of([realm(principals=[LAMP])]) == []
    assert WampSettings().realms[0].anonymous_rule == "loopback"
    assert RealmSettings("plant").anonymous_rule == "off"


def role(**settings: Any) -> dict[str, Any]:
    return {"roles": [{"name": "sensor", **settings}]}


def rule(uri: str, match: str = "exact") -> dict[str, Any]:
    return role(permissions=[{"uri": uri, "match": match}])


def principal(**settings: Any) -> dict[str, Any]:
    return {"principals": [{**LAMP, **settings}]}


PROBLEMS: list[tuple[dict[str, Any], str]] = [
    ({"name": ""}, "name: '' is no URI"),
    ({"name": "a b"}, "name: 'a b' is no URI"),
    ({"name": "wamp.x"}, "name: 'wamp.x' is no URI"),
    ({"anonymous_role": "nobody"}, "anonymous_role: there is no role 'nobody'"),
    ({"key_role": "nobody"}, "key_role: there is no role 'nobody'"),
    ({"cookie_s": -1}, "cookie_s: must be a time in seconds, and is -1"),
    ({"cookie_s": float("nan")}, "cookie_s: must be a time in seconds"),
    ({"history": [{"uri": "a..b"}]}, "history[0].uri: 'a..b' is no URI for the match 'exact'"),
    ({"roles": [{"name": "a"}, {"name": "a"}]}, "roles: role 'a' stands there 2 times"),
    (role(name=""), "roles[0].name: must have 1 to 255"),
    (rule("a..b"), "roles[0].permissions[0].uri: 'a..b' is no URI for the match 'exact'"),
    (rule("a b", "prefix"), "roles[0].permissions[0].uri: 'a b' is no URI for the match 'prefix'"),
    (rule("tank.feeds", "prefix"), "roles[0].permissions[0].uri: 'tank.feeds' is the tank's"),
    (rule("tank"), "roles[0].permissions[0].uri: 'tank' is the tank's"),
    (role(permissions=[{"uri": "a"}] * 2), "roles[0].permissions: 'a' with match 'exact' stands there 2"),
    (role(authorizer="a..b"), "roles[0].authorizer: 'a..b' is no URI of a procedure"),
    (role(authorizer="wamp.x"), "roles[0].authorizer: 'wamp.x' is no URI of a procedure"),
    (role(authorizer_s_max=0), "roles[0].authorizer_s_max: must be more than 0"),
    (role(authorizer_cache_s=-1), "roles[0].authorizer_cache_s: must be 0 to 86400, not -1"),
    ({"principals": [LAMP, LAMP]}, "principals: authid 'lamp' stands there 2 times"),
    (principal(role="nobody"), "principals[0].role: there is no role 'nobody'"),
    (principal(authid=""), "principals[0].authid: must have 1 to 255 printable"),
    (principal(authid="key:7"), "principals[0].authid: 'key:7' is what an API key is called"),
    (principal(ticket=None), "principals[0].authid: has no ticket, secret, public key"),
    (principal(ticket=""), "principals[0].ticket: must name one of text, file and environment"),
    (principal(ticket="short"), "principals[0].ticket: has 5 characters; 8 are the least"),
    (principal(ticket="bell\a-bell-bell"), "principals[0].ticket: holds what is no printable"),
    (principal(ticket="x" * 5000), "principals[0].ticket: has more than 4096 bytes"),
    (principal(secret={"environment": "NOT_SET"}), "principals[0].secret: environment variable NOT_SET is not set"),
    (principal(secret={"environment": "EMPTY"}), "principals[0].secret: is empty in environment variable EMPTY"),
    (principal(secret={"file": "/nowhere/at/all"}), "principals[0].secret: /nowhere/at/all cannot be read"),
    (principal(secret={"file": "a", "environment": "b"}), "principals[0].secret: must name one of"),
    (principal(secret={}), "principals[0].secret: must name one of"),
    (principal(public_keys=["ab"]), "principals[0].public_keys[0]: 'ab' is no Ed25519 key"),
    (principal(public_keys=[KEY, KEY.upper()]), f"principals: public key '{KEY}' stands there 2"),
    (principal(certificates=["lamp"]), "principals[0].certificates[0]: 'lamp' is neither sha256:"),
    (principal(certificates=["CN=a"] * 2), "principals: certificate 'CN=a' stands there 2 times"),
]  # fmt: skip


@pytest.mark.parametrize(("settings", "problem"), PROBLEMS)
def test_what_is_wrong_is_said_by_name(settings: dict[str, Any], problem: str) -> None:
    problems = problems_of([realm(**settings)], {"EMPTY": ""})
    assert any(each.startswith(f"wamp.realms[0].{problem}") for each in problems), problems
    assert SECRET not in str(problems)


def test_realms_have_different_names() -> None:
    found = problems_of([realm(), realm(), realm(name="other")])
    assert found == ["wamp.realms: realm 'plant' stands there 2 times"]


@pytest.mark.parametrize(
    "described",
    [
        {"name": "a", "method": []},
        {"name": "a", "methods": ["telepathy"]},
        {"name": "a", "anonymous": "sometimes"},
        {"name": "a", "roles": [{"name": "b", "permissions": [{"uri": "c", "match": "like"}]}]},
        {
            "name": "a",
            "roles": [{"name": "b", "permissions": [{"uri": "c", "allow": {"all": True}}]}],
        },
        {"name": "a", "principals": [{"authid": "b", "role": "c", "password": "d"}]},
        {"name": "a", "principals": [{"authid": "b", "role": "c", "ticket": {"path": "d"}}]},
    ],
)
def test_types_are_checked(described: dict[str, Any]) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(described, RealmSettings)


@pytest.mark.parametrize("given", [SECRET, {"text": SECRET}])
def test_no_secret_is_shown(given: Any) -> None:
    settings = realm(principals=[{**LAMP, "ticket": given, "secret": given}])
    shown = [
        repr(settings),
        str(settings.principals),
        json.dumps(msgspec.to_builtins(settings)),
        msgspec.json.encode(settings).decode(),
        str(msgspec.structs.asdict(settings.principals[0])),
        f"{settings.principals[0].ticket}",
    ]
    assert [text for text in shown if SECRET in text] == []
    ticket = settings.principals[0].ticket
    assert isinstance(ticket, SecretSource)
    assert ticket.read() == SECRET
    kept = msgspec.structs.replace(settings.principals[0], role="other").ticket
    assert isinstance(kept, SecretSource)
    assert kept.read() == SECRET


def test_secret_of_a_file(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text(f"{SECRET}\n")
    assert SecretSource(file=str(file)).read() == SECRET
    for content, problem in [
        (b"\xff" * 9, "holds no text"),
        (b" \n", "is empty in"),
        (b"x", "has 1"),
    ]:
        file.write_bytes(content)
        settings = PrincipalSettings("lamp", "device", SecretSource(file=str(file)))
        (found,) = problems_of([RealmSettings("a", principals=(settings,))])
        assert problem in found


def test_a_role_of_the_settings_is_in_place_of_the_usual_one() -> None:
    roles = realm(roles=[{"name": "device"}, {"name": "sensor"}]).roles_by_name
    assert set(roles) == {"anonymous", "account", "admin", "device", "key", "sensor"}
    assert (roles["device"], roles["key"].permissions != ()) == (RoleSettings("device"), True)


def snippets() -> list[str]:
    blocks = PAGE.read_text().split("```toml\n")[1:]
    return [block.split("```")[0] for block in blocks]


@pytest.mark.parametrize("snippet", snippets())
def test_examples_of_the_page_are_right(snippet: str, tmp_path: Path) -> None:
    secret = tmp_path / "lamp"
    secret.write_text(SECRET)
    document = tomllib.loads(snippet.replace("/run/secrets/lamp", str(secret)))
    settings = msgspec.convert(document["wamp"], WampSettings)
    assert problems_of(settings.realms, {"GATE_SECRET": SECRET}) == []


def test_the_page_shows_the_methods_and_settings() -> None:
    text = PAGE.read_text()
    assert len(snippets()) >= 5
    assert [name for name in METHODS if f"`{name}`" not in text] == []
