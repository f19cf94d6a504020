"""MQTT.js in Node: one process for all its clients, which takes commands as JSON lines."""

import itertools
import json
import queue
import subprocess
import threading
from typing import Any

from tests.interop.mqtt.client import WAIT_S_MAX, Login, Properties, Publication, Received, Refused
from tests.needed import NODE, needed_program, node_package


class JsProcess:
    """Runs `mqtt_js.js`."""

    def __init__(self) -> None:
        node_package("mqtt")
        self._process = subprocess.Popen(
            [needed_program("node"), str(NODE / "mqtt_js.js")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._numbers = itertools.count(1)
        self._answers: queue.Queue[dict[str, Any]] = queue.Queue()
        self.clients: dict[str, JsClient] = {}
        self._thread = threading.Thread(target=self._read)
        self._thread.start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            said = json.loads(line)
            if "message" in said:
                self.clients[said["name"]].inbox.put(_received(**said["message"]))
            elif "connected" in said:
                self.clients[said["name"]].connected_count += 1
            else:
                self._answers.put(said)

    def ask(self, verb: str, **parameters: Any) -> Any:
        """Have one command carried out; raises Refused."""
        number = next(self._numbers)
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"id": number, "verb": verb, **parameters}) + "\n")
        self._process.stdin.flush()
        answer = self._answers.get(timeout=WAIT_S_MAX)
        assert answer["id"] == number
        if "error" in answer:
            raise Refused(answer["error"])
        return answer["result"]

    def close(self) -> None:
        """End the program."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        try:
            self._process.wait(WAIT_S_MAX)
        finally:
            self._process.kill()
            self._thread.join()
            self._process.stdout.close()


class JsClient:
    """Implements `client.Client`."""

    def __init__(self, process: JsProcess, login: Login) -> None:
        self.login = login
        self.inbox: queue.Queue[Received] = queue.Queue()
        self.connected_count = 0
        self.is_over = False
        self._process = process
        self._name = f"{login.client_id} {len(process.clients)}"
        process.clients[self._name] = self
        result = process.ask(
            "open",
            name=self._name,
            url=login.url,
            version=login.version,
            client_id=login.client_id,
            session_s=login.session_s,
            user_name=login.user_name,
            password=login.password,
            ca=login.ca,
            certificate=login.certificate,
            key=login.key,
            will=login.will and _published(login.will),
        )
        self.is_session_present = result["is_session_present"]
        for topic_filter, qos in login.filters:
            self.subscribe(topic_filter, qos)

    def subscribe(self, topic_filter: str, qos: int) -> None:
        self._process.ask("subscribe", name=self._name, topic_filter=topic_filter, qos=qos)

    def publish(self, publication: Publication) -> None:
        self._process.ask("publish", name=self._name, **_published(publication))

    def received(self, count: int) -> list[Received]:
        return [self.inbox.get(timeout=WAIT_S_MAX) for _ in range(count)]

    def close(self) -> None:
        self.is_over = True
        self._process.ask("close", name=self._name)

    def drop(self) -> None:
        self.is_over = True
        self._process.ask("drop", name=self._name)


def _published(publication: Publication) -> dict[str, Any]:
    topic, payload, qos, is_retain, properties = publication
    return {
        "topic": topic,
        "payload": payload.hex(),
        "qos": qos,
        "is_retain": is_retain,
        "user": properties.user,
        "content_type": properties.content_type,
        "response_topic": properties.response_topic,
        "correlation_data": properties.correlation_data.hex(),
    }


def _received(
    *, topic: str, payload: str, qos: int, is_retain: bool, **properties: Any
) -> Received:
    user = tuple((name, value) for name, value in properties["user"])
    data = bytes.fromhex(properties["correlation_data"])
    found = Properties(user, properties["content_type"], properties["response_topic"], data)
    return Received(topic, bytes.fromhex(payload), qos, is_retain, found)
