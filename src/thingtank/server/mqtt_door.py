"""Puts the MQTT door together: what its broker keeps, who may come in, and by which ports."""

import secrets
from contextlib import AsyncExitStack
from importlib.metadata import version
from pathlib import Path

import msgspec

from thingtank.documents.feeds import Bodies
from thingtank.doors.mqtt.access.rights import MqttAccess
from thingtank.doors.mqtt.authentication.authenticator import MqttAuthenticator
from thingtank.doors.mqtt.door import MqttDoor
from thingtank.doors.mqtt.gate import MqttGate
from thingtank.doors.mqtt.port import MqttPort
from thingtank.doors.mqtt.request_log.witness import MqttWitness
from thingtank.doors.mqtt.request_log.words import DOOR as TANK_DOOR
from thingtank.doors.mqtt.request_log.words import METHODS
from thingtank.doors.mqtt.settings import MqttSettings
from thingtank.doors.mqtt.sys_topics import SysTopics
from thingtank.doors.mqtt.tank_topics.context import TopicContext
from thingtank.doors.mqtt.tank_topics.error_table import outcome_of
from thingtank.doors.mqtt.tank_topics.owner import TankTopics
from thingtank.doors.mqtt.tank_topics.taken import TakenMessages
from thingtank.doors.mqtt.visitors import Visitors
from thingtank.doors.mqtt.websocket import websocket_route
from thingtank.doors.skynet.door import SkynetDoor
from thingtank.doors.skynet.mqtt_topics.names import MessageNames
from thingtank.doors.skynet.mqtt_topics.owner import SkynetTopics
from thingtank.doors.xively.http import XivelyHttp
from thingtank.doors.xively.request_recorder import DoorWords
from thingtank.net.adoption import Adopt
from thingtank.net.forwarded import client_of
from thingtank.net.identity.principals import Callers
from thingtank.net.websocket import WebSockets
from thingtank.protocols.mqtt.bounds import Bounds
from thingtank.protocols.mqtt.broker import Broker
from thingtank.protocols.mqtt.retained import Retained
from thingtank.protocols.mqtt.topic_owners import TopicOwners
from thingtank.server.config import Config
from thingtank.server.data_folder import OpenFolder
from thingtank.server.listening import listen, listen_unix, reachable_host, with_own_origin
from thingtank.server.sinks.topics import SinkTopics
from thingtank.server.steady_clock import SteadyClock
from thingtank.server.tls import tls_context
from thingtank.stores.mqtt_sessions import MqttSessions
from thingtank.tank.tank import Tank

PATH = "/mqtt"
LINKS_BASE = "http://localhost"  # of links in feeds, where no web port is open


async def make_mqtt_door(
    config: Config,
    folder: Path,
    opened: OpenFolder,
    web_url: str,
    stack: AsyncExitStack,
    skynet: SkynetDoor | None = None,
    recorder: SinkTopics | None = None,
) -> MqttDoor:
    """The door, with the sessions and retained messages that the last process left.

    Args:
        skynet: whose devices message each other over MQTT too; None where they do not.
        recorder: writes down what rules of sinks send on.
        web_url: what links in feeds begin with.
        stack: closes what it needs; the door itself `open_mqtt_ports` has closed before.

    Raises:
        CANNOT_OPEN: the file of sessions cannot be used, or is not ours.
    """
    origins = with_own_origin(config.mqtt.allowed_origins, config.web)
    settings = msgspec.structs.replace(config.mqtt, allowed_origins=origins)
    tank, clock = opened.tank, SteadyClock()
    keyless = config.xively.public_reads_keyless
    # Keys expire by the clock on the wall; nothing else here is to follow it when it is set.
    callers = Callers(tank.directory, tank.clock.now_us, strangers_read_public=keyless)
    access = MqttAccess(settings, tank.directory, callers, tank.clock.now_us)
    authenticator = MqttAuthenticator(
        settings, access, opened.passwords, opened.secret, clock.now_us
    )
    witness = MqttWitness(tank, access)
    gate = MqttGate(authenticator, access, witness)
    sessions = await MqttSessions.open(folder)
    stack.push_async_callback(sessions.close)
    opened.files.append(sessions)
    retained = Retained(settings.retained_messages_max, settings.retained_bytes_max)
    broker = Broker(sessions, gate, _bounds(settings), retained, clock.now_us, _make_client_id)
    broker.kept_principals, broker.witness = access, witness
    if recorder is not None:
        broker.recorder = recorder
        recorder.on_change, recorder.now_us = broker.change_routes, clock.now_us
    topics = _make_tank_topics(config, broker, access, tank, web_url)
    visitors = Visitors(access)
    messages = _make_message_topics(skynet, broker, access, visitors)
    broker.owner = TopicOwners((topics, messages)) if messages is not None else topics
    broker.restore(await topics.restore(await sessions.found()))
    door = MqttDoor(settings, broker, tank.directory)
    gate.door = visitors.door = door
    topics.start()
    if messages is not None:
        messages.start()
    stack.callback(topics.stop)
    return door


def _make_tank_topics(
    config: Config, broker: Broker, access: MqttAccess, tank: Tank, web_url: str
) -> TankTopics:
    """The tank's own topics."""
    words = DoorWords(METHODS, outcome_of)
    http = XivelyHttp(tank, config.xively, web_url, door=TANK_DOOR, words=words)
    context = TopicContext(tank, access, http, TakenMessages(broker))
    bodies = Bodies(tank, web_url or LINKS_BASE, None, config.xively.live_s)
    return TankTopics(context, broker, bodies)


def _make_message_topics(
    skynet: SkynetDoor | None, broker: Broker, access: MqttAccess, visitors: Visitors
) -> SkynetTopics | None:
    """The topics of messages between devices."""
    if skynet is None:
        return None
    access.message_topics = MessageNames()
    return SkynetTopics(skynet, broker, visitors)


def _make_client_id() -> str:
    """For a client that leaves it to the server; it works in MQTT 3.1 too (23 characters)."""
    return f"auto-{secrets.token_hex(9)}"


def _bounds(settings: MqttSettings) -> Bounds:
    shared = {
        name: getattr(settings, name)
        for name in Bounds.__struct_fields__
        if name in MqttSettings.__struct_fields__
    }
    return Bounds(**shared, drops_oldest=settings.queue_overflow == "drop_oldest")


def mqtt_upgrades(config: Config, door: MqttDoor, stack: AsyncExitStack) -> dict[bytes, Adopt]:
    """Who takes over WebSockets on the web port, by path; `stack` closes them."""
    if not config.mqtt.on_web_port:
        return {}
    find_client = client_of(config.web.trusted_proxies)
    websockets = WebSockets({PATH: websocket_route(door)}, find_client=find_client)
    stack.callback(websockets.close_all)
    return {PATH.encode(): websockets.adopt}


async def open_mqtt_ports(
    config: Config, door: MqttDoor, web_url: str, stack: AsyncExitStack
) -> dict[str, str]:
    """Open MQTT's ports; `stack` closes them, and the door.

    Args:
        web_url: how the web door is reached; blank where there is none.

    Returns:
        Their addresses by name, for people and scripts.

    Raises:
        CannotStart: a port is taken, or there is no certificate, or the path is no good.
    """
    settings, address = config.mqtt, config.server.host
    door.start()
    sys_topics = SysTopics(door, version("thingtank"), door.broker.now_us)
    sys_topics.start()
    stack.callback(sys_topics.stop)
    stack.push_async_callback(door.stop)
    host = reachable_host(address)
    opened = {}
    if settings.port != "off":
        port = await listen(MqttPort(door), address, settings.port, "--mqtt PORT", stack)
        opened["mqtt"] = f"mqtt://{host}:{port}"
    if settings.on_web_port and web_url:
        opened["mqtt_websocket"] = web_url.replace("http", "ws", 1) + PATH
    if settings.tls_port != "off":
        secure, remedy = MqttPort(door, tls_context(config.server)), "--set mqtt.tls_port=PORT"
        port = await listen(secure, address, settings.tls_port, remedy, stack)
        opened["mqtt_tls"] = f"mqtts://{host}:{port}"
    if settings.unix_socket:
        path = Path(settings.unix_socket)
        await listen_unix(MqttPort(door), path, "mqtt.unix_socket", stack)
        opened["mqtt_unix"] = str(path)
    return opened
