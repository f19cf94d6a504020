"""Settings come from four places; a mistake is answered with its place and the nearest right name."""

import os
import re
from pathlib import Path

import pytest

import thingtank
from thingtank.aws.settings import SERVICES
from thingtank.server.config import BadSettings, Loaded, load_config, setting_names


def loaded(
    tmp_path: Path,
    toml: str = "",
    environment: dict[str, str] | None = None,
    sets: tuple[str, ...] = (),
    flags: dict[str, str] | None = None,
) -> Loaded:
    file = tmp_path / "thingtank.toml"
    file.write_text(toml)
    return load_config(file, environment or {}, sets, flags)


def test_without_any_source_the_defaults_hold(tmp_path: Path) -> None:
    config = load_config(tmp_path / "none.toml", {}).config
    assert (config.server.host, config.web.port, config.mqtt.port) == ("127.0.0.1", 8000, 1883)
    assert config.limits.datapoints_per_write_max == 500


def test_later_sources_win_and_each_setting_knows_its_own(tmp_path: Path) -> None:
    toml = "[web]\nport = 1\npublic_url = 'https://a.example'\n[server]\nhost = '::1'\n"
    environment = {"THINGTANK_WEB_PORT": "2", "THINGTANK_LIMITS_DATAPOINTS_PER_WRITE_MAX": "9"}
    result = loaded(tmp_path, toml, environment, ("web.port=3",), {"web.port": "4"})
    assert result.config.web.port == 4
    assert result.config.web.public_url == "https://a.example"
    assert result.config.limits.datapoints_per_write_max == 9
    assert result.sources["web.port"] == "flag for web.port"
    assert result.sources["server.host"] == str(tmp_path / "thingtank.toml")
    assert "THINGTANK_LIMITS_" in result.sources["limits.datapoints_per_write_max"]
    assert "mqtt.port" not in result.sources


def test_variables_of_other_programs_are_let_be(tmp_path: Path) -> None:
    others = {"DATABASE": "x", "WEB_PORT": "1", "THINGTANK_DATA": "y", "THINGTANK": "z"}
    assert loaded(tmp_path, "", others).sources == {}
    named = loaded(tmp_path, "", others | {"THINGTANK_DATABASE": "sqlite:///other.sqlite3"})
    assert list(named.sources) == ["database"]


MISTAKES = [
    ("a wrong key in the file", {"toml": "[mqtt]\nprot = 1"}, "unknown setting `mqtt.prot` in .*; did you mean `mqtt.port`?"),
    ("a wrong section", {"toml": "[wbe]\nport = 1"}, "unknown setting `wbe.port` in .*; did you mean `web.port`?"),
    ("a number in quotes", {"toml": "[web]\nport = '8000'"}, "web.port must be a port or off, not `8000`, which is to stand without quotes"),
    ("a wrong type", {"toml": "[web]\nport = 'x'"}, "thingtank.toml: web.port must be a port or off, not `x`"),
    ("a port out of range", {"sets": ("web.port=70000",)}, "--set: web.port must be a port within 0 and 65535"),
    ("not TOML", {"toml": "[web"}, "is not TOML: line 1: the name of a section ends with ]"),
    ("a name twice", {"toml": "[web]\nport = 1\nport = 2\n"}, "line 3: this name has a value already"),
    ("a section twice", {"toml": "[web]\nport = 1\n[web]\n"}, r"line 3: the section \[web\] is here a second time"),
    ("a name twice in braces", {"toml": "database = {file = 'a', file = 'b'}"}, "line 1: `file` is here a second time"),
    ("no value", {"toml": "[web]\nport =\n"}, "line 2: what follows `=` is no value"),
    ("no quotes", {"toml": "[server]\nhost = 127.0.0.1\n"}, "line 2: the line goes on behind its value: text stands in quotes"),
    ("a quote without its end", {"toml": '[server]\nhost = "abc\n[web]\n'}, "line 2: a text has no quote at the end"),
    ("an apostrophe without its end", {"toml": "[server]\nhost = 'abc\n"}, "line 2: a text has no quote at the end"),
    ("a name without its end", {"toml": '[web]\n"abc'}, "line 2: a text has no quote at its end"),
    ("a colon", {"toml": "[web]\nport: 80\n"}, "line 2: a setting is written NAME = VALUE"),
    ("no address", {"toml": '[server]\nhost = ""'}, "thingtank.toml: server.host must be an address; 127.0.0.1 is this machine alone, 0.0.0.0 all its networks"),
    ("no address in a variable", {"environment": {"THINGTANK_SERVER_HOST": ""}}, "THINGTANK_SERVER_HOST: server.host must be an address"),
    ("no database", {"toml": "database = {}"}, "thingtank.toml: database must be a URL in quotes"),
    ("keys of AWS", {"toml": '[aws]\naccess_key = "a"'}, "unknown setting `aws.access_key` in .*: keys of AWS stand in the environment"),
    ("a value beside sections", {"toml": "port = 1"}, "`port` must be in a section; there are .*`web.port`"),
    ("one that is in one section", {"toml": "public_url = 'x'"}, "must be in a section; there is `web.public_url`$"),
    ("a table beside sections", {"toml": "[[rules]]\nname = 'a'"},
     "`rules` must be in a section; there are `sinks.rules` and `sources.rules`"),
    ("what is nowhere", {"toml": "prot = 1"}, "`prot` is no setting, and stands in no section"),
    ("a section that is a value", {"toml": "web = 8000"}, r"`web` must be a section: \[web\]"),
    ("a variable of a section", {"environment": {"THINGTANK_SINKS": "x"}},
     "environment variable THINGTANK_SINKS names a section only"),
    ("a list that is a table", {"toml": "[sinks.rules]\nname = 'a'"},
     r"`sinks.rules` must be a list of tables, not a table: each begins with \[\[sinks.rules\]\]"),
    ("a table in a list", {"toml": "[[wamp.realms]]\nname = 'a'\n[wamp.realms.roles]\nname = 'b'"},
     r"`wamp.realms\[0\].roles` must be a list of tables, not a table: each begins with"
     r" \[\[wamp.realms.roles\]\]"),
    ("a list of texts as a table", {"toml": "[web.allowed_hosts]\na = 1"},
     "`web.allowed_hosts` must be a list of texts, not a table"),
    ("more digits than a number has", {"toml": f"[sinks]\nmessages_max = {'9' * 5000}"},
     "is not TOML: line 2: a number has too many digits"),
    ("a number that no file holds", {"toml": f"[sinks]\nmessages_max = {'9' * 25}"},
     "a number in `sinks.messages_max` has too many digits"),
    ("what is nested too deep", {"toml": f"[sinks]\nrules = {'[' * 3000}"}, "nested too deep"),
    ("as a variable", {"environment": {"THINGTANK_SINKS_RULES": "[" * 3000}},
     "`sinks.rules` must be a list of tables|`sinks.rules.0.` must be a table"),
    ("what stands alone", {"toml": "database = 5"}, "`database` must be a text, not a whole"),
    ("a --set without a value", {"sets": ("web.port",)}, "--set takes section.key=value"),
    ("a wrong name in --set", {"sets": ("xively.live=1",)}, "did you mean `xively.live_s`?"),
    ("a wrong environment variable", {"environment": {"THINGTANK_WEB_PROT": "1"}}, "THINGTANK_WEB_PROT; did you mean `web.port`?"),
]  # fmt: skip


@pytest.mark.parametrize(("source", "message"), [row[1:] for row in MISTAKES], ids=[row[0] for row in MISTAKES])  # fmt: skip
def test_a_mistake_is_named_with_its_place_and_remedy(
    tmp_path: Path, source: dict[str, object], message: str
) -> None:
    with pytest.raises(BadSettings, match=message.replace("?", r"\?")):
        loaded(tmp_path, **source)  # type: ignore[arg-type] # rows name the arguments


@pytest.mark.parametrize("content", ["[web]\nport = 1\n".encode("utf-16"), b"[web]\n# \xe4\n"])
def test_a_file_in_another_encoding_is_told_what_it_must_be(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "thingtank.toml"
    file.write_bytes(content)
    with pytest.raises(BadSettings, match=r"line [12]: it is not UTF-8; save it as UTF-8"):
        load_config(file, {})


def test_the_mark_that_windows_writes_before_utf_8_is_let_be(tmp_path: Path) -> None:
    file = tmp_path / "thingtank.toml"
    file.write_text("[web]\nport = 1\n", encoding="utf-8-sig")
    assert load_config(file, {}).config.web.port == 1


def test_a_link_to_nothing_and_a_pipe_are_no_settings(tmp_path: Path) -> None:
    link, pipe = tmp_path / "link.toml", tmp_path / "pipe.toml"
    link.symlink_to("/nowhere/a.toml")
    os.mkfifo(pipe)
    with pytest.raises(BadSettings, match=r"is a link to /nowhere/a\.toml, which is not there"):
        load_config(link, {})
    with pytest.raises(BadSettings, match="is no file but a pipe or a device"):
        load_config(pipe, {})
    assert load_config(Path(os.devnull), {}).sources == {}


def test_every_service_that_is_called_may_have_an_endpoint_of_its_own() -> None:
    source = Path(thingtank.__file__).parent
    called = {
        service
        for file in source.rglob("*.py")
        for service in re.findall(r'(?:\bclient|Probe)\(\s*"([a-z0-9-]+)"', file.read_text())
    }
    assert called == set(SERVICES)


def test_every_setting_but_the_database_has_a_name_of_two_parts() -> None:
    assert "web.port" in setting_names()
    assert {name for name in setting_names() if name.count(".") != 1} == {"database"}


def test_the_database_comes_from_each_source_and_shows_no_password(tmp_path: Path) -> None:
    url, shown = "postgres://me:secret99@db/tank", "postgres://me:…@db/tank"
    in_file = loaded(tmp_path, f"database = '{url}'\n[web]\nport = 1\n")
    in_environment = loaded(tmp_path, environment={"THINGTANK_DATABASE": url})
    for result in (
        in_file,
        in_environment,
        loaded(tmp_path, sets=(f"database={url}",)),
        loaded(tmp_path, flags={"database": url}),
    ):
        assert result.config.database.text == shown
        assert result.config.database.read() == url
        assert "secret99" not in repr(result)
    assert in_environment.sources["database"] == "environment variable THINGTANK_DATABASE"
    assert loaded(tmp_path).config.database.text == "sqlite:///directory.sqlite3"


def test_the_database_may_be_in_a_file_or_a_variable(tmp_path: Path) -> None:
    given = loaded(tmp_path, 'database = {environment = "DATABASE_URL"}').config.database
    assert given.environment == "DATABASE_URL"
    later = loaded(tmp_path, 'database = {file = "/f"}', sets=("database=sqlite:///x.sqlite3",))
    assert later.config.database.read() == "sqlite:///x.sqlite3"


@pytest.mark.parametrize("text", ["oracle://a:secret99@b/c", "secret99", "mysql://a:secret99@b/"])
def test_a_database_that_is_none_is_refused_without_its_password(tmp_path: Path, text: str) -> None:
    with pytest.raises(BadSettings, match="database") as refused:
        loaded(tmp_path, f"database = '{text}'")
    assert "secret99" not in str(refused.value)


def test_variables_of_other_programs_that_are_named_alike_are_left_alone(tmp_path: Path) -> None:
    assert loaded(tmp_path, environment={"THINGTANK_DATABASE_PORT": "tcp://db"}).sources == {}


def test_the_data_variable_of_the_command_line_is_no_setting(tmp_path: Path) -> None:
    assert loaded(tmp_path, environment={"THINGTANK_DATA": "x"}).sources == {}


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ("web.port=eighty", "web.port must be a port or off, not `eighty`"),
        ("web.port=70000", "within 0 and 65535, or off"),
        ("web.port=true", "web.port must be a port or off"),
        ("http.connections_max=0", "http.connections_max must be more than 0"),
        ("limits.datapoints_per_write_max=-1", "must not be negative"),
        ("delivery.concurrent_max=0", "delivery.concurrent_max must be more than 0"),
        ("delivery.retry_s=[5, -1]", "delivery.retry_s must be pauses in seconds"),
        ("webhooks.allowed_networks=10.0.0.1/8", "must be addresses or networks"),
        ("email.tls=yes", "email.tls"),
        ("web.allowed_hosts=http://x/", "web.allowed_hosts must be names of hosts"),
        ("web.allowed_hosts=tank.example:80", "without a port, not `tank.example:80`"),
        ("aws.region=eu central 1", "`aws.region` must be letters, digits and hyphens"),
        ("aws.region=123", "aws.region"),
        (
            'aws.endpoints={s4="http://127.0.0.1:1"}',
            "names `s4`, a service that is not used: did you mean `s3`",
        ),
        ("aws.endpoint_url=http://a b", "an address of a service must be like"),
        (
            "sources.rules=[{name='a', engine='kinesis', stream='a b'}]",
            "AWS takes no stream named 'a b'",
        ),
        ("sources.rules=[{name='a', engine='sqs', queue='a b'}]", "AWS takes no queue named 'a b'"),
        (
            "sources.rules=[{name='a', engine='kinesis', stream='a', feed='x y'}]",
            "`feed` must be a uuid or the number of a feed, not `x y`",
        ),
        (
            "sources.rules=[{name='a', engine='kinesis', stream='a', feed=-7}]",
            "`feed` must be a uuid or the number of a feed, not `-7`",
        ),
        ("limits.requests_per_key_burst=0", "limits.requests_per_key_burst must be more than 0"),
        ("limits.requests_per_key_s=nan", "limits.requests_per_key_s must be a number"),
        ("limits.requests_per_address_s=inf", "must be a number, and is inf"),
        ("archive.compact_interval_s=0", "archive.compact_interval_s must be more than 0"),
        ("wamp.tls_port=on", "wamp.tls_port must be a port or off, not `on`"),
        ("wamp.silence_s=0", "wamp.silence_s must be more than 0"),
        ("skynet.heartbeat_s=0", "skynet.heartbeat_s must be more than 0"),
        ("skynet.heartbeat_timeout_s=0", "skynet.heartbeat_timeout_s must be more than 0"),
        ("skynet.poll_s=0", "skynet.poll_s must be more than 0"),
        ("skynet.abandoned_s=0", "skynet.abandoned_s must be more than 0"),
        ("skynet.unthrottled_networks=home", "skynet.unthrottled_networks must be addresses"),
        ('wamp.realms=[{name="a", history=[{uri="b..c"}]}]', "'b..c' is no URI for the match"),
        ('wamp.realms=[{name="a"}, {name="a"}]', "wamp.realms: "),
    ],
)
def test_a_value_that_makes_no_sense_is_answered_with_its_name(setting: str, words: str) -> None:
    with pytest.raises(BadSettings, match=words.replace("`", ".")):
        load_config(None, {}, [setting])


@pytest.mark.parametrize("host", ["*", ".tank.example", "localhost", "[::1]", "::1", "my_host"])
def test_hosts_that_are_allowed(host: str) -> None:
    assert load_config(None, {}, [f"web.allowed_hosts={host}"]).config.web.allowed_hosts == (host,)


def test_a_list_may_be_written_with_commas() -> None:
    loaded = load_config(None, {"THINGTANK_WEB_ALLOWED_HOSTS": "a.example, b.example"})
    assert loaded.config.web.allowed_hosts == ("a.example", "b.example")
    assert load_config(None, {}, ['web.allowed_hosts=["c"]']).config.web.allowed_hosts == ("c",)


def test_variables_of_sections_that_are_unknown_are_not_ours() -> None:
    assert load_config(None, {"THINGTANK_BUILD_NUMBER": "7"}).sources == {}
    with pytest.raises(BadSettings, match=r"did you mean `web\.port`"):
        load_config(None, {"THINGTANK_WEB_PROT": "7"})


@pytest.mark.parametrize("value", ["proxy.example", "10.0.0.1/8", "*", "10.0.0.0/99"])
def test_a_trusted_proxy_must_be_an_address_or_a_network(tmp_path: Path, value: str) -> None:
    with pytest.raises(BadSettings, match=r"web\.trusted_proxies must be addresses or networks"):
        loaded(tmp_path, sets=(f"web.trusted_proxies={value}",))


@pytest.mark.parametrize(
    ("written", "origin"),
    [
        ("https://tank.example/", "https://tank.example"),
        ("HTTPS://Tank.Example:443/", "https://tank.example"),
        ("http://tank.example:80", "http://tank.example"),
        ("http://tank.example:8080/", "http://tank.example:8080"),
        ("http://[2001:DB8::1]:8000/", "http://[2001:db8::1]:8000"),
        ("", ""),
    ],
)
def test_the_public_address_is_kept_as_browsers_send_it(written: str, origin: str) -> None:
    assert load_config(None, {"THINGTANK_WEB_PUBLIC_URL": written}).config.web.public_url == origin


@pytest.mark.parametrize(
    "written",
    ["tank.example", "https://tank.example/iot", "ftp://tank.example", "https://", "https://a b",
     "https://anna@tank.example", "https://tank.example?x", "https://tank.example:99999", "https://tänk.example"],
)  # fmt: skip
def test_a_public_address_of_more_or_less_than_host_and_port_is_refused(written: str) -> None:
    with pytest.raises(BadSettings, match=r"web\.public_url must be .* such as https://tank"):
        load_config(None, {}, [f"web.public_url={written}"])


@pytest.mark.parametrize(
    "written",
    ["https://tiles.example/{z}/{x}/{y}.png", "http://127.0.0.1:8070/{z}/{x}/{y}{r}.webp?key=a-b", ""],
)  # fmt: skip
def test_a_tile_server_is_one_address_with_the_numbers_of_a_tile(written: str) -> None:
    assert load_config(None, {}, [f'web.map_tiles_url="{written}"']).config.web.map_tiles_url == written  # fmt: skip


@pytest.mark.parametrize(
    "written",
    ["https://tiles.example/{z}/{x}.png", "tiles.example/{z}/{x}/{y}.png", "https://{s}.tiles.example/{z}/{x}/{y}.png",
     "https://tiles.example/{z}/{x}/{y}/{style}.png", "javascript:alert({z},{x},{y})", "https://a; script-src */{z}/{x}/{y}",
     "https://anna@tiles.example/{z}/{x}/{y}.png", "https://tiles.example/{z}/{x}/{y}.png#<b>"],
)  # fmt: skip
def test_an_address_that_is_no_tile_server_is_refused(written: str) -> None:
    with pytest.raises(BadSettings, match=r"web\.map_tiles_url must be like https://tiles"):
        load_config(None, {}, [f"web.map_tiles_url={written}"])


def test_realm_and_role_of_the_bridge_are_there(tmp_path: Path) -> None:
    file = tmp_path / "thingtank.toml"
    file.write_text('[mqtt]\nwamp_realm = "realm2"\n[[wamp.realms]]\nname = "realm2"\n')
    assert load_config(file).config.mqtt.wamp_realm == "realm2"
    with pytest.raises(BadSettings, match=r"mqtt\.wamp_realm: there is no realm 'realm3'"):
        load_config(file, sets=["mqtt.wamp_realm=realm3"])
    with pytest.raises(BadSettings, match=r"mqtt\.wamp_role: realm2 has no role 'clerk'"):
        load_config(file, sets=["mqtt.wamp_role=clerk"])
