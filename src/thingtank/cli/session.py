"""How a command reaches its instance: through its server, or by opening the folder itself."""

import socket
import time
from contextlib import AsyncExitStack, ExitStack
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import click
import msgspec

from thingtank.cli.process import importing

if TYPE_CHECKING:
    from thingtank.server.operations.context import Context

CONNECT_S_MAX = 5.0
ANSWER_S_MAX = 3600.0  # a month of 100 million datapoints takes minutes to compact
BUSY_S_MAX = 15.0


class Refusal(click.ClickException):
    """The instance refused; exit code 1."""


class Way(Protocol):
    """Runs operations."""

    def call(self, operation: str, parameters: dict[str, Any]) -> Any:
        """Run one operation; raises Refusal."""
        ...

    def close(self) -> None:
        """Let go."""
        ...


def check_folder(folder: Path) -> None:
    """Refuse a folder in which no instance was begun. Raise Refusal."""
    from thingtank.server.secret import has_secret

    if not has_secret(folder):
        raise Refusal(
            f"there is no Thing Tank in {folder}; name its folder with --data, or start one with:"
            " thingtank serve"
        )


class Session:
    """A command's instance, from `with Session(folder) as session` to its end.

    Args:
        makes_folder: whether the command may begin a new instance.
    """

    def __init__(self, folder: Path, *, makes_folder: bool = False) -> None:
        self._folder = folder
        self._makes_folder = makes_folder
        self._stack = ExitStack()
        self._way: Way | None = None

    def __enter__(self) -> "Session":
        if not self._makes_folder:
            check_folder(self._folder)
        self._way = _way_to(self._folder)
        self._stack.callback(self._way.close)
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def call(self, operation: str, **parameters: Any) -> Any:
        """Run an operation; its answer as plain values.

        Raises:
            Refusal: with what the instance said.
        """
        assert self._way is not None, "a session is entered first"
        return self._way.call(operation, parameters)


def _way_to(folder: Path) -> Way:
    """The server that has the folder, else the folder itself; waits for a command before us."""
    from thingtank.server.folder_lock import FolderIsOwned

    deadline_s = time.monotonic() + BUSY_S_MAX
    while True:
        server = running_server(folder)
        if server is not None:
            return server
        try:
            return InFolder(folder)
        except FolderIsOwned as error:  # a server that starts, or another command
            if time.monotonic() > deadline_s:
                raise Refusal(str(error)) from None
            time.sleep(0.1)


def running_server(folder: Path) -> "ThroughServer | None":
    """The server that has a data folder; None when none runs.

    Raises:
        Refusal: it runs, and cannot be reached.
    """
    from thingtank.server.control_path import NAME, socket_path

    if not (folder / NAME).exists():
        return None
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connection.settimeout(CONNECT_S_MAX)
    try:
        with socket_path(folder) as path:
            connection.connect(path)
    except (ConnectionRefusedError, FileNotFoundError):  # left by a server that was killed
        connection.close()
        return None
    except OSError as error:
        connection.close()
        raise Refusal(f"the server's {folder / NAME} cannot be used: {error.strerror}") from None
    return ThroughServer(connection)


class ThroughServer:
    """A server's control socket."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        connection.settimeout(ANSWER_S_MAX)
        self._answers = connection.makefile("rb")

    def call(self, operation: str, parameters: dict[str, Any]) -> Any:
        """Send a request and wait for its answer."""
        request = msgspec.json.encode({"operation": operation, "parameters": parameters})
        try:
            self._connection.sendall(request + b"\n")
            line = self._answers.readline()
        except (OSError, TimeoutError) as error:
            raise Refusal(f"the server does not answer: {error}") from None
        if not line.endswith(b"\n"):
            raise Refusal("the server stopped before it answered; look whether it has happened")
        answer = msgspec.json.decode(line)
        if "error" in answer:
            raise Refusal(answer["error"])
        return answer["result"]

    def close(self) -> None:
        """Hang up."""
        self._answers.close()
        self._connection.close()


class InFolder:
    """The data folder, opened by this process as a server would, without its doors."""

    def __init__(self, folder: Path) -> None:
        import asyncio  # a quarter of what a command costs that does not come here

        self._runner = asyncio.Runner()
        self._stack = AsyncExitStack()
        try:
            self._context = self._runner.run(_open(folder, self._stack))
        except BaseException as error:
            self._runner.run(self._stack.aclose())
            self._runner.close()
            from thingtank.server.folder_lock import FolderIsOwned

            if not isinstance(error, FolderIsOwned):  # who waits for the folder looks again
                explain(folder, error)
            raise

    def call(self, operation: str, parameters: dict[str, Any]) -> Any:
        """Run an operation here."""
        from thingtank.server.operations.shapes import Refused
        from thingtank.server.operations.table import run_operation

        try:
            return self._runner.run(run_operation(self._context, operation, parameters))
        except Refused as error:
            raise Refusal(str(error)) from None

    def close(self) -> None:
        """Write what is pending and let the folder go."""
        self._runner.run(self._stack.aclose())
        self._runner.close()


async def _open(folder: Path, stack: AsyncExitStack) -> "Context":
    with importing():
        from thingtank.server.config import FILE_NAME, load_config
        from thingtank.server.data_folder import open_folder
        from thingtank.server.log_settings import LogSettings
        from thingtank.server.logs import set_up_logs

    set_up_logs(LogSettings(level="warning"))  # a command tells its own story
    opened = await open_folder(load_config(folder / FILE_NAME).config, folder, stack)
    from thingtank.server.backup.copying import copy_folder
    from thingtank.server.operations.context import Context  # imports models: not before

    copy_files = partial(copy_folder, folder, opened)
    return Context(opened.tank, opened.directory, opened.archive, copy_files, opened.schedules)


def explain(folder: Path, error: BaseException) -> None:
    """Raise what a person can use in place of an error of the folder."""
    from thingtank.server.cannot_start import CANNOT_OPEN, CannotStart, why_not_opened
    from thingtank.server.config import BadSettings
    from thingtank.server.folder_lock import FolderIsOwned

    if isinstance(error, BadSettings):
        raise click.UsageError(str(error)) from None
    if isinstance(error, CannotStart | FolderIsOwned):
        raise Refusal(str(error)) from None
    if isinstance(error, CANNOT_OPEN):
        raise Refusal(why_not_opened(folder, error)) from None
