"""Opens Xively's sockets: TCP, WebSocket and SockJS, all in front of one door."""

from collections.abc import Callable
from contextlib import AsyncExitStack

from thingtank.doors.xively.http import XivelyHttp
from thingtank.doors.xively.sockets import SocketDoor, Transport
from thingtank.doors.xively.sockjs_port import SockJsPort
from thingtank.doors.xively.subscriptions import Subscriptions, json_bodies
from thingtank.doors.xively.tcp_socket import TcpSocket
from thingtank.server.config import Config
from thingtank.server.listening import listen, reachable_host
from thingtank.tank.tank import Tank


def make_socket_door(config: Config, tank: Tank, web_url: str) -> SocketDoor:
    """What the sockets share.

    Args:
        web_url: what links in answers begin with.
    """
    xively = config.xively
    transports: tuple[Transport, ...] = ("xively_tcp", "xively_websocket")
    answers = {each: XivelyHttp(tank, xively, web_url, door=each).answer for each in transports}
    make_body = json_bodies(tank, web_url, xively.live_s)
    keyless = xively.public_reads_keyless
    subscriptions = Subscriptions(tank, make_body, config.socket.unread_bytes_max, keyless)
    return SocketDoor(tank, answers, subscriptions, config.socket, keyless)


async def open_sockets(
    config: Config,
    door: SocketDoor,
    stack: AsyncExitStack,
    connections: dict[str, Callable[[], int]],
) -> dict[str, str]:
    """Open TCP and SockJS, where they are on; WebSocket is on the port that WAMP has too.

    Args:
        connections: given counts of those that are open.

    Returns:
        Their addresses by name, for people and scripts.

    Raises:
        CannotStart: a port is taken, or the host is none of this machine.
    """
    settings, address = config.socket, config.server.host
    host = reachable_host(address)
    opened = {}
    if settings.port != "off":
        tcp = TcpSocket(door)
        port = await listen(tcp, address, settings.port, "--socket PORT", stack)
        connections["xively_tcp"] = lambda: len(tcp.connections)
        opened["socket"] = f"tcp://{host}:{port}"
    if settings.sockjs_port != "off":
        remedy = "--set socket.sockjs_port=PORT"
        port = await listen(SockJsPort(door), address, settings.sockjs_port, remedy, stack)
        opened["sockjs"] = f"http://{host}:{port}/sockjs"
    return opened
