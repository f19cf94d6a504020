"""Puts the WAMP door together: realms from the settings, who may come in, and by which ports."""

import ssl
from contextlib import AsyncExitStack
from pathlib import Path
from random import SystemRandom

from thingtank.doors.wamp.door import WampDoor, random_ids
from thingtank.doors.wamp.rawsocket import FIRST_OCTET
from thingtank.doors.wamp.settings import WampSettings
from thingtank.doors.wamp.websocket import websocket_route
from thingtank.doors.xively.sockets import SocketDoor
from thingtank.doors.xively.websocket import websocket_route as xively_route
from thingtank.net.adoption import Adopt
from thingtank.net.forwarded import client_of
from thingtank.net.shared_port import SharedPort
from thingtank.net.websocket import WebSockets
from thingtank.protocols.wamp.authentication import AnonymousAuthenticator
from thingtank.protocols.wamp.router import Randomness, Realm
from thingtank.server.cannot_start import CannotStart, why_not_used
from thingtank.server.config import Config
from thingtank.server.listening import listen, reachable_host
from thingtank.server.steady_clock import SteadyClock
from thingtank.server.tls import tls_context

AGENT = "thingtank"
PATH = "/ws"


def make_wamp_door(settings: WampSettings) -> WampDoor:
    """The door, with its realms open."""
    clock = SteadyClock()
    randomness = Randomness(random_ids().__next__, SystemRandom().randrange)
    realms = {
        each.name: Realm(each.name, randomness, clock.now_us, is_strict=settings.strict_uris)
        for each in settings.realms
    }
    make_authid = random_ids().__next__
    authenticator = AnonymousAuthenticator(lambda: f"anonymous-{make_authid():x}")
    return WampDoor(settings, realms, authenticator, clock.now_us, AGENT)


def web_upgrades(config: Config, door: WampDoor, stack: AsyncExitStack) -> dict[bytes, Adopt]:
    """Who takes over WebSockets on the web port; `stack` closes them."""
    if not config.wamp.on_web_port:
        return {}
    websockets = WebSockets(
        {PATH: websocket_route(door)},
        config.wamp.silence_s,
        client_of(config.web.trusted_proxies),
    )
    stack.callback(websockets.close_all)
    return {PATH.encode(): websockets.adopt}


async def open_wamp_ports(
    config: Config, door: WampDoor, xively: SocketDoor, stack: AsyncExitStack
) -> dict[str, str]:
    """Open the ports that WAMP shares with Xively's WebSocket; `stack` closes them, and the door.

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
    if settings.tls_port != "off":
        secure, remedy = shared_port(tls_context(config.server)), "--set wamp.tls_port=PORT"
        port = await listen(secure, address, settings.tls_port, remedy, stack)
        opened["wamp_tls"] = f"wss://{host}:{port}{PATH}"
    if settings.unix_socket:
        path = Path(settings.unix_socket)
        unix = shared_port()
        stack.push_async_callback(unix.stop)
        try:
            await unix.start_unix(path)
        except OSError as error:
            raise CannotStart(why_not_used("wamp.unix_socket", str(path), error)) from error
        opened["wamp_unix"] = str(path)
    return opened
