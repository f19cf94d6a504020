"""The wires that devices come by, each as a conversation: ask something, and what came back."""

import contextlib
import http.client
import itertools
import json
import socket
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any
from urllib.parse import urlsplit

from websockets.sync.client import ClientConnection, connect

WAIT_S_MAX = 20.0

Credentials = tuple[str, str]


class Wire:
    """One client.

    Attributes:
        pushes: what came without being asked for: names and arguments.
    """

    def __init__(self) -> None:
        self.pushes: list[tuple[str, Any]] = []

    def ask(self, name: str, body: Any) -> Any:
        """Ask for something; what came of it by the time that a later question is answered."""
        raise NotImplementedError

    def settle(self) -> None:
        """Take all that was sent to it until now."""
        raise NotImplementedError

    def heard(self) -> list[Any]:
        """The payloads of messages since it was last asked."""
        self.settle()
        taken, self.pushes = self.pushes, []
        return [body.get("payload") for name, body in taken if name == "message"]

    def close(self) -> None:
        """Leave."""
        raise NotImplementedError


class SocketioWire(Wire):
    """Any age of socket.io, over WebSocket."""

    def __init__(self, url: str, who: Credentials | None, age: str) -> None:
        super().__init__()
        self._is_legacy = age == "0.9"
        self._numbers = itertools.count(1)
        base = url.replace("http:", "ws:")
        if self._is_legacy:
            session_id = _get(url, "/socket.io/1/").partition(":")[0]
            self._stack, self._connection = _open(f"{base}/socket.io/1/websocket/{session_id}")
        else:
            self._stack, self._connection = _open(
                f"{base}/socket.io/?EIO={age}&transport=websocket"
            )
            if age == "4":
                self._connection.send("40")
        self._until(lambda name, _: name == "identify")
        if who is not None:
            self._emit("identity", {"uuid": who[0], "token": who[1]})
            self._until(lambda name, _: name in ("ready", "notReady"))
            assert self.pushes[-1][0] == "ready", self.pushes
        self.pushes.clear()

    def _emit(self, name: str, body: Any, number: int | None = None) -> None:
        if self._is_legacy:
            mark = "" if number is None else f"{number}+"
            packet = f"5:{mark}::{json.dumps({'name': name, 'args': [body]})}"
        else:
            packet = f"42{'' if number is None else number}{json.dumps([name, body])}"
        self._connection.send(packet)

    def _until(self, is_last: Callable[[str, Any], bool]) -> None:
        while True:
            name, body = self._next()
            if name:
                self.pushes.append((name, body))
                if is_last(name, body):
                    return

    def _next(self) -> tuple[str, Any]:
        text = self._connection.recv(WAIT_S_MAX)
        assert isinstance(text, str)
        return self._legacy(text) if self._is_legacy else self._modern(text)

    def _legacy(self, text: str) -> tuple[str, Any]:
        kind, _, rest = text.partition(":")
        data = rest.partition(":")[2].partition(":")[2]
        if kind == "5":
            event = json.loads(data)
            return event["name"], (event.get("args") or [None])[0]
        if kind == "6":
            number, _, args = data.partition("+")
            return f"ack {number}", json.loads(args or "[]")
        return "", None

    def _modern(self, text: str) -> tuple[str, Any]:
        if text[:2] not in ("42", "43"):
            return "", None
        start = next(index for index, sign in enumerate(text) if sign == "[")
        args = json.loads(text[start:])
        if text[:2] == "43":
            return f"ack {text[2:start]}", args
        return args[0], (args[1:] or [None])[0]

    def ask(self, name: str, body: Any) -> Any:
        number = next(self._numbers)
        self._emit(name, body, number)
        return self._answer(number)

    def _answer(self, number: int | None = None) -> Any:
        last = next(self._numbers)
        self._emit("status", {}, last)
        self._until(lambda name, _: name == f"ack {last}")
        acks = {name: body for name, body in self.pushes if name.startswith("ack ")}
        self.pushes = [each for each in self.pushes if each[0] not in acks]
        return acks.get(f"ack {number}")

    def next_push(self) -> tuple[str, Any]:
        """Wait for what comes next without being asked for."""
        while not self.pushes:
            self._until(lambda *_: True)
        return self.pushes.pop(0)

    def settle(self) -> None:
        self._answer()

    def close(self) -> None:
        self._stack.close()


class RawWire(Wire):
    """Meshblu's own WebSocket."""

    def __init__(self, url: str, who: Credentials | None) -> None:
        super().__init__()
        self._stack, self._connection = _open(url.replace("http:", "ws:") + "/ws/v2")
        if who is not None:
            self._send("identity", {"uuid": who[0], "token": who[1]})
            assert self._next()[0] == "ready"

    def _send(self, name: str, body: Any) -> None:
        self._connection.send(json.dumps([name, body]))

    def _next(self) -> Any:
        return json.loads(self._connection.recv(WAIT_S_MAX))

    def ask(self, name: str, body: Any) -> Any:
        self._send(name, body)
        self._send("status", None)
        answers = []
        while (frame := self._next())[0] != "status":
            if frame[0] in ("message", "config", "data"):
                self.pushes.append((frame[0], frame[1]))
            else:
                answers.append(frame)
        return answers

    def settle(self) -> None:
        self.ask("status", None)
        assert self._next()[0] == "status"  # of the first

    def close(self) -> None:
        self._stack.close()


class MqttWire(Wire):
    """MQTT 3.1.1, with the topics of Meshblu."""

    def __init__(self, address: str, who: Credentials) -> None:
        super().__init__()
        host, _, port = address.removeprefix("mqtt://").rpartition(":")
        self._socket = socket.create_connection((host, int(port)), WAIT_S_MAX)
        self._received = bytearray()
        self._numbers = itertools.count(1)
        client_id = f"matrix-{id(self)}"
        fields = [client_id, *who]
        body = b"\0\4MQTT\4\xc2\0\0" + b"".join(_text(field) for field in fields)
        self._send(0x10, body)
        kind, answer = self._packet()
        assert (kind, answer[1]) == (0x20, 0)
        self.subscribe(who[0])

    def _send(self, kind: int, body: bytes) -> None:
        self._socket.sendall(bytes([kind]) + _length(len(body)) + body)

    def _packet(self) -> tuple[int, bytes]:
        while True:
            found = _split(self._received)
            if found is not None:
                return found
            piece = self._socket.recv(65_536)
            assert piece, "the connection has ended"
            self._received += piece

    def subscribe(self, topic: str) -> int:
        """Subscribe; the code that it was answered by."""
        self._send(0x82, b"\0\1" + _text(topic) + b"\0")
        return self._until(0x90)[2]

    def unsubscribe(self, topic: str) -> None:
        """Unsubscribe."""
        self._send(0xA2, b"\0\1" + _text(topic))
        self._until(0xB0)

    def _until(self, wanted: int) -> bytes:
        while True:
            kind, body = self._packet()
            if kind & 0xF0 == wanted:
                return body
            self._push(body)

    def _push(self, body: bytes) -> Any:
        length = int.from_bytes(body[:2])
        said = json.loads(body[2 + length :])
        if "_request" not in said:
            self.pushes.append((said["topic"], said["data"]))
        return said

    def ask(self, name: str, body: Any) -> Any:
        asked, last = f"a{next(self._numbers)}", f"z{next(self._numbers)}"
        for topic, said in (
            (name, {**body, "callbackId": asked}),
            ("whoami", {"callbackId": last}),
        ):
            self._send(0x30, _text(topic) + json.dumps(said).encode())
        answer = None
        while True:
            said = self._push(self._until_publication())
            callback_id = said.get("_request", {}).get("callbackId")
            if callback_id == last:
                return answer
            if callback_id == asked:
                answer = {"topic": said["topic"], "data": said["data"]}

    def _until_publication(self) -> bytes:
        kind, body = self._packet()
        assert kind & 0xF0 == 0x30
        return body

    def settle(self) -> None:
        self.ask("whoami", {})

    def close(self) -> None:
        with self._socket, contextlib.suppress(OSError):  # the server may have cut it off
            self._send(0xE0, b"")


class RestWire:
    """REST over one connection, by headers or by none."""

    def __init__(self, url: str, who: Credentials | None) -> None:
        self._address = urlsplit(url).netloc
        self._headers = {}
        if who is not None:
            self._headers = {"meshblu_auth_uuid": who[0], "meshblu_auth_token": who[1]}
        self._connection = http.client.HTTPConnection(self._address, timeout=WAIT_S_MAX)

    def ask(
        self, method: str, path: str, body: Any = None, **headers: str
    ) -> tuple[int, dict[str, str], str]:
        """Status, headers and body; of an answer that never ends, no body."""
        sent = {**self._headers, **{name.replace("_", "-"): v for name, v in headers.items()}}
        content = None
        if body is not None:
            content = json.dumps(body)
            sent["Content-Type"] = "application/json"
        self._connection.request(method, path, content, sent)
        response = self._connection.getresponse()
        told = {name.lower(): value for name, value in response.getheaders() if name != "date"}
        told.pop("date", None)
        if response.status == 200 and "content-length" not in told:
            self._connection.close()
            return response.status, told, ""
        return response.status, told, response.read().decode()

    def close(self) -> None:
        """Leave."""
        self._connection.close()


def _get(url: str, path: str) -> str:
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=WAIT_S_MAX)
    connection.request("GET", path)
    text = connection.getresponse().read().decode()
    connection.close()
    return text


def _open(url: str) -> tuple[ExitStack, ClientConnection]:
    stack = ExitStack()
    return stack, stack.enter_context(connect(url, compression=None, open_timeout=WAIT_S_MAX))


def _text(text: str) -> bytes:
    encoded = text.encode()
    return len(encoded).to_bytes(2) + encoded


def _length(length: int) -> bytes:
    encoded = bytearray()
    while True:
        length, digit = divmod(length, 128)
        encoded.append(digit | (0x80 if length else 0))
        if not length:
            return bytes(encoded)


def _split(received: bytearray) -> tuple[int, bytes] | None:
    """The first packet, which is taken out; None while it is not whole."""
    length = 0
    for index, digit in enumerate(received[1:5]):
        length |= (digit & 0x7F) << 7 * index
        if digit < 0x80:
            start = 2 + index
            if len(received) < start + length:
                return None
            packet = received[0], bytes(received[start : start + length])
            del received[: start + length]
            return packet
    return None


def neutral(answer: Any, *uuids: str) -> str:
    """An answer as text, without the uuids that were asked about, and without times."""
    text = json.dumps(_timeless(answer), sort_keys=True)
    for uuid in uuids:
        text = text.replace(uuid, "UUID")
    return text


def _timeless(value: Any) -> Any:
    if isinstance(value, str) and value[:1] in '{["':
        try:
            return ["text", _timeless(json.loads(value))]
        except ValueError:
            return value
    if isinstance(value, dict):
        return {
            name: type(each).__name__ if name == "timestamp" else _timeless(each)
            for name, each in value.items()
        }
    if isinstance(value, list | tuple):
        return [_timeless(each) for each in value]
    return value
