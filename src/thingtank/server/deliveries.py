"""Puts the sinks and the dispatcher behind the outbox."""

from contextlib import AsyncExitStack
from typing import NamedTuple

from thingtank.server.cannot_start import CannotStart, why_not_used
from thingtank.server.config import Config
from thingtank.sinks.dispatcher import Dispatcher, Gone
from thingtank.sinks.email import EmailSink
from thingtank.sinks.hooks import FORWARD, HOOK, ForwardSink, HookSink, Sign
from thingtank.sinks.http_attempts import HttpAttempts
from thingtank.sinks.outcome import Sink
from thingtank.sinks.resolver import SystemResolver
from thingtank.sinks.webhooks import WebhookSink
from thingtank.stores.sqlite_outbox import SqliteOutbox
from thingtank.tank.interfaces import Clock
from thingtank.tank.tank import Tank


class HookParts(NamedTuple):
    """What delivering for devices' hooks needs."""

    tank: Tank
    sign: Sign


def start_dispatcher(
    config: Config,
    outbox: SqliteOutbox,
    clock: Clock,
    on_gone: Gone,
    stack: AsyncExitStack,
    hooks: HookParts | None = None,
) -> Dispatcher:
    """Begin to deliver; `stack` ends it.

    Args:
        hooks: None where devices have no hooks.
        on_gone: disables the trigger of a delivery whose receiver answered 410.

    Raises:
        CannotStart: `webhooks.ca_file` cannot be read, or `email.sender` is no address while
            `email.host` is set.
    """
    resolver = SystemResolver()
    stack.callback(resolver.close)
    try:
        webhooks = WebhookSink(config.webhooks, resolver, outbox.signing_secrets, clock)
    except OSError as error:
        why = why_not_used("webhooks.ca_file", config.webhooks.ca_file, error)
        raise CannotStart(why) from error
    try:
        email = EmailSink(config.email)
    except ValueError as error:  # begins with the setting's name
        raise CannotStart(str(error)) from error
    sinks: dict[str, Sink] = {"webhook": webhooks, "email": email}
    if hooks is not None:
        attempts = HttpAttempts(config.webhooks, resolver, clock)
        sinks[HOOK] = HookSink(hooks.tank, attempts, hooks.sign)
        sinks[FORWARD] = ForwardSink(hooks.tank)
    dispatcher = Dispatcher(outbox, sinks, config.delivery, clock, on_gone)
    dispatcher.start()
    stack.push_async_callback(dispatcher.stop)
    return dispatcher
