"""Puts the WAMP door together: realms from the settings, who may come in, and by which ports."""

import asyncio
import ssl
from contextlib import AsyncExitStack
from pathlib import Path
from random import SystemRandom
from typing import Protocol

import msgspec

from thingtank.doors.wamp.authentication.authenticator import WampAuthenticator
from thingtank.doors.wamp.authorization.authorizer import RealmAuthorizer
from thingtank.doors.wamp.door import WampDoor, random_ids
from thingtank.doors.wamp.principals import Principals, SessionSweeper
from thingtank.doors.wamp.rawsocket import FIRST_OCTET
from thingtank.doors.wamp.request_log import WampNoter
from thingtank.doors.wamp.settings import WampSettings
from thingtank.doors.wamp.tank_peer.peer import TankPeer
from thingtank.doors.wamp.websocket import websocket_route
from thingtank.doors.xively.sockets import SocketDoor
from thingtank.doors.xively.websocket import websocket_route as xively_route
from thingtank.net.adoption import Adopt
from thingtank.net.forwarded import client_of
from thingtank.net.identity.password_store import PasswordStore
from thingtank.net.shared_port import SharedPort
from thingtank.net.websocket import WebSockets
from thingtank.protocols.wamp.router import Randomness, Realm
from thingtank.server.config import Config
from thingtank.server.data_folder import CopiedFile
from thingtank.server.listening import listen, listen_unix, reachable_host, with_own_origin
from thingtank.server.steady_clock import SteadyClock
from thingtank.server.tls import tls_context
from thingtank.stores.wamp_events import WampEvents
from thingtank.tank.tank import Tank

AGENT = "thingtank"
PATH = "/ws"


class OpenFolder(Protocol):
    """What the door wants of the data folder."""

    @property
    def tank(self) -> Tank:
        """Whose actions are procedures, and whose events are topics."""

    @property
    def passwords(self) -> PasswordStore:
        """Of accounts."""

    @property
    def secret(self) -> bytes:
        """Of the instance."""

    @property
    def files(self) -> list[CopiedFile]:
        """What keeps files in it."""


async def make_wamp_door(
    config: Config, folder: Path, opened: OpenFolder, web_url: str, stack: AsyncExitStack
) -> WampDoor:
    """The door, with its realms open, what they have kept, and the tank in all of them.

    Args:
        web_url: what links in feeds begin with.
        stack: closes what it needs; the door itself `open_wamp_ports` has closed before.

    Raises:
        CANNOT_OPEN: the file of kept events cannot be used, or is not ours.
    """
    origins = with_own_origin(config.wamp.allowed_origins, config.web)
    settings = msgspec.structs.replace(config.wamp, allowed_origins=origins)
    tank, clock = opened.tank, SteadyClock()
    loop = asyncio.get_running_loop()
    keyless = config.xively.public_reads_keyless
    # Keys expire by the clock on the wall; nothing else here is to follow it when it is set.
    principals = Principals(tank.directory, tank.clock.now_us, strangers_read_public=keyless)
    authenticator = WampAuthenticator(
        settings.realms,
        tank.directory,
        principals,
        opened.passwords,
        opened.secret,
        clock.now_us,
        noter=WampNoter(tank),
    )
    peer = TankPeer(tank, principals.caller_of, web_url, config.xively.live_s)
    realms = await _open_realms(settings, folder, clock, opened, stack)
    for each in settings.realms:
        realm = realms[each.name]
        RealmAuthorizer(each, peer.decide, loop, clock.now_us).attach(realm)
        peer.attach(realm)
    sweeper = SessionSweeper(principals, realms.values(), loop)
    sweeper.start()
    stack.callback(sweeper.stop)
    peer.start()
    stack.push_async_callback(peer.stop)
    cookies = authenticator.cookies.headers_for
    return WampDoor(settings, realms, authenticator, clock.now_us, AGENT, cookies)


async def _open_realms(
    settings: WampSettings,
    folder: Path,
    clock: SteadyClock,
    opened: OpenFolder,
    stack: AsyncExitStack,
) -> dict[str, Realm]:
    randomness = Randomness(random_ids().__next__, SystemRandom().randrange)
    events = await WampEvents.open(folder, clock.now_us)
    stack.push_async_callback(events.close)
    opened.files.append(events)
    realms = {}
    for each in settings.realms:
        history = await events.history(each.name, each.history)
        realm = realms[each.name] = Realm(
            each.name,
            randomness,
            clock.now_us,
            history=history,
            retained=await events.retained(each.name),
            is_strict=settings.strict_uris,
        )
        if history is not None:
            history.stand(realm.broker)
    return realms


def web_upgrades(config: Config, door: WampDoor, stack: AsyncExitStack) -> dict[bytes, Adopt]:
    """Who takes over WebSockets on the web port, by path; `stack` closes them."""
    if not config.wamp.on_web_port:
        return {}
    websockets = WebSockets(
        {PATH: websocket_route(door)},
        config.wamp.silence_s,
        client_of(config.web.trusted_proxies),
    )
    stack.callback(websockets.close_all)
    return {PATH.encode(): websockets.adopt}


def web_port_url(web_url: str) -> str:
    """WAMP's address on the web port."""
    return web_url.replace("http", "ws", 1) + PATH


async def open_wamp_ports(
    config: Config, door: WampDoor, xively: SocketDoor, web_url: str, stack: AsyncExitStack
) -> dict[str, str]:
    """Open the ports that WAMP shares with Xively's WebSocket; `stack` closes them, and the door.

    Args:
        web_url: how the web door is reached; blank where there is none.

    Returns:
        Their addresses by name, for people and scripts.

    Raises:
        CannotStart: a port is taken, or there is no certificate, or the path is no good.
    """
    settings, address = config.wamp, config.server.host
    routes = {PATH: websocket_route(door), "/": xively_route(xively)}
    websockets = WebSockets(routes, settings.silence_s, client_of(config.web.trusted_proxies))
    stack.callback(websockets.close_all)
    stack.push_async_callback(door.stop)
    host = reachable_host(address)
    opened = {}

    def shared_port(tls: ssl.SSLContext | None = None) -> SharedPort:
        by_octet = {FIRST_OCTET: door.adopt_rawsocket}
        return SharedPort(websockets, by_octet, settings.connections_max, tls)

    if settings.port != "off":
        port = await listen(shared_port(), address, settings.port, "--wamp PORT", stack)
        opened["wamp"] = f"ws://{host}:{port}{PATH}"
        opened["websocket"] = f"ws://{host}:{port}/"
    elif settings.on_web_port and web_url:
        opened["wamp"] = web_port_url(web_url)
    if settings.tls_port != "off":
        secure, remedy = shared_port(tls_context(config.server)), "--set wamp.tls_port=PORT"
        port = await listen(secure, address, settings.tls_port, remedy, stack)
        opened["wamp_tls"] = f"wss://{host}:{port}{PATH}"
    if settings.unix_socket:
        path = Path(settings.unix_socket)
        await listen_unix(shared_port(), path, "wamp.unix_socket", stack)
        opened["wamp_unix"] = str(path)
    return opened
