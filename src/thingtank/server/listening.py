"""Opens a port, or says why it cannot be opened."""

from contextlib import AsyncExitStack
from pathlib import Path
from typing import Protocol

from thingtank.server.cannot_start import CannotStart, why_not_listening, why_not_used
from thingtank.server.config import Config, WebDoorSettings

EVERYWHERE = ("0.0.0.0", "::")  # noqa: S104 - compared, not bound


class Port(Protocol):
    """Something that listens.

    Attributes:
        port: the number, once it listens.
    """

    port: int

    async def start(self, host: str, port: int) -> None:
        """Listen; raises OSError when the port is taken."""

    async def stop(self) -> None:
        """Listen no more."""


class UnixPort(Port, Protocol):
    """Something that listens at a path as well."""

    async def start_unix(self, path: Path) -> None:
        """Listen on a Unix socket; raises OSError."""


def reachable_host(host: str) -> str:
    """How this machine reaches doors that listen on `host`, as it stands in a URL."""
    if host in EVERYWHERE:
        host = "127.0.0.1"
    return f"[{host}]" if ":" in host else host


def is_reached_by_any_name(config: Config) -> bool:
    """Whether other machines reach the doors by each of this one's names."""
    return config.server.host in EVERYWHERE and not config.web.public_url


async def listen(server: Port, host: str, port: int, remedy: str, stack: AsyncExitStack) -> int:
    """Open a port; `stack` closes it.

    Args:
        remedy: the option that chooses another port, for people.

    Returns:
        Its number.

    Raises:
        CannotStart: it is taken, or the host is none of this machine.
    """
    stack.push_async_callback(server.stop)
    try:
        await server.start(host, port)
    except (OSError, UnicodeError) as error:
        raise CannotStart(why_not_listening(remedy, host, port, error)) from error
    return server.port


async def listen_unix(server: UnixPort, path: Path, setting: str, stack: AsyncExitStack) -> None:
    """Open a Unix socket; `stack` closes it.

    Args:
        setting: that names the path.

    Raises:
        CannotStart: it cannot be made, or something else is there.
    """
    stack.push_async_callback(server.stop)
    try:
        await server.start_unix(path)
    except OSError as error:
        raise CannotStart(why_not_used(setting, str(path), error)) from error


def with_own_origin(allowed: tuple[str, ...], web: WebDoorSettings) -> tuple[str, ...]:
    """Origins that may connect, with that of this server's pages as proxies show them."""
    return (*allowed, web.public_url) if web.public_url else allowed
