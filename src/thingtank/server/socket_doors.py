"""Opens the doors that are no HTTP: Xively's sockets, WAMP, and the port that they share."""

from contextlib import AsyncExitStack
from typing import Protocol

from thingtank.doors.wamp.rawsocket import FIRST_OCTET
from thingtank.doors.wamp.websocket import websocket_route as wamp_route
from thingtank.doors.xively.http import XivelyHttp
from thingtank.doors.xively.sockets import SocketDoor
from thingtank.doors.xively.subscriptions import Subscriptions, json_bodies
from thingtank.doors.xively.tcp_socket import TcpSocket
from thingtank.doors.xively.websocket import websocket_route as xively_route
from thingtank.net.shared_port import SharedPort
from thingtank.net.websocket import WebSockets
from thingtank.server.cannot_start import CannotStart, why_not_listening
from thingtank.server.config import Config
from thingtank.server.wamp_door import make_wamp_door, make_workbench
from thingtank.tank.tank import Tank
from thingtank.web.workbench import wamp_router

EVERYWHERE = ("0.0.0.0", "::")  # noqa: S104 - compared, not bound


class _Port(Protocol):
    port: int

    async def start(self, host: str, port: int) -> None: ...

    async def stop(self) -> None: ...


def reachable_host(host: str) -> str:
    """How this machine reaches doors that listen on `host`, as it stands in a URL."""
    if host in EVERYWHERE:
        host = "127.0.0.1"
    return f"[{host}]" if ":" in host else host


async def open_sockets(
    config: Config, tank: Tank, web_url: str, stack: AsyncExitStack
) -> dict[str, str]:
    """Open the socket doors that are on; `stack` closes them.

    Args:
        web_url: what links in answers begin with.

    Returns:
        Their addresses by name, for people and scripts.

    Raises:
        CannotStart: a port is taken, or the host is none of this machine.
    """
    settings, xively, address = config.socket, config.xively, config.server.host
    http = XivelyHttp(tank, xively, web_url, door="xively_socket")
    make_body = json_bodies(tank, web_url, xively.live_s)
    keyless = xively.public_reads_keyless
    subscriptions = Subscriptions(tank, make_body, settings.unread_bytes_max, keyless)
    door = SocketDoor(tank, http.answer, subscriptions, settings, keyless)
    host = reachable_host(address)

    async def listen(server: _Port, port: int, remedy: str) -> int:
        stack.push_async_callback(server.stop)
        try:
            await server.start(address, port)
        except (OSError, UnicodeError) as error:
            raise CannotStart(why_not_listening(remedy, address, port, error)) from error
        return server.port

    opened = {}
    if settings.port != "off":
        port = await listen(TcpSocket(door), settings.port, "--socket PORT")
        opened["socket"] = f"tcp://{host}:{port}"
    if config.wamp.port != "off":
        wamp = make_wamp_door(config.wamp)
        routes = {"/": xively_route(door), "/ws": wamp_route(wamp)}
        websockets = WebSockets(routes, config.wamp.silence_s)
        shared = SharedPort(websockets, {FIRST_OCTET: wamp.adopt_rawsocket}, 1000)
        stack.push_async_callback(wamp.stop)
        stack.callback(websockets.close_all)
        port = await listen(shared, config.wamp.port, "--wamp PORT")
        opened["websocket"] = f"ws://{host}:{port}/"
        opened["wamp"] = f"ws://{host}:{port}/ws"
        workbench, meter = make_workbench(wamp, opened["wamp"], is_everywhere=address in EVERYWHERE)
        meter.start()
        stack.callback(meter.stop)
        wamp_router.attach(workbench)
        stack.callback(wamp_router.attach, None)
    if settings.sockjs_port != "off":
        # Half a second of the start, and 20 MB, that nobody needs who has it switched off.
        from thingtank.doors.xively.sockjs_port import SockJsPort

        remedy = "--set socket.sockjs_port=PORT"
        port = await listen(SockJsPort(door), settings.sockjs_port, remedy)
        opened["sockjs"] = f"http://{host}:{port}/sockjs"
    return opened
