"""aiomqtt, on a loop of its own."""

import asyncio
import queue
import threading
from collections.abc import Coroutine
from typing import Any, TypeVar

import aiomqtt
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties as PahoProperties
from tests.interop.mqtt.client import WAIT_S_MAX, Login, Publication, Received, Refused
from tests.interop.mqtt.paho_client import _arguments, _properties_of

T = TypeVar("T")


class AiomqttClient:
    """Implements `client.Client`."""

    def __init__(self, login: Login) -> None:
        self.login = login
        self.is_over = False
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()
        self._inbox: queue.Queue[Received] = queue.Queue()
        try:
            self._run(self._open())
        except aiomqtt.MqttError as error:
            self._stop()
            raise Refused from error
        for topic_filter, qos in login.filters:
            self.subscribe(topic_filter, qos)

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(WAIT_S_MAX)

    async def _open(self) -> None:
        login, is_5 = self.login, self.login.version == 5
        properties = PahoProperties(PacketTypes.CONNECT)
        properties.SessionExpiryInterval = login.session_s
        tls = aiomqtt.TLSParameters(login.ca, login.certificate or None, login.key or None)
        will = login.will and aiomqtt.Will(
            *_arguments(login.will, PacketTypes.WILLMESSAGE, login.version)
        )
        self._client = aiomqtt.Client(
            login.host,
            login.port or 1,
            identifier=login.client_id,
            protocol=aiomqtt.ProtocolVersion.V5 if is_5 else aiomqtt.ProtocolVersion.V311,
            transport=login.transport,  # type: ignore[arg-type] # a str
            websocket_path="/mqtt",
            clean_session=None if is_5 else login.session_s == 0,
            clean_start=login.session_s == 0 if is_5 else 3,
            properties=properties if is_5 else None,
            username=login.user_name or None,
            password=login.password or None,
            tls_params=tls if login.ca else None,
            will=will,
            timeout=WAIT_S_MAX,
        )
        await self._client.__aenter__()
        self._reading = asyncio.create_task(self._read())

    async def _read(self) -> None:
        async for message in self._client.messages:
            topic, payload = str(message.topic), message.payload
            assert isinstance(payload, bytes)
            properties = (_properties_of(message),) if self.login.version == 5 else ()
            received = Received(topic, payload, message.qos, message.retain, *properties)
            self._inbox.put(received)

    def subscribe(self, topic_filter: str, qos: int) -> None:
        self._run(self._client.subscribe(topic_filter, qos))

    def publish(self, publication: Publication) -> None:
        arguments = _arguments(publication, PacketTypes.PUBLISH, self.login.version)
        self._run(self._client.publish(*arguments))

    def received(self, count: int) -> list[Received]:
        return [self._inbox.get(timeout=WAIT_S_MAX) for _ in range(count)]

    async def _leave(self) -> None:
        self._reading.cancel()
        await self._client.__aexit__(None, None, None)

    def close(self) -> None:
        self.is_over = True
        self._run(self._leave())
        self._stop()

    async def _break_off(self) -> None:
        self._reading.cancel()
        socket = self._client._client.socket()
        assert socket is not None
        self._loop.remove_reader(socket)
        socket.close()

    def drop(self) -> None:
        self.is_over = True
        self._run(self._break_off())
        self._stop()

    def _stop(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        for task in asyncio.all_tasks(self._loop):
            task.cancel()
        self._loop.run_until_complete(asyncio.sleep(0))
        self._loop.close()
