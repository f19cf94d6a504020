"""Puts the SkyNet door together, and opens its port."""

from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack

from thingtank.doors.skynet.door import SkynetDoor
from thingtank.doors.skynet.parties import Parties
from thingtank.doors.skynet.port import SkynetApp
from thingtank.doors.skynet.rates import Rates
from thingtank.doors.skynet.redis_rates import RedisCounter
from thingtank.doors.skynet.sockets.http import PREFIX
from thingtank.net.direct_http import DirectRoute
from thingtank.net.forwarded import client_of
from thingtank.net.identity.principals import Callers
from thingtank.server.cannot_start import CannotStart, why_not_listening
from thingtank.server.config import Config
from thingtank.server.data_folder import OpenFolder
from thingtank.server.http_server import HttpServer
from thingtank.server.listening import reachable_host
from thingtank.server.steady_clock import SteadyClock
from thingtank.tank.things import Account

REMEDY = "--skynet PORT"


def make_skynet_door(
    config: Config, opened: OpenFolder, owner: Account | None, stack: AsyncExitStack
) -> SkynetDoor:
    """The door, which nobody can reach yet.

    Args:
        owner: whose the instance is; owns what strangers register, unless a setting names another.

    Raises:
        CannotStart: a setting names nobody, or no Redis server.
    """
    settings, tank = config.skynet, opened.tank
    account = tank.directory.find_account(settings.account) if settings.account else owner
    if settings.account and account is None:
        raise CannotStart(f"skynet.account: there is no account {settings.account}")
    callers = Callers(tank.directory, tank.clock.now_us)
    clock = SteadyClock()
    parties = Parties(tank.directory, callers, clock.now_us)
    account_id = account.account_id if account is not None else 0
    rates = Rates(settings, _shared_counter(settings.redis_url, stack))
    return SkynetDoor(settings, tank, parties, rates, account_id, clock.now_us)


def _shared_counter(url: str, stack: AsyncExitStack) -> RedisCounter | None:
    if not url:
        return None
    try:
        counter = RedisCounter(url)
    except ValueError as error:
        raise CannotStart(f"skynet.redis_url: {error}") from None
    stack.push_async_callback(counter.close)
    return counter


async def open_skynet_port(
    config: Config,
    door: SkynetDoor,
    stack: AsyncExitStack,
    connections: dict[str, Callable[[], int]],
) -> Mapping[str, str]:
    """Open the port; `stack` closes it, and the door.

    Args:
        connections: given counts of those that are open.

    Returns:
        Its address by name, for people and scripts.

    Raises:
        CannotStart: the port is taken, or the host is none of this machine.
    """
    port, host = config.skynet.port, config.server.host
    if port == "off":
        return {}
    app = SkynetApp(door, client_of(config.web.trusted_proxies))
    direct = DirectRoute((b"/",), app.answer, skips=app.skips, finds_clients=(PREFIX.encode(),))
    try:
        server = HttpServer(
            app, direct, host, port, config.http, config.web.trusted_proxies, app.upgrades
        )
    except (OSError, UnicodeError) as error:
        raise CannotStart(why_not_listening(REMEDY, host, port, error)) from error
    stack.callback(server.close)
    connections["skynet_http"] = lambda: server.connection_count
    connections["skynet_sockets"] = lambda: app.client_count
    app.start()
    await server.start()
    stack.push_async_callback(server.stop)
    # Before that: streams and held polls would keep the server waiting, and then be cut off.
    stack.push_async_callback(app.stop)
    return {"skynet": f"http://{reachable_host(host)}:{server.port}"}
