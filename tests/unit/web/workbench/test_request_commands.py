"""A command line asks again what an entry of the log shows: a shell reads it as it was."""

import shlex

import pytest

from thingtank.tank.events import Asked, RequestServed
from thingtank.tank.request_log import BODY_BYTES_MAX
from thingtank.web.workbench.request_commands import (
    HTTP_URL,
    MQTT_OPTIONS,
    SKYNET_URL,
    command_of,
    quoted,
)

NASTY = 'it\'s "$HOME" `id` \\ !x\n; rm -rf *'


def entry(
    door: str, method: str, path: str, body: bytes = b"", *fields: tuple[str, str]
) -> RequestServed:
    asked = Asked(7, door, method, path, fields=fields)
    return RequestServed(0, asked, 200, 1, request_body=body)


HTTP_FIELDS = (("host", "x"), ("x-apikey", "…"), ("content-type", "text/csv"), ("user-agent", "u"))

LINES = {
    "a PUT": (
        entry("xively_http", "PUT", "/v2/feeds/7.csv", b"a,1", *HTTP_FIELDS),
        f'curl -X PUT {HTTP_URL}/v2/feeds/7.csv -H "x-apikey: $KEY" -H \'content-type: text/csv\' --data-binary a,1',
    ),
    "a body that cannot be searched": (
        entry("xively_http", "PUT", "/v2/feeds/7.csv", "…".encode()),
        f"curl -X PUT {HTTP_URL}/v2/feeds/7.csv\n# What was sent is not shown: it could not be searched for secrets.",
    ),
    "a key in the query": (
        entry("xively_http", "GET", "/v2/feeds/7.json?key=…&limit=3"),
        f'curl {HTTP_URL}"/v2/feeds/7.json?key=$KEY&limit=3"',
    ),
    "a HEAD": (entry("xively_http", "HEAD", "/v2/feeds/7"), f"curl -I {HTTP_URL}/v2/feeds/7"),
    "a request on a socket": (
        entry("xively_tcp", "GET", "/v2/feeds/7"),
        f"curl {HTTP_URL}/v2/feeds/7",
    ),
    "a subscription on a socket": (entry("xively_tcp", "subscribe", "/feeds/7"), ""),
    "SkyNet's REST": (
        entry("skynet_http", "POST", "/data/u-1", b'{"t":1}', ("meshblu_auth_uuid", "u-1"), ("meshblu_auth_token", "…")),
        f"curl -X POST {SKYNET_URL}/data/u-1 -H 'meshblu_auth_uuid: u-1' -H \"meshblu_auth_token: $TOKEN\" --data-binary '{{\"t\":1}}'",
    ),
    "PUBLISH": (
        entry("mqtt", "PUBLISH", "/v2/feeds/7.csv", b"a,1", ("QoS", "1"), ("retain", "yes"), ("user property unit", "°C")),
        f'mosquitto_pub {MQTT_OPTIONS} -u "$KEY" -q 1 -r -D PUBLISH user-property unit \'°C\' -t /v2/feeds/7.csv -m a,1',
    ),
    "PUBLISH with a key in front": (
        entry("mqtt", "PUBLISH", "…/v2/feeds/7.csv", b"", ("QoS", "0")),
        f'mosquitto_pub {MQTT_OPTIONS} -q 0 -t "$KEY/v2/feeds/7.csv" -n',
    ),
    "SUBSCRIBE": (
        entry("mqtt", "SUBSCRIBE", "…/v2/feeds/7.csv"),
        f'mosquitto_sub {MQTT_OPTIONS} -v -t "$KEY/v2/feeds/7.csv"',
    ),
    "CONNECT": (
        entry("mqtt", "CONNECT", "u-1", b"", ("client id", "a lamp")),
        f"mosquitto_sub {MQTT_OPTIONS} -i 'a lamp' -u u-1 -P \"$TOKEN\" -v -t u-1",
    ),
    "Meshblu's topics": (
        entry("skynet_mqtt", "PUBLISH", "data", b'{"t":1}', ("QoS", "1")),
        f"mosquitto_pub {MQTT_OPTIONS} -u \"$UUID\" -P \"$TOKEN\" -q 1 -t data -m '{{\"t\":1}}'",
    ),
    "a call of WAMP": (entry("wamp", "CALL", "tank.feeds.get"), ""),
}  # fmt: skip


@pytest.mark.parametrize("case", LINES)
def test_the_line_of(case: str) -> None:
    served, line = LINES[case]
    assert command_of(served) == line


@pytest.mark.parametrize("text", [NASTY, "plain", "", "a b", "…", f"{NASTY}…{NASTY}", "…/v2/x y"])
def test_a_shell_reads_one_word_as_it_was(text: str) -> None:
    assert shlex.split(quoted(text, "$KEY")) == [text.replace("…", "$KEY")]


@pytest.mark.parametrize("text", [f"{NASTY}…", "…`id`", "…$(id)", '…"; id; "'])
def test_nothing_but_the_variable_is_expanded(text: str) -> None:
    word = quoted(text, "$KEY")
    before, after = text.split("…")
    literal = "".join(shlex.quote(piece) for piece in (before, after) if piece)
    assert word.replace('"$KEY"', "") == literal


def test_a_line_says_when_it_does_not_hold_all() -> None:
    cut = command_of(entry("xively_http", "PUT", "/v2/feeds/7", b"x" * BODY_BYTES_MAX))
    assert cut.endswith("\n# What was sent is longer than what is shown here.")
    binary = command_of(entry("xively_http", "PUT", "/v2/feeds/7", b"\xff\x00"))
    assert binary.endswith("\n# What was sent is not text.")
