"""Eclipse Paho for Python, in a thread of this process."""

import os
import queue
import socket
import threading
from typing import Any

import paho.mqtt.client as paho
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties as PahoProperties
from paho.mqtt.subscribeoptions import SubscribeOptions
from tests.interop.mqtt.client import WAIT_S_MAX, Login, Properties, Publication, Received, Refused


class PahoClient:
    """Implements `client.Client`."""

    def __init__(self, login: Login) -> None:
        self.login = login
        self.is_over = False
        self._inbox: queue.Queue[Received] = queue.Queue()
        self._answers: queue.Queue[int] = queue.Queue()
        self._subscribed = threading.Event()
        self.is_session_present = False
        self.connected_count = 0
        is_5 = login.version == 5
        self._client = paho.Client(
            paho.CallbackAPIVersion.VERSION2,
            client_id=login.client_id,
            protocol=paho.MQTTv5 if is_5 else paho.MQTTv311,
            transport=login.transport,  # type: ignore[arg-type] # a str
            clean_session=None if is_5 else login.session_s == 0,
        )
        self._client.on_connect = self._on_connect
        self._client.on_message = self._on_message
        self._client.on_subscribe = self._on_subscribe
        self._client.reconnect_delay_set(0.05, 0.2)  # type: ignore[arg-type] # seconds
        if login.transport == "websockets":
            self._client.ws_set_options("/mqtt")
        if login.user_name or login.password:
            self._client.username_pw_set(login.user_name, login.password or None)
        if login.ca:
            self._client.tls_set(login.ca, login.certificate or None, login.key or None)
        if login.will is not None:
            self._client.will_set(*_arguments(login.will, PacketTypes.WILLMESSAGE, login.version))
        if is_5:
            connect = PahoProperties(PacketTypes.CONNECT)
            connect.SessionExpiryInterval = login.session_s
            self._client.connect(
                login.host, login.port or 1, clean_start=login.session_s == 0, properties=connect
            )
        else:
            self._client.connect(login.host, login.port or 1)
        self._client.loop_start()
        if self._answers.get(timeout=WAIT_S_MAX):
            self._client.disconnect()
            self._client.loop_stop()
            raise Refused
        for topic_filter, qos in login.filters:
            self.subscribe(topic_filter, qos)

    def _on_connect(self, _: Any, __: Any, flags: Any, reason: Any, ___: Any) -> None:
        self.is_session_present = flags.session_present
        self.connected_count += 1
        self._answers.put(reason.value)

    def _on_message(self, _: Any, __: Any, message: paho.MQTTMessage) -> None:
        properties = _properties_of(message) if self.login.version == 5 else Properties()
        received = Received(message.topic, message.payload, message.qos, message.retain, properties)
        self._inbox.put(received)

    def _on_subscribe(self, _: Any, __: Any, ___: int, reasons: list[Any], ____: Any) -> None:
        assert not any(reason.is_failure for reason in reasons)
        self._subscribed.set()

    def subscribe(self, topic_filter: str, qos: int) -> None:
        self._subscribed.clear()
        if self.login.version == 5:
            self._client.subscribe(topic_filter, options=SubscribeOptions(qos))
        else:
            self._client.subscribe(topic_filter, qos)
        assert self._subscribed.wait(WAIT_S_MAX)

    def publish(self, publication: Publication) -> None:
        arguments = _arguments(publication, PacketTypes.PUBLISH, self.login.version)
        self._client.publish(*arguments).wait_for_publish(WAIT_S_MAX)

    def received(self, count: int) -> list[Received]:
        return [self._inbox.get(timeout=WAIT_S_MAX) for _ in range(count)]

    def close(self) -> None:
        self.is_over = True
        self._client.disconnect()
        self._client.loop_stop()

    def drop(self) -> None:
        self.is_over = True
        # The thread would connect again, a moment after it has seen the end.
        connection = self._client.socket()
        assert connection is not None
        with socket.socket(fileno=os.dup(connection.fileno())) as plain:
            plain.shutdown(socket.SHUT_RDWR)
        self._client.loop_stop()


def _arguments(publication: Publication, packet_type: int, version: int) -> tuple[Any, ...]:
    topic, payload, qos, is_retain, wanted = publication
    if version != 5:
        return topic, payload, qos, is_retain
    properties = PahoProperties(packet_type)
    if wanted.user:
        properties.UserProperty = list(wanted.user)
    if wanted.content_type:
        properties.ContentType = wanted.content_type
    if wanted.response_topic:
        properties.ResponseTopic = wanted.response_topic
    if wanted.correlation_data:
        properties.CorrelationData = wanted.correlation_data
    return topic, payload, qos, is_retain, properties


def _properties_of(message: Any) -> Properties:
    found = message.properties
    return Properties(
        tuple(map(tuple, getattr(found, "UserProperty", ()))),
        getattr(found, "ContentType", ""),
        getattr(found, "ResponseTopic", ""),
        getattr(found, "CorrelationData", b""),
    )
