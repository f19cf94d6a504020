"""`thingtank wamp`: publish, subscribe, call, register, and run components."""

import json
import os
from collections.abc import Callable
from functools import partial, wraps
from pathlib import Path
from typing import Any

import click

from thingtank.cli.json_text import escaped, json_text
from thingtank.cli.options import InterruptedGroup, NumbersCommand, data_option, json_option
from thingtank.cli.session import Refusal

SECRET_CHARS_MAX = 4096
TICKET, SECRET = "THINGTANK_WAMP_TICKET", "THINGTANK_WAMP_SECRET"  # in the environment
_MATCHES = ("exact", "prefix", "wildcard")


@click.group(cls=InterruptedGroup)
def wamp() -> None:
    """Talk WAMP: publish and subscribe, call and register procedures, run components."""


def session_options(command: Callable[..., None]) -> Callable[..., None]:
    """Options that say where to go and as whom; the command gets them as `address`."""

    @wraps(command)
    def with_address(
        data: Path, url: str | None, realm: str, authid: str, ca: Path | None, **rest: Any
    ) -> None:
        from thingtank.cli.wamp_address import Address, url_of_server

        ticket = _secret(rest.pop("ticket_file"), TICKET)
        secret = _secret(rest.pop("secret_file"), SECRET)
        if secret and not authid:
            raise click.UsageError("a secret needs --authid to say whose it is")
        if authid and not ticket and not secret:
            raise click.UsageError(
                f"--authid needs --ticket-file or --secret-file, or {TICKET} or {SECRET} in the"
                " environment"
            )
        found = url or url_of_server(data)
        command(address=Address(found, realm, authid, ticket, secret, ca), **rest)

    file = click.Path(path_type=Path, dir_okay=False, exists=True, allow_dash=True)
    options = (
        click.option(
            "--url",
            envvar="THINGTANK_WAMP_URL",
            help="Router; ws://, wss://, rs://, rss:// or unix:/its/socket. Default: the data"
            " folder's server, else ws://127.0.0.1:8080/ws.",
        ),
        click.option("--realm", default="realm1", envvar="THINGTANK_WAMP_REALM", show_default=True),
        click.option(
            "--authid",
            default="",
            envvar="THINGTANK_WAMP_AUTHID",
            help="Who you are; not needed where the ticket is an API key.",
        ),
        click.option(
            "--ticket-file",
            type=file,
            help=f"File with your ticket, such as an API key; - for stdin; or {TICKET}.",
        ),
        click.option(
            "--secret-file", type=file, help=f"File with your secret for wampcra; or {SECRET}."
        ),
        click.option(
            "--ca",
            type=click.Path(path_type=Path, dir_okay=False, exists=True),
            envvar="THINGTANK_WAMP_CA",
            help="File with certificates, PEM, to believe in place of the system's; over TLS.",
        ),
        data_option,
    )
    decorated: Callable[..., None] = with_address
    for option in reversed(options):
        decorated = option(decorated)
    return decorated


kwargs_option = click.option(
    "--kwargs", "kwargs_text", default="{}", metavar="JSON", help="Keyword arguments, an object."
)


@wamp.command(cls=NumbersCommand)
@click.argument("topic")
@click.argument("args", nargs=-1)
@kwargs_option
@click.option(
    "--acknowledge/--no-acknowledge",
    default=True,
    show_default=True,
    help="Wait until the router has it, and say so if it is refused.",
)
@click.option("--retain", is_flag=True, help="Keep it for those who subscribe later.")
@json_option
@session_options
def publish(
    address: Any,
    topic: str,
    args: tuple[str, ...],
    kwargs_text: str,
    acknowledge: bool,
    retain: bool,
    as_json: bool,
) -> None:
    """Publish an event. Each argument is JSON where it is some, else text."""
    from thingtank.cli.wamp_client import joined, value_of

    values, kwargs = [value_of(word) for word in args], _object_of(kwargs_text)

    async def main() -> None:
        from autobahn.wamp.types import PublishOptions

        options = PublishOptions(acknowledge=acknowledge or None, retain=retain or None)
        async with joined(address) as session:
            publish = partial(session.publish, topic, *values, options=options, **kwargs)
            published = await _answer(publish, topic)
        if as_json:
            click.echo(json.dumps({"publication": published.id if published else None}))
        elif published:
            click.echo(f"Published (publication {published.id}).")
        else:
            click.echo("Sent, unacknowledged: whether the router took it is not known.")

    _run(main)


@wamp.command()
@click.argument("topic")
@click.option("--match", type=click.Choice(_MATCHES), default="exact", show_default=True)
@click.option("--retained", is_flag=True, help="Begin with what was retained.")
@click.option("--count", type=click.IntRange(1), help="End after so many events.")
@json_option
@session_options
def subscribe(
    address: Any, topic: str, match: str, retained: bool, count: int | None, as_json: bool
) -> None:
    """Print events, a line each, until Ctrl-C.

    When the connection is lost it ends, with exit code 1; `run` keeps a component joined.
    """
    import asyncio

    from thingtank.cli.wamp_client import joined

    async def main() -> None:
        from autobahn.wamp.types import SubscribeOptions

        left = count
        enough = asyncio.Event()

        def heard(*args: Any, details: Any, **kwargs: Any) -> None:
            nonlocal left
            if left == 0:
                return
            _print_event(details.topic or topic, args, kwargs, details.publication, as_json)
            if left is not None:
                left -= 1
                if left == 0:
                    enough.set()

        options = SubscribeOptions(match=match, details=True, get_retained=retained or None)
        async with joined(address) as session:
            await _answer(partial(session.subscribe, heard, topic, options), topic)
            click.echo(f"Subscribed to {topic}; Ctrl-C ends.", err=True)
            await enough.wait()

    _run(main)


@wamp.command(cls=NumbersCommand)
@click.argument("procedure")
@click.argument("args", nargs=-1)
@kwargs_option
@click.option("--progress", is_flag=True, help="Print results that come before the last as well.")
@click.option("--timeout", type=click.FloatRange(0.001, 86_400), help="Seconds.")
@json_option
@session_options
def call(
    address: Any,
    procedure: str,
    args: tuple[str, ...],
    kwargs_text: str,
    progress: bool,
    timeout: float | None,
    as_json: bool,
) -> None:
    """Call a procedure and print its result. Each argument is JSON where it is some, else text."""
    from thingtank.cli.wamp_client import joined, value_of

    values, kwargs = [value_of(word) for word in args], _object_of(kwargs_text)

    async def main() -> None:
        from autobahn.wamp.types import CallOptions, CallResult

        def advanced(*results: Any, **named: Any) -> None:
            _print_result(results, named, as_json)

        options = CallOptions(
            on_progress=advanced if progress else None,
            timeout=round(timeout * 1000) if timeout else None,
        )
        async with joined(address) as session:
            call = partial(session.call, procedure, *values, options=options, **kwargs)
            result = await _answer(call, procedure)
        if isinstance(result, CallResult):
            _print_result(result.results, result.kwresults, as_json)
        else:
            _print_result((result,) if result is not None else (), {}, as_json)

    _run(main)


@wamp.command()
@click.argument("procedure")
@click.argument("command", nargs=-1, type=click.UNPROCESSED)
@click.option("--match", type=click.Choice(_MATCHES), default="exact", show_default=True)
@click.option(
    "--invoke",
    type=click.Choice(("single", "first", "last", "roundrobin", "random")),
    default="single",
    show_default=True,
    help="How callees share it.",
)
@click.option(
    "--concurrency", type=click.IntRange(1, 1000), default=4, show_default=True,
    help="Most commands at once.",
)  # fmt: skip
@click.option(
    "--seconds", type=click.FloatRange(0.001, 86_400), default=30.0, show_default=True,
    help="A command that takes longer is ended.",
)  # fmt: skip
@session_options
def register(
    address: Any,
    procedure: str,
    command: tuple[str, ...],
    match: str,
    invoke: str,
    concurrency: int,
    seconds: float,
) -> None:
    """Answer calls until Ctrl-C: `register com.example.backup -- ./backup.sh --fast`.

    The command is run for each call. It reads one line of JSON, with procedure, args and kwargs;
    what it prints is the result. Without a command, calls get their arguments back.

    When the connection is lost it ends, with exit code 1; `run` keeps a component joined.
    """
    import asyncio

    from thingtank.cli.wamp_client import joined
    from thingtank.cli.wamp_procedure import CommandProcedure

    async def main() -> None:
        from autobahn.wamp.types import CallResult, RegisterOptions

        def echo(*args: Any, details: Any, **kwargs: Any) -> CallResult:
            return CallResult(*args, **kwargs)

        endpoint = CommandProcedure(command, seconds, concurrency).__call__ if command else echo
        options = RegisterOptions(match=match, invoke=invoke, details=True)
        async with joined(address) as session:
            await _answer(partial(session.register, endpoint, procedure, options), procedure)
            click.echo(f"Registered {procedure}; Ctrl-C ends.", err=True)
            await asyncio.Event().wait()

    _run(main)


@wamp.command("run")
@click.argument("component", metavar="MODULE:COMPONENT")
@session_options
def run_component(address: Any, component: str) -> None:
    """Run a component, and join again whenever the connection is lost; Ctrl-C ends.

    It is a class of Autobahn's asyncio sessions, or a Component object; that one has its address
    itself. Of a class the methods with @wamp.register and @wamp.subscribe are registered and
    subscribed, then its on_join(details), if there is one, is called; or in place of all that its
    onJoin(details). If these fail, the error is printed and the session ended, and it joins again,
    later and later. What can never work, such as a realm that is not there, ends it with exit
    code 1.
    """
    from thingtank.cli import wamp_component

    async def main() -> None:
        wamp_component.show_errors()
        found = wamp_component.load(component)
        await wamp_component.keep_running(wamp_component.component_of(found, address))

    _run(main)


def _run(main: Callable[[], Any]) -> None:
    from thingtank.cli.wamp_client import run

    run(main)


async def _answer(request: Callable[[], Any], uri: str) -> Any:
    """What a request is answered by, None for one that is not; raises Refusal."""
    from autobahn.wamp.exception import ApplicationError, InvalidUriError, TransportLost

    from thingtank.cli.wamp_client import why_refused

    try:
        pending = request()
        return await pending if pending is not None else None
    except InvalidUriError:
        raise Refusal(f"{uri!r} is no URI, such as com.example.topic") from None
    except ApplicationError as error:
        raise Refusal(why_refused(error, uri)) from None
    except TransportLost:
        raise Refusal(f"{uri}: the connection was lost") from None


def _object_of(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise click.UsageError(f"--kwargs takes a JSON object, not {text}")
    return found


def _secret(file: Path | None, name: str) -> str:
    """A secret from a file, else from the environment; never from the command line itself."""
    if file is None:
        return os.environ.get(name, "").strip()
    with click.open_file(str(file), encoding="utf-8") as opened:
        return str(opened.read(SECRET_CHARS_MAX)).strip()


def _print_event(
    topic: str, args: tuple[Any, ...], kwargs: dict[str, Any], publication: int, as_json: bool
) -> None:
    from thingtank.cli.wamp_client import plain

    if as_json:
        event = {"topic": topic, "args": plain(args), "kwargs": plain(kwargs)}
        line = json_text({**event, "publication": publication})
    else:
        line = f"{escaped(topic)}  {_words_of(args, kwargs)}"
    click.echo(line)


def _print_result(args: Any, kwargs: dict[str, Any], as_json: bool) -> None:
    from thingtank.cli.wamp_client import plain

    if as_json:
        click.echo(json_text({"args": plain(args), "kwargs": plain(kwargs)}))
    else:
        click.echo(_words_of(args, kwargs))


def _words_of(args: Any, kwargs: dict[str, Any]) -> str:
    from thingtank.cli.wamp_client import plain

    words = [json_text(plain(value)) for value in args]
    words += [f"{escaped(key)}={json_text(plain(value))}" for key, value in kwargs.items()]
    return "  ".join(words) or "(nothing)"
