"""Puts an instance together from its settings, and takes it apart again in the right order."""

import asyncio
from collections.abc import Mapping
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from django.db import connection

from thingtank.doors.xively.graphs.drawer import Drawer
from thingtank.doors.xively.graphs.graphs import Graphs
from thingtank.doors.xively.http import XivelyHttp
from thingtank.net.adoption import Adopt
from thingtank.net.direct_http import DirectRoute
from thingtank.server.app import XIVELY_PATHS, WebApp
from thingtank.server.batch.alerts import Alerts
from thingtank.server.batch.scheduler import Scheduler
from thingtank.server.batch.start import start_batch
from thingtank.server.cannot_start import CannotStart, why_not_listening
from thingtank.server.config import Config
from thingtank.server.control import ControlSocket
from thingtank.server.data_folder import OpenFolder, open_folder
from thingtank.server.first_start import Owner, ensure_owner
from thingtank.server.hooks.start import make_hook_parts, start_hooks
from thingtank.server.housekeeping import Housekeeping
from thingtank.server.http_server import HttpServer
from thingtank.server.listening import reachable_host
from thingtank.server.monitoring.monitor import Monitor
from thingtank.server.monitoring.readiness import Phase, Readiness
from thingtank.server.monitoring.samples import Doors
from thingtank.server.mqtt_door import make_mqtt_door, mqtt_upgrades, open_mqtt_ports
from thingtank.server.mqtt_workbench import open_mqtt_workbench
from thingtank.server.request_ids import RequestIds
from thingtank.server.rule_troubles import rule_troubles
from thingtank.server.simulator.start import open_simulators
from thingtank.server.sinks.start import start_sinks
from thingtank.server.skynet_door import make_skynet_door, open_skynet_port
from thingtank.server.skynet_workbench import open_skynet_workbench
from thingtank.server.socket_doors import make_socket_door, open_sockets
from thingtank.server.topic_bridge import bridge_topics
from thingtank.server.triggers.start import start_triggers
from thingtank.server.wamp_door import make_wamp_door, open_wamp_ports, web_upgrades
from thingtank.server.wamp_workbench import open_wamp_workbench
from thingtank.server.weather_station import start_weather
from thingtank.sources.source_file import FILE_NAME as SOURCE_FILE
from thingtank.tank.sinks import SinkBoard
from thingtank.tank.sources import SourceBoard
from thingtank.tank.tank import Tank
from thingtank.tank.things import Account
from thingtank.web.pages import asgi_app

if TYPE_CHECKING:
    from thingtank.web.workbench.exports import ChannelExports
    from thingtank.web.workbench.live import LiveStreams


class Instance:
    """A running Thing Tank.

    Attributes:
        owner: who it belongs to, with the feed it starts with.
        welcome_path: a one-time link that signs the owner in, below the web port's address.
        url: where the web door is; blank when it is off.
        sockets: addresses of the socket doors that are open, by name.
    """

    def __init__(
        self,
        tank: Tank,
        owner: Owner,
        url: str,
        sockets: Mapping[str, str],
        welcome_path: str,
        stack: AsyncExitStack,
        readiness: Readiness,
        drain_s: float,
    ) -> None:
        self.tank = tank
        self.owner = owner
        self.welcome_path = welcome_path
        self.url = url
        self.sockets = sockets
        self._stack = stack
        self._readiness = readiness
        self._drain_s = drain_s

    async def stop(self) -> None:
        """Close the doors, let triggers see the last values, write it all, let the folder go.

        Load balancers are told before, and have `server.drain_s` to hear it.
        """
        self._readiness.phase = Phase.STOPPING
        await asyncio.sleep(self._drain_s)
        await self._stack.aclose()


async def start_instance(config: Config, folder: Path) -> Instance:
    """Open the data folder and the doors.

    Raises:
        FolderIsOwned: another process has the folder.
        CannotStart: the folder cannot be made, a port cannot be opened, or a setting is no good.
        CANNOT_OPEN: the folder cannot be used, or a file of it is not ours or holds nonsense.
    """
    async with AsyncExitStack() as stack:
        opened = await open_folder(config, folder, stack)
        account = opened.directory.find_owner()
        owner = await ensure_owner(opened.tank, account)
        housekeeping = Housekeeping(opened.tank)
        housekeeping.start()
        stack.push_async_callback(housekeeping.stop)
        monitor = Monitor(config, folder, opened, stack)
        upgrades: dict[bytes, Adopt] = {}  # of the web port, which is bound before WAMP is there
        web = _bind_web(config, opened, upgrades, monitor, stack)
        url = base_url(config, web.server.port) if web else ""
        own_url = local_url(config, web.server.port) if web else ""
        # Triggers from before the first value until after the last, so inside of all doors.
        tank, outbox = opened.tank, opened.outbox
        alerts = Alerts(tank.bus, opened.schedules)
        hooks = make_hook_parts(tank, folder)
        monitor.samples.at_work = await start_triggers(
            config, tank, opened.archive, outbox, url, stack, hooks
        )
        start_hooks(tank, outbox, stack)
        sinks = await start_sinks(config, folder, opened, stack)
        monitor.samples.sinks = sinks.statuses
        await start_weather(opened, stack)
        wamp = await make_wamp_door(config, folder, opened, url, stack)
        skynet = make_skynet_door(config, opened, account, stack)
        mqtt = await make_mqtt_door(config, folder, opened, url, stack, skynet, sinks.topics)
        bridge_topics(config, wamp, mqtt)
        upgrades |= web_upgrades(config, wamp, stack) | mqtt_upgrades(config, mqtt, stack)
        if web:
            await web.open(stack)
        xively = make_socket_door(config, opened.tank, url)
        sockets = await open_sockets(config, xively, stack, monitor.connections)
        sockets |= await open_wamp_ports(config, wamp, xively, url, stack)
        sockets |= await open_mqtt_ports(config, mqtt, url, stack)
        sockets |= await open_skynet_port(config, skynet, stack, monitor.connections)
        open_wamp_workbench(config, opened.tank, wamp, url, sockets, stack)
        open_mqtt_workbench(config, mqtt, sockets, stack)
        open_skynet_workbench(config, skynet, sockets, stack)
        if web:
            open_simulators(tank, own_url, stack)
        sources: SourceBoard | None = None
        if config.sources.rules or (folder / SOURCE_FILE).exists():
            # Not before all doors are there, which tell of what comes in.
            from thingtank.server.sources.start import start_sources

            sources = start_sources(config, folder, opened, stack)
            monitor.samples.sources = sources.statuses
        welcome_path = await asyncio.to_thread(_make_welcome_path, account) if web else ""
        scheduler = Scheduler(opened.tank, opened.schedules, folder)
        await _open_control(
            folder, opened, url, own_url, sockets, monitor, sinks, sources, scheduler, stack
        )
        # Its jobs ask by the control socket.
        board = start_batch(scheduler, folder, opened, alerts, stack)
        monitor.samples.batch = board.statuses_or_none
        monitor.run(Doors(wamp, mqtt, monitor.connections))
        readiness, drain_s = monitor.readiness, config.server.drain_s
        return Instance(
            tank, owner, url, sockets, welcome_path, stack.pop_all(), readiness, drain_s
        )
    raise AssertionError("the stack swallows nothing")


def base_url(config: Config, port: int) -> str:
    """How the web door is reached, without a slash at the end."""
    return config.web.public_url or local_url(config, port)


def local_url(config: Config, port: int) -> str:
    """How this machine reaches it: by its port, also where there is a proxy in front."""
    return f"http://{reachable_host(config.server.host)}:{port}"


async def _open_control(
    folder: Path,
    opened: OpenFolder,
    url: str,
    own_url: str,
    sockets: Mapping[str, str],
    monitor: Monitor,
    sinks: SinkBoard,
    sources: SourceBoard | None,
    scheduler: Scheduler,
    stack: AsyncExitStack,
) -> None:
    # Operations import Django's models, which there are only by now.
    from thingtank.server.backup.copying import copy_folder
    from thingtank.server.operations.context import Context
    from thingtank.server.operations.table import run_operation

    copy_files = partial(copy_folder, folder, opened)
    checks = monitor.readiness.results
    samples = monitor.samples
    context = Context(
        opened.tank, opened.directory, opened.archive, copy_files, opened.schedules,
        url, own_url, sockets, checks,
        lambda: rule_troubles(samples.sinks(), samples.sources(), samples.batch()),
        sinks, sources, scheduler.begun_us,
    )  # fmt: skip
    control = ControlSocket(folder, partial(run_operation, context))
    await control.start()
    stack.push_async_callback(control.stop)


class _WebDoor(NamedTuple):
    """The web door, whose port is bound: who connects waits until it is open."""

    server: HttpServer
    live: "LiveStreams"
    exports: "ChannelExports"

    async def open(self, stack: AsyncExitStack) -> None:
        """Begin to answer; `stack` ends it."""
        await self.server.start()
        stack.push_async_callback(self.server.stop)
        # Before the server, which would wait for streams that never end.
        stack.callback(self.live.stop)
        stack.callback(self.exports.stop)


def _bind_web(
    config: Config,
    opened: OpenFolder,
    upgrades: dict[bytes, Adopt],
    monitor: Monitor,
    stack: AsyncExitStack,
) -> _WebDoor | None:
    port = config.web.port
    if port == "off":
        return None
    # Django's models can be imported only after it is configured.
    from thingtank.web.api.bulk import BulkWrites
    from thingtank.web.static_files import StaticApp
    from thingtank.web.workbench.exports import ChannelExports
    from thingtank.web.workbench.live import LiveStreams

    tank = opened.tank
    drawer = Drawer()
    stack.push_async_callback(drawer.close)
    graphs = Graphs(tank, drawer)
    xively = XivelyHttp(tank, config.xively, config.web.public_url, graphs=graphs)
    live, exports = LiveStreams(tank), ChannelExports(tank)

    pages, static = RequestIds(asgi_app()), StaticApp()
    app = WebApp(xively, pages, static, live, exports, BulkWrites(tank), monitor.app)
    direct = DirectRoute(tuple(map(str.encode, XIVELY_PATHS)), xively.answer)
    host = config.server.host
    try:
        proxies = config.web.trusted_proxies
        server = HttpServer(app, direct, host, port, config.http, proxies, upgrades)
    except (OSError, UnicodeError) as error:
        raise CannotStart(why_not_listening("--web PORT", host, port, error)) from error
    stack.callback(server.close)
    monitor.connections["web"] = lambda: server.connection_count
    return _WebDoor(server, live, exports)


def _make_welcome_path(owner: Account | None) -> str:
    from thingtank.web.accounts.sign_in_links import make_sign_in_link

    try:
        return make_sign_in_link(owner.account_id) if owner is not None else ""
    finally:
        connection.close()
