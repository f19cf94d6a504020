"""`thingtank mqtt pub`: sends messages, and waits until the server has them."""

import itertools
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import click

from thingtank.cli.mqtt_client import (
    MqttClient,
    Refused,
    until_interrupted,
    words_of,
)
from thingtank.cli.mqtt_connection import Connection
from thingtank.cli.mqtt_properties import properties_of
from thingtank.cli.session import Refusal

PAYLOAD_BYTES_MAX = 268_435_455  # what MQTT can say
UNWRITTEN_MAX = 100  # QoS 0 messages that wait for the socket
LOOK_S = 1.0


@dataclass(frozen=True)
class Publishing:
    """What is published, and how.

    Attributes:
        source: where a message's octets are: themselves, a file (`-` for stdin), or None for a
            message a line of stdin.
        repeat: how many times it is published, for what is no line of stdin.
    """

    topic: str
    source: bytes | Path | None
    qos: int
    retain: bool
    repeat: int = 1
    repeat_delay_s: float = 0.0


def publish(connection: Connection, publishing: Publishing) -> None:
    """Connect, publish all, and disconnect.

    Raises:
        Refusal: a message cannot be read, or the server does not take it.
    """
    with until_interrupted(connection):
        client = MqttClient(connection)
        publisher = _Publisher(client, publishing)
        first = next(publisher.payloads, None) if publishing.source is not None else None
        client.connect()
        client.start_thread()
        try:
            payloads = publisher.payloads
            for payload in payloads if first is None else itertools.chain([first], payloads):
                publisher.publish(payload)
            publisher.wait_until(left_max=0)
        finally:
            client.stop_thread()


class _Publisher:
    """Publishes from this thread; paho's own tells it what has arrived."""

    def __init__(self, client: MqttClient, publishing: Publishing) -> None:
        self._client = client
        self._publishing = publishing
        self._changed = threading.Condition()
        self._unfinished_count = 0
        self._error: Refused | None = None
        self._properties = properties_of("publish", client.connection.properties)
        self.payloads = _payloads_of(publishing)
        client.paho.on_publish = self._published
        client.on_lost = self._lost

    def publish(self, payload: bytes) -> None:
        """Send one as soon as there is room for it."""
        how = self._publishing
        inflight_max = min(self._client.connection.inflight_max, self._client.receive_maximum)
        self.wait_until((inflight_max if how.qos else UNWRITTEN_MAX) - 1)
        with self._changed:
            self._unfinished_count += 1
        self._client.paho.publish(how.topic, payload, how.qos, how.retain, self._properties)

    def wait_until(self, left_max: int) -> None:
        """Wait until so few are unfinished.

        Raises:
            Refusal: one was refused, or the connection is no more.
        """
        with self._changed:
            while self._error is None and self._unfinished_count > left_max:
                self._changed.wait(LOOK_S)
                if not self._client.is_connected and self._unfinished_count > left_max:
                    raise self._client.loss()
            if self._error is not None:
                raise self._error

    def _published(self, _: Any, __: Any, ___: Any, code: Any, properties: Any) -> None:
        with self._changed:
            self._unfinished_count -= 1
            if code.is_failure:
                words = words_of(code, properties)
                self._error = Refused(f"{self._publishing.topic}: {words}")
            self._changed.notify_all()

    def _lost(self) -> None:
        with self._changed:
            self._changed.notify_all()


def _payloads_of(publishing: Publishing) -> Iterator[bytes]:
    if publishing.source is None:
        yield from _lines_of(sys.stdin.buffer)
        return
    payload = publishing.source
    if isinstance(payload, Path):
        payload = _read(payload)
    for number in range(publishing.repeat):
        if number and publishing.repeat_delay_s:
            time.sleep(publishing.repeat_delay_s)
        yield payload


def _read(file: Path) -> bytes:
    try:
        with click.open_file(str(file), "rb") as opened:
            found = bytes(opened.read(PAYLOAD_BYTES_MAX + 1))
    except OSError as error:
        raise Refusal(f"{file}: {error.strerror}") from None
    if len(found) > PAYLOAD_BYTES_MAX:
        raise Refusal(f"{file}: more than the {PAYLOAD_BYTES_MAX:,} bytes that a message may have")
    return found


def _lines_of(file: BinaryIO) -> Iterator[bytes]:
    while line := file.readline(PAYLOAD_BYTES_MAX + 1):
        if len(line) > PAYLOAD_BYTES_MAX:
            raise Refusal(f"a line has more than {PAYLOAD_BYTES_MAX:,} bytes")
        yield line.removesuffix(b"\n")
