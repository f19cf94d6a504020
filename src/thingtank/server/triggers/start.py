"""Sets triggers to work: the engine in front of the outbox, the dispatcher behind it."""

import asyncio
import contextlib
from collections.abc import Collection, Mapping
from contextlib import AsyncExitStack
from typing import NamedTuple, Protocol

import structlog

from thingtank.server.config import Config
from thingtank.server.deliveries import HookParts, start_dispatcher
from thingtank.server.triggers.engine import JournalSource, TriggerEngine
from thingtank.sinks.dispatcher import Dispatcher
from thingtank.stores.sqlite_outbox import SqliteOutbox
from thingtank.tank.access import OPERATOR
from thingtank.tank.actions.triggers import enable_trigger
from thingtank.tank.deliveries import Delivery
from thingtank.tank.errors import NoSuchTrigger, StorageFailed, reason_of
from thingtank.tank.events import TriggerChanged
from thingtank.tank.tank import Tank

log = structlog.get_logger()


class AtWork(NamedTuple):
    """What watches, and what delivers."""

    engine: TriggerEngine
    dispatcher: Dispatcher


async def start_triggers(
    config: Config,
    tank: Tank,
    journal: JournalSource,
    outbox: SqliteOutbox,
    base_url: str,
    stack: AsyncExitStack,
    hooks: HookParts | None = None,
) -> AtWork:
    """Begin to watch and to deliver; `stack` ends both.

    Args:
        base_url: what links in notices begin with.
        hooks: as of `start_dispatcher`.

    Raises:
        StorageFailed: the outbox or the journal cannot be used.
        CannotStart: as `start_dispatcher`.
    """
    forgetting = Forgetting(tank, outbox)
    await forgetting.start()
    stack.push_async_callback(forgetting.stop)
    engine = TriggerEngine(tank, journal, outbox, base_url, config.triggers)
    await engine.start()
    stack.push_async_callback(engine.stop)

    async def disable(delivery: Delivery) -> None:
        with contextlib.suppress(NoSuchTrigger):  # deleted meanwhile
            await enable_trigger(tank, OPERATOR, delivery.trigger_id, False)

    dispatcher = start_dispatcher(config, outbox, tank.clock, disable, stack, hooks)
    return AtWork(engine, dispatcher)


class _Keeper(Protocol):
    """What may keep something of triggers that are gone: the outbox."""

    async def states(self) -> Mapping[int, bytes]: ...

    async def forget_triggers(self, trigger_ids: Collection[int], now_us: int) -> None: ...


class Forgetting:
    """Drops from the outbox what it keeps of triggers that are gone."""

    def __init__(self, tank: Tank, outbox: _Keeper) -> None:
        self._tank = tank
        self._outbox = outbox
        self._gone: set[int] = set()
        self._has_any = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin with those that went while nobody looked. Raise StorageFailed."""
        known = {trigger.trigger_id for trigger in self._tank.triggers.all()}
        self._gone = (await self._outbox.states()).keys() - known
        if self._gone:
            self._has_any.set()
        self._tank.bus.react(TriggerChanged, self._notice)
        self._task = asyncio.create_task(self._run(), name="outbox-forgetting")

    async def stop(self) -> None:
        """End; what is left is found by the next start."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def _notice(self, event: TriggerChanged) -> None:
        if event.is_deleted:
            self._gone.add(event.trigger.trigger_id)
            self._has_any.set()

    async def _run(self) -> None:
        while True:
            await self._has_any.wait()
            self._has_any.clear()
            gone, self._gone = self._gone, set()
            try:
                await self._outbox.forget_triggers(gone, self._tank.clock.now_us())
            # Either way the next start finds them again.
            except StorageFailed as error:
                log.warning("outbox_keeps_gone_triggers", reason=reason_of(error), count=len(gone))
            except Exception:
                log.exception("outbox_keeps_gone_triggers", count=len(gone))
