"""Settings: one TOML file, environment variables and flags, decoded into frozen values.

Later sources win: default, file, environment (`THINGTANK_WEB_PORT`), `--set web.port=8001`, flags.
Nobody else reads them; `server/assemble.py` passes each part down.
"""

import difflib
import ipaddress
import math
import os
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, cast

import msgspec

from thingtank.aws.addresses import BadAddress, parse_address
from thingtank.aws.lifecycle import INFREQUENT_DAYS_MIN
from thingtank.aws.settings import AwsSettings
from thingtank.doors.mqtt.settings import MqttSettings
from thingtank.doors.skynet.settings import SkynetSettings
from thingtank.doors.wamp.realm_settings import RealmSettings
from thingtank.doors.wamp.settings import WampSettings
from thingtank.doors.xively.settings import SocketSettings, XivelySettings
from thingtank.net.bounded_http import HttpLimits
from thingtank.net.identity.secret_sources import UnreadableSecret
from thingtank.server.bridge.settings import bridge_problems
from thingtank.server.log_settings import LogSettings
from thingtank.server.monitoring.settings import MetricsSettings
from thingtank.server.settings_file import BadFile, read_document
from thingtank.server.triggers.settings import TriggerSettings
from thingtank.sinks.rules.settings import SinkRule, SinkSettings
from thingtank.sinks.settings import DeliverySettings, EmailSettings, WebhookSettings
from thingtank.sources.settings import SourceRule, SourceSettings
from thingtank.stores.archive_settings import ArchiveSettings
from thingtank.stores.device_event_settings import DeviceEventSettings
from thingtank.stores.kept_message_settings import KeptMessageSettings
from thingtank.stores.outbox_settings import OutboxSettings
from thingtank.tank.limits import Limits
from thingtank.validation_words import place_of_huge_number, validation_words
from thingtank.web.database.url import DEFAULT_URL, DatabaseSource, url_problem
from thingtank.web.weather.settings import WeatherSettings, weather_problem

if TYPE_CHECKING:
    from thingtank.sinks.own_places import DatabaseAt

FILE_NAME = "thingtank.toml"
ENVIRONMENT_PREFIX = "THINGTANK_"

ALONE = frozenset({"database"})  # settings that are in no section
_KEY_WORDS = ("key", "secret", "token", "password")

_ONE_TABLE = re.compile(r"`(\S+)` must be a list of tables, not a table")
_INDEX = re.compile(r"\[\d+\]")
_ORIGIN = re.compile(r"(https?)://([a-z0-9._-]+|\[[0-9a-f:.]+\])(?::(\d{1,5}))?/?")
_TILES_URL = re.compile(
    r"https?://[a-z0-9._-]+(:[0-9]{1,5})?/([\w./~@%?&=+-]|\{[zxyr]\})*", re.IGNORECASE
)
_NO_HOST = re.compile(r".*[/@\s].*|[^:]*:[^:]*", re.DOTALL)  # several colons: of IPv6
_USUAL_PORTS = {"http": 80, "https": 443}

_MORE_THAN_NOTHING = (
    "_max", "_burst", "_interval_s", "_threads", "abandoned_s", "heartbeat_s",
    "heartbeat_timeout_s", "poll_s", "silence_s",
)  # fmt: skip
_MAY_BE_NONE = frozenset({"future_s_max", "session_expiry_s_max", "topic_alias_max"})

Port = int | Literal["off"]


class ServerSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Section `server`: what all doors share.

    Attributes:
        host: the address that doors listen on.
        tls_certificate: a PEM file with this server's certificate and those that vouch for it,
            for the doors that speak TLS.
        tls_key: a PEM file with its private key.
        tls_client_ca: a PEM file with the authorities whose client certificates are believed;
            blank asks clients for none.
        drain_s: when the server is told to stop, `/readyz` says so for this long before the
            doors close, so that a load balancer sends nobody here any more.
    """

    host: str = "127.0.0.1"
    tls_certificate: str = ""
    tls_key: str = ""
    tls_client_ca: str = ""
    drain_s: float = 0.0


class WebDoorSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Section `web`: the workbench and the Xively HTTP API.

    Attributes:
        port: 0 for any free one.
        public_url: how the outside reaches this door behind a proxy: scheme, host and port; blank
            for as asked.
        allowed_hosts: further host names for browsers; loopback names are always allowed.
        trusted_proxies: addresses or networks whose X-Forwarded-For and -Proto are believed.
        map_tiles_url: a tile server for the maps, such as
            `https://tiles.example/{z}/{x}/{y}.png`, which browsers then ask; blank for the world
            that comes along and needs no internet.
        map_tiles_attribution: what the tile server's licence wants said on the maps.
    """

    port: Port = 8000
    public_url: str = ""
    allowed_hosts: tuple[str, ...] = ()
    trusted_proxies: tuple[str, ...] = ()
    map_tiles_url: str = ""
    map_tiles_attribution: str = ""


class Config(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All settings of an instance, by section; one stands before all sections.

    Attributes:
        database: where the directory is: `sqlite:///FILE` in the data folder,
            `postgres://USER:PASSWORD@HOST/NAME`, `mysql://…` (MariaDB too) or `mongodb://…`;
            or `{file = "…"}` or `{environment = "…"}` that hold one.
    """

    database: DatabaseSource = DatabaseSource(DEFAULT_URL)
    server: ServerSettings = ServerSettings()
    web: WebDoorSettings = WebDoorSettings()
    wamp: WampSettings = WampSettings()
    socket: SocketSettings = SocketSettings()
    mqtt: MqttSettings = MqttSettings()
    skynet: SkynetSettings = SkynetSettings()
    http: HttpLimits = HttpLimits()
    limits: Limits = Limits()
    xively: XivelySettings = XivelySettings()
    archive: ArchiveSettings = ArchiveSettings()
    outbox: OutboxSettings = OutboxSettings()
    delivery: DeliverySettings = DeliverySettings()
    webhooks: WebhookSettings = WebhookSettings()
    email: EmailSettings = EmailSettings()
    triggers: TriggerSettings = TriggerSettings()
    sinks: SinkSettings = SinkSettings()
    sources: SourceSettings = SourceSettings()
    device_events: DeviceEventSettings = DeviceEventSettings()
    kept_messages: KeptMessageSettings = KeptMessageSettings()
    weather: WeatherSettings = WeatherSettings()
    metrics: MetricsSettings = MetricsSettings()
    log: LogSettings = LogSettings()
    aws: AwsSettings = AwsSettings()


class BadSettings(Exception):
    """A setting is unknown or of the wrong type; the message names it, its source, the remedy."""


class Loaded(msgspec.Struct, frozen=True):
    """Settings in force, and where each that is not a default came from (`web.port` → source)."""

    config: Config
    sources: Mapping[str, str]


def load_config(
    file: Path | None,
    environment: Mapping[str, str] = os.environ,
    sets: Sequence[str] = (),
    flags: Mapping[str, str] | None = None,
    folder: Path | None = None,
) -> Loaded:
    """Read all sources.

    Args:
        file: the TOML file; None or a missing one means no file.
        sets: `section.key=value` each.
        flags: `section.key` → value, as the command line gave them.
        folder: the data folder, whose files no rule of sinks may write to; None if there is none.

    Raises:
        BadSettings.
    """
    values: dict[str, dict[str, object]] = {}
    sources: dict[str, str] = {}
    for name, value, source in _all_settings(file, environment, sets, flags or {}):
        _check_name(name, source)
        found = _settled(name, value)
        for section, settings in found.items():
            values[section] = settings if name in ALONE else values.get(section, {}) | settings
        sources[name] = source
        _decode(found, source)
    config = _decode(values, "the settings")
    for problem in bridge_problems(config.mqtt, config.wamp.realms):
        raise BadSettings(f"the settings: {problem}")
    for problem in _rule_problems(config, folder):
        raise BadSettings(f"the settings: {problem}")
    if problem := weather_problem(config.weather):
        raise BadSettings(f"the settings: {problem}")
    return Loaded(config, sources)


def _all_settings(
    file: Path | None,
    environment: Mapping[str, str],
    sets: Sequence[str],
    flags: Mapping[str, str],
) -> Iterator[tuple[str, object, str]]:
    yield from _of_file(file)
    for variable, text in environment.items():
        if not variable.startswith(ENVIRONMENT_PREFIX):
            continue
        source = f"environment variable {variable}"
        word = variable.removeprefix(ENVIRONMENT_PREFIX).lower()
        section, _, key = word.partition("_")
        if word in ALONE:
            yield word, _value(text), source
        elif section in Config.__struct_fields__ and section not in ALONE:
            if not key:
                raise BadSettings(f"{source} names a section only, not one of its settings")
            yield f"{section}.{key}", _value(text), source
        # Others are of another program, or of a version to come.
    for item in sets:
        name, equals, text = item.partition("=")
        if not equals or ("." not in name and name.strip() not in ALONE):
            raise BadSettings(f"--set takes section.key=value, not `{item}`")
        yield name.strip(), _value(text), "--set"
    for name, text in flags.items():
        yield name, _value(text), f"flag for {name}"


def _of_file(file: Path | None) -> Iterator[tuple[str, object, str]]:
    if file is None:
        return
    try:
        document = read_document(file)
    except BadFile as error:
        raise BadSettings(f"{file} {error}") from None
    for section, content in document.items():
        if section in ALONE:
            yield section, content, str(file)
            continue
        if not isinstance(content, dict):
            raise BadSettings(f"{file}: {_words_of_no_section(section)}")
        for key, value in content.items():
            yield f"{section}.{key}", value, str(file)


def _words_of_no_section(name: str) -> str:
    """What is wrong with what stands in no section."""
    if name in Config.__struct_fields__:
        return f"`{name}` must be a section: [{name}]"
    there = [each for each in setting_names() if each.partition(".")[2] == name]
    if not there:
        return f"`{name}` is no setting, and stands in no section"
    return f"`{name}` must be in a section; there {_are(there)}"


def _are(names: Sequence[str]) -> str:
    *first, last = [f"`{name}`" for name in names]
    return f"are {', '.join(first)} and {last}" if first else f"is {last}"


def _value(text: str) -> object:
    """A TOML value where the text is one (`8000`, `true`, `["a"]`), else the text itself."""
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except (ValueError, RecursionError):  # of tomllib, and of huge numbers
        return text


def _settled(name: str, value: object) -> dict[str, dict[str, object]]:
    """A setting as `Config` has it, by section."""
    section, _, key = name.partition(".")
    if name not in ALONE:
        return {section: {key: _in_one_form(section, key, value)}}
    return {name: cast("dict[str, object]", value) if isinstance(value, dict) else {"text": value}}


def _in_one_form(section: str, key: str, value: object) -> object:
    """A value in the one form that its setting has: lists from commas, addresses as browsers do."""
    if not isinstance(value, str):
        return value
    if isinstance(getattr(getattr(Config(), section), key), tuple):
        return [item.strip() for item in value.split(",") if item.strip()]
    if key == "public_url":
        return _origin_of(value) or value
    return value


def _origin_of(url: str) -> str:
    """An address without what browsers leave out of `Origin`; blank when it names more or less.

    Source: RFC 6454, 6.2.
    """
    matched = _ORIGIN.fullmatch(url.strip().lower())
    if matched is None:
        return ""
    scheme, host, port = matched.groups()
    if port is None or int(port) == _USUAL_PORTS[scheme]:
        return f"{scheme}://{host}"
    return f"{scheme}://{host}:{int(port)}" if 0 < int(port) <= 65_535 else ""


def _check_name(name: str, source: str) -> None:
    names = setting_names()
    if name in names:
        return
    if name.startswith("aws.") and any(word in name for word in _KEY_WORDS):
        raise BadSettings(
            f"unknown setting `{name}` in {source}: keys of AWS stand in the environment"
            " (AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY), or in ~/.aws/credentials, in the"
            " profile that `aws.profile` names"
        )
    nearest = difflib.get_close_matches(name, names, 1, 0.5)
    hint = f"; did you mean `{nearest[0]}`?" if nearest else ""
    raise BadSettings(f"unknown setting `{name}` in {source}{hint}")


def setting_names() -> list[str]:
    """Every setting as `section.key`, but those that are in none."""
    return [
        name
        for section in Config.__struct_fields__
        for name in (
            [section]
            if section in ALONE
            else [f"{section}.{key}" for key in getattr(Config(), section).__struct_fields__]
        )
    ]


def setting(config: Config, name: str) -> Any:
    """A setting's value by its name; a section that is one setting, as what it is given as."""
    section, _, key = name.partition(".")
    found = getattr(config, section)
    return getattr(found, key) if key else getattr(found, "text", "") or found


def _decode(values: dict[str, dict[str, object]], source: str) -> Config:
    for section, settings in values.items():
        for key in ("port", "sockjs_port", "tls_port"):
            port = settings.get(key)
            if port is not None and (isinstance(port, bool) or not isinstance(port, int | str)):
                raise BadSettings(f"{source}: {section}.{key} must be a port or off, not {port}")
            if isinstance(port, str) and port != "off":
                quoted = ", which is to stand without quotes" if port.isdecimal() else ""
                raise BadSettings(
                    f"{source}: {section}.{key} must be a port or off, not `{port}`{quoted}"
                )
    if place := place_of_huge_number(values):
        raise BadSettings(f"{source}: a number in `{place}` has too many digits")
    try:
        config = msgspec.convert(values, Config)
    except msgspec.ValidationError as error:
        raise BadSettings(f"{source}: {_words_of(error)}") from None
    for name in setting_names():
        problem = _problem_of(name.rpartition(".")[2], setting(config, name))
        if problem:
            raise BadSettings(f"{source}: {name} {problem}")
    if not config.server.host.strip():
        raise BadSettings(
            f"{source}: server.host must be an address; 127.0.0.1 is this machine alone, 0.0.0.0"
            " all its networks"
        )
    database = config.database
    if sum(map(bool, (database.text, database.file, database.environment))) != 1:
        raise BadSettings(
            f"{source}: database must be a URL in quotes, or one of {{file = …}} and"
            " {environment = …} that hold one"
        )
    if problem := url_problem(database):
        raise BadSettings(f"{source}: {problem}")
    problems = [*_problems_of(config.wamp.realms), *_mqtt_problems(config.mqtt)]
    problems += [*_sink_problems(config.sinks.rules), *_source_problems(config.sources.rules)]
    for problem in problems:
        raise BadSettings(f"{source}: {problem}")
    return config


def _words_of(error: msgspec.ValidationError) -> str:
    words = validation_words(error, Config)
    for name in ALONE:
        words = words.replace(f"`{name}.text`", f"`{name}`")
    if one_table := _ONE_TABLE.fullmatch(words):
        return f"{words}: each begins with [[{_INDEX.sub('', one_table[1])}]]"
    return words


def _problems_of(realms: tuple[RealmSettings, ...]) -> list[str]:
    if realms == WampSettings().realms:
        return []
    # Certificates and keys: a tenth of a command's time, for who has no realms of his own.
    from thingtank.doors.wamp.realm_problems import problems_of

    return problems_of(realms)


def _mqtt_problems(settings: MqttSettings) -> list[str]:
    if settings == MqttSettings():
        return []
    from thingtank.doors.mqtt.settings_problems import problems_of

    return problems_of(settings)


def _sink_problems(rules: tuple[SinkRule, ...]) -> list[str]:
    if not rules:
        return []
    from thingtank.sinks.rules.rule_problems import problems_of  # loads all engines

    return problems_of(rules)


def _rule_problems(config: Config, folder: Path | None) -> list[str]:
    """What is wrong with rules of sinks beside other settings."""
    rules = config.sinks.rules
    if not rules:
        return []
    from thingtank.server.sinks.rounds import round_problem
    from thingtank.sinks.own_places import OwnPlaces
    from thingtank.sinks.rules.rule_problems import problems_of

    problems = [
        f"sinks.rules: {rule.name}: {problem}"
        for rule in rules
        if (problem := round_problem(rule, config.sources.rules, rules))
    ]
    if folder is not None:
        problems += problems_of(rules, OwnPlaces(folder, own_database_of(config)))
    return problems


def own_database_of(config: Config) -> "DatabaseAt | None":
    """Where the tank's own database is; None if no rule of sinks can send to its kind."""
    from thingtank.sinks.engines.sql.settings import own_database

    try:
        return own_database(config.database.read())
    except UnreadableSecret:
        return None  # told by who opens it


def _source_problems(rules: tuple[SourceRule, ...]) -> list[str]:
    if not rules:
        return []
    from thingtank.sources.rule_problems import problems_of

    return problems_of(rules)


def _problem_of_networks(values: tuple[str, ...]) -> str:
    for value in values:
        try:
            ipaddress.ip_network(value)
        except ValueError:
            return f"must be addresses or networks such as 10.0.0.0/8, not `{value}`"
    return ""


def _problem_of_hosts(values: tuple[str, ...]) -> str:
    for value in values:
        if not value or _NO_HOST.fullmatch(value):
            return f"must be names of hosts such as tank.example, without a port, not `{value}`"
    return ""


def _problem_of_address(value: str) -> str:
    try:
        parse_address(value)
    except BadAddress as error:
        return f"must be like s3://bucket/prefix: {error}"
    return ""


def _is_tiles_url(value: str) -> bool:
    """Whether it names one server and the three numbers of a tile; `{r}` asks for sharp ones."""
    return _TILES_URL.fullmatch(value) is not None and all(
        place in value for place in ("{z}", "{x}", "{y}")
    )


def _problem_of(key: str, value: object) -> str:
    """What is wrong with a value that its type allows; blank for nothing."""
    if key in ("trusted_proxies", "allowed_networks", "unthrottled_networks"):
        return _problem_of_networks(cast("tuple[str, ...]", value))
    if key == "allowed_hosts":
        return _problem_of_hosts(cast("tuple[str, ...]", value))
    if key == "public_url" and value and not _origin_of(cast("str", value)):
        return f"must be scheme, host and port such as https://tank.example, not `{value}`"
    if key == "map_tiles_url" and value and not _is_tiles_url(cast("str", value)):
        return f"must be like https://tiles.example/{{z}}/{{x}}/{{y}}.png, not `{value}`"
    if key in ("port", "sockjs_port", "tls_port"):
        is_port = value == "off" or (isinstance(value, int) and 0 <= value <= 65_535)
        return "" if is_port else f"must be a port within 0 and 65535, or off, not {value}"
    if key == "cold_infrequent_days" and 0 < cast("int", value) < INFREQUENT_DAYS_MIN:
        return f"must be 0, or {INFREQUENT_DAYS_MIN} and more, which S3 asks for"
    if key == "cold" and value:
        return _problem_of_address(cast("str", value))
    if key == "retry_s":
        pauses = cast("tuple[float, ...]", value)
        return "" if all(0 <= x < 1e9 for x in pauses) else "must be pauses in seconds"
    if isinstance(value, bool) or not isinstance(value, int | float):
        return ""
    if not math.isfinite(value):
        return f"must be a number, and is {value}"
    if value < 0:
        return f"must not be negative, and is {value}"
    # Nothing could be done within such a bound, and a pause of nothing would never end.
    if value == 0 and key.endswith(_MORE_THAN_NOTHING) and key not in _MAY_BE_NONE:
        return "must be more than 0"
    return ""
