"""Hears what happens with devices, and records in the outbox what they have sent on.

A message is acknowledged to its sender when its deliveries are on disk. Where they cannot be
recorded the sender is told; a changed record has nobody to tell, so its deliveries are lost then,
which the log says.
"""

import asyncio
import secrets
from asyncio import Future
from collections import deque
from typing import Any

import msgspec
import structlog

from thingtank.doors.skynet.records import modern_record
from thingtank.sinks.hooks import FORWARD, FORWARD_TOPIC, HOOK
from thingtank.tank.access import STRANGER
from thingtank.tank.errors import NotFound, Overloaded, StorageFailed
from thingtank.tank.events import DeviceUpdated, MessageSent
from thingtank.tank.messaging.hooks import (
    CONTENT_BYTES_MAX,
    Hook,
    HookKind,
    SentOn,
    has_hooks,
    hooks_of,
    may_send_on,
)
from thingtank.tank.messaging.messages import Message
from thingtank.tank.messaging.permissions import Party
from thingtank.tank.outbox import NewDelivery, Outbox
from thingtank.tank.tank import Tank
from thingtank.tank.things import Device

log = structlog.get_logger()

READER = "hooks"  # they are no part of the journal; their place stays 0
WAITING_MAX = 10_000  # deliveries that are not on disk yet
_AT_ONCE_MAX = 500
SENT_ON_MAX = 20_000  # of the newest messages that devices have forwarded, which are known again

_SentOnce = tuple[str, int, HookKind]


class Hooks:
    """From `start` to `stop`; lives in the loop's thread."""

    def __init__(self, tank: Tank, outbox: Outbox) -> None:
        self._tank = tank
        self._outbox = outbox
        self._waiting: deque[tuple[list[NewDelivery], Future[None]]] = deque()
        self._waiting_count = 0
        self._wake = asyncio.Event()
        self._last_sent: Message | None = None
        self._sent_on: dict[_SentOnce, None] = {}
        self._is_stopping = False
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to hear."""
        self._tank.bus.react(MessageSent, self._take_message)
        self._tank.bus.react(DeviceUpdated, self._take_record)
        self._task = asyncio.create_task(self._run(), name="hooks")

    async def stop(self) -> None:
        """Record what waits, and end."""
        self._is_stopping = True
        self._wake.set()
        if self._task is not None:
            await self._task

    def _take_message(self, event: MessageSent) -> None:
        device, message = event.device, event.message
        if has_hooks(device):
            self._take(device, "broadcast" if event.is_broadcast else "received", message)
        # A message to several devices comes once for each, and was sent once.
        if message.from_id and message is not self._last_sent:
            self._last_sent = message
            sender = self._tank.directory.find_device_by_uuid(message.from_uuid)
            if sender is not None and has_hooks(sender):
                self._take(sender, "sent", message)

    def _take(self, device: Device, kind: HookKind, message: Message) -> None:
        content = message.content
        hooks = self._hooks_of(device, kind)
        if not hooks or not may_send_on(content, device.uuid):
            return
        once: _SentOnce | None = None
        if any(hook.is_forward for hook in hooks):
            message.origin = message.origin or secrets.token_hex(8)
            once = message.origin, device.device_id, kind
            if once in self._sent_on:
                return
        bodies = [_body(hook, content, message.origin) for hook in hooks]
        recorded = self._queue(device, hooks, bodies, message.at_us)
        if once is not None:
            self._remember(once, recorded)
        if (to_store := self._tank.messaging.to_store) is not None:
            to_store.append(recorded)

    def _remember(self, once: _SentOnce, recorded: Future[None]) -> None:
        """Know what a device has sent on, unless it is not recorded and its sender tries again."""

        def forget(done: Future[None]) -> None:
            if done.cancelled() or done.exception() is not None:
                self._sent_on.pop(once, None)

        self._sent_on[once] = None
        if len(self._sent_on) > SENT_ON_MAX:
            del self._sent_on[next(iter(self._sent_on))]
        recorded.add_done_callback(forget)

    def _take_record(self, event: DeviceUpdated) -> None:
        device = event.device
        hooks = self._hooks_of(device, "config") if event.is_record and has_hooks(device) else []
        if hooks:
            presence = self._tank.messaging.presence
            own = modern_record(device, presence, Party(STRANGER, device))
            own.pop("meshblu", None)  # one hook's secrets are not for another's receiver
            shown = modern_record(device, presence, Party(STRANGER))
            told = {"topic": FORWARD_TOPIC, "payload": shown}
            bodies = [_body(hook, told if hook.is_forward else own) for hook in hooks]
            self._queue(device, hooks, bodies, self._tank.clock.now_us())

    def _hooks_of(self, device: Device, kind: HookKind) -> list[Hook]:
        """Those that are at work: none of an account that is switched off."""
        hooks = hooks_of(device, kind)
        try:
            is_active = self._tank.directory.get_account(device.account_id).is_active
        except NotFound:  # deleted at this moment
            is_active = False
        return hooks if is_active else []

    def _queue(
        self, device: Device, hooks: list[Hook], bodies: list[bytes], at_us: int
    ) -> Future[None]:
        """Have deliveries recorded soon; what is too large is left out."""
        deliveries = [
            NewDelivery(
                0,
                device.device_id,
                device.account_id,
                FORWARD if hook.is_forward else HOOK,
                hook.target,
                body,
                at_us,
            )
            for hook, body in zip(hooks, bodies, strict=True)
            if len(body) <= CONTENT_BYTES_MAX
        ]
        if len(deliveries) < len(hooks):
            log.warning("hook_content_too_large", device_id=device.device_id)
        recorded: Future[None] = asyncio.get_running_loop().create_future()
        recorded.add_done_callback(_look_at)
        if self._is_stopping or self._waiting_count + len(deliveries) > WAITING_MAX:
            recorded.set_exception(Overloaded(f"{WAITING_MAX} deliveries wait for the disk"))
            return recorded
        self._waiting.append((deliveries, recorded))
        self._waiting_count += len(deliveries)
        self._wake.set()
        return recorded

    async def _run(self) -> None:
        while self._waiting or not self._is_stopping:
            self._wake.clear()
            if not self._waiting:
                await self._wake.wait()
                continue
            deliveries, recorded = self._next()
            await self._record(deliveries, recorded)

    def _next(self) -> tuple[list[NewDelivery], list[Future[None]]]:
        """Some of what waits, to be recorded in one transaction."""
        deliveries: list[NewDelivery] = []
        recorded: list[Future[None]] = []
        while self._waiting and len(deliveries) < _AT_ONCE_MAX:
            more, future = self._waiting.popleft()
            deliveries += more
            recorded.append(future)
        self._waiting_count -= len(deliveries)
        return deliveries, recorded

    async def _record(self, deliveries: list[NewDelivery], recorded: list[Future[None]]) -> None:
        error: Exception | None = None
        try:
            await self._outbox.record(READER, 0, {}, deliveries)
        except StorageFailed as failure:
            error = failure
            log.error("hooks_not_recorded", count=len(deliveries), reason=str(failure))
        except Exception as failure:
            error = StorageFailed("a fault of this server; its log says more")
            log.exception(
                "hooks_not_recorded", count=len(deliveries), reason=type(failure).__name__
            )
        for future in recorded:
            if future.cancelled():
                continue
            if error is None:
                future.set_result(None)
            else:
                future.set_exception(error)


def _body(hook: Hook, content: Any, origin: str = "") -> bytes:
    return msgspec.json.encode(SentOn(hook.list_name, hook.type, content, origin))


def _look_at(recorded: Future[None]) -> None:
    """Nobody has to wait for it."""
    if not recorded.cancelled():
        recorded.exception()
