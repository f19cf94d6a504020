"""What `thingtank mqtt sub` prints of a message, without a server."""

import json
from types import SimpleNamespace
from typing import Any

import click
import pytest

from thingtank.cli.mqtt_output import Message, NotJson, parts_of, printer_of

AT_NS = 1_589_203_920_000_001_000


def message(payload: bytes = b"21.5", **properties: Any) -> Message:
    has = SimpleNamespace(**properties) if properties else None
    return Message("roof/t", payload, 1, True, 258, has, AT_NS)


def formatted(text: str, payload: bytes = b"21.5", **properties: Any) -> bytes:
    return b"".join(part(message(payload, **properties)) for part in parts_of(text))


@pytest.mark.parametrize(
    ("text", "printed"),
    [
        ("", b""),
        ("é plain", "é plain".encode()),
        ("%t=%p", b"roof/t=21.5"),
        ("%%%q%r%m%l", b"%112584"),
        ("%x|%X", b"32312e35|32312E35"),
        ("%8t|%-8t|%08t|%2.3t|", b"  roof/t|roof/t  |  roof/t|roo|"),
        ("%05l|%-05l|%5l|%05q|", b"00004|4    |    4|    1|"),
        ("%A%C%D%E%F%P%R%S|%03A|%3S", b"|000|   "),
        (r"\\\0\a\e\n\r\t\v", b"\\\0\a\x1b\n\r\t\v"),
        ("%U @N @@", b"1589203920.000001000 000001000 @"),
        ("@s", b"1589203920"),
    ],
)
def test_a_format_is_filled_in(text: str, printed: bytes) -> None:
    assert formatted(text) == printed


def test_properties_are_printed() -> None:
    found = formatted(
        "%A|%C|%D|%E|%F|%P|%R|%S",
        TopicAlias=3, ContentType="text/é", CorrelationData=b"\xff\0", MessageExpiryInterval=0,
        PayloadFormatIndicator=1, UserProperty=[("a", "b"), ("a", "c")], ResponseTopic="r",
        SubscriptionIdentifier=[7, 8],
    )  # fmt: skip
    assert found == b"3|text/\xc3\xa9|\xff\0|0|1|a:b a:c|r|7"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("%", "within a field"),
        ("%-05", "within a field"),
        ("%z", "no %z"),
        ("%10001t", "widths up to 10,000"),
        ("@", "single @"),
        ("a\\", "single \\"),
        (r"\x", r"no \x"),
    ],
)
def test_a_wrong_format_is_refused(text: str, said: str) -> None:
    with pytest.raises(click.UsageError) as refused:
        parts_of(text)
    assert said in refused.value.message


@pytest.mark.parametrize("pretty", [False, True])
def test_json_is_json_whatever_the_payload(pretty: bool) -> None:
    printer = printer_of("%j", verbose=True, ends_line=True, pretty=pretty)
    for payload, text in ((b'\x01\xff"\\\n', '\x01\ufffd"\\\n'), (b"", None), (b"1", "1")):
        found = json.loads(printer(message(payload, UserProperty=[("a", "b")])))
        assert found["payload"] == text
        assert (found["mid"], found["properties"]) == (258, {"user-properties": {"a": "b"}})


def test_a_payload_of_json_is_put_in_as_it_is() -> None:
    assert b'"payload":{"a":[1,{}]}' in formatted("%J", b'{"a": [1, {}]}')
    assert b'"payload":null' in formatted("%J", b"")


@pytest.mark.parametrize("payload", [b"NaN", b"1e999", b"{", b"\xff", b"[" * 100_000])
def test_a_payload_that_is_no_json_is_told(payload: bytes) -> None:
    with pytest.raises(NotJson):
        formatted("%J", payload)


def test_without_a_format_it_is_the_payload_after_the_topic_where_asked_for() -> None:
    def printed(payload: bytes, verbose: bool, ends_line: bool) -> bytes:
        return printer_of(None, verbose=verbose, ends_line=ends_line, pretty=False)(
            message(payload)
        )

    assert printed(b"\xff", False, True) == b"\xff\n"
    assert printed(b"\xff", True, False) == b"roof/t \xff"
    assert printed(b"", False, True) == b""
    assert printed(b"", True, True) == b"roof/t (null)\n"
