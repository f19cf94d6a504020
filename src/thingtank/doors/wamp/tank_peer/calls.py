"""Carries calls of the tank's procedures out: arguments in, the action, RESULT or ERROR.

A call runs without a task of its own, until it waits; hundreds that record values then wait for one
commit. A call whose caller left or canceled it is carried out all the same: what it wrote is
written, as with a request whose connection breaks.
"""

import asyncio
import time
from functools import lru_cache

import msgspec
import structlog
from msgspec.structs import asdict

from thingtank.doors.wamp.request_log import DOOR
from thingtank.doors.wamp.tank_peer.access import CallerOf
from thingtank.doors.wamp.tank_peer.error_table import answer_of
from thingtank.doors.wamp.tank_peer.procedures import Procedure
from thingtank.doors.wamp.tank_peer.resources.shared import Context, plain
from thingtank.net.blotting import shown_value
from thingtank.net.eager import run_eagerly
from thingtank.protocols.wamp.answers import INVALID_PAYLOAD, RUNTIME_ERROR
from thingtank.protocols.wamp.errors import UnconvertiblePayload
from thingtank.protocols.wamp.procedures import RouterCall
from thingtank.protocols.xively.errors import XivelyError
from thingtank.tank.access import Caller
from thingtank.tank.device_names import find_device_named
from thingtank.tank.errors import TankError, Unavailable
from thingtank.tank.events import Asked, RequestServed
from thingtank.tank.request_log import SERVERS_OWN
from thingtank.tank.tank import Tank
from thingtank.tank.things import Device

log = structlog.get_logger()

SHOWN_BYTES_MAX = 65_536  # of arguments; to write longer ones for the log takes too long
STOP_S_MAX = 10.0
_NUMBER_MAX = 2**53
_OK, _BROKEN = 200, 500


class Calls:
    """The calls of all realms that are under way."""

    def __init__(self, tank: Tank, caller_of: CallerOf, base_url: str, live_s: int) -> None:
        self._tank = tank
        self._caller_of = caller_of
        self._base_url = base_url
        self._live_s = live_s
        self._active_count = 0
        self._idle = asyncio.Event()
        self._is_stopped = False

    def carry_out(self, procedure: Procedure, call: RouterCall) -> None:
        """Answer a call, now or later."""
        run_eagerly(self._answer(procedure, call))

    async def stop(self) -> None:
        """Refuse new calls, and let those end that are under way, within STOP_S_MAX."""
        self._is_stopped = True
        if self._active_count:
            self._idle.clear()
            try:
                await asyncio.wait_for(self._idle.wait(), STOP_S_MAX)
            except TimeoutError:
                log.warning("wamp_calls_left", count=self._active_count)

    async def _answer(self, procedure: Procedure, call: RouterCall) -> None:
        started_ns = time.perf_counter_ns()
        self._active_count += 1
        context: Context | None = None
        caller: Caller | None = None
        arguments: msgspec.Struct | None = None
        status, reason, outcome, result = _OK, "", "RESULT", None
        try:
            if self._is_stopped:
                raise Unavailable("the server is being stopped")
            caller = self._caller_of(call.caller)
            self._count(caller)
            context = Context(self._tank, caller, call, self._base_url, self._live_s)
            arguments = procedure.shape.read(call.payload.elements)
            result = await procedure.function(context, **asdict(arguments))
            if result is None:
                call.result()
            else:
                result = plain(result)
                call.result(result)
        except (TankError, XivelyError) as error:
            answer = answer_of(error)
            status, reason, outcome = answer.status, answer.text, f"ERROR {answer.uri}"
            call.error(answer.uri, answer.text, kwargs=answer.kwargs)
        except UnconvertiblePayload as error:
            status, reason, outcome = 422, str(error), f"ERROR {INVALID_PAYLOAD}"
            call.error(INVALID_PAYLOAD, str(error))
        except Exception:
            # The edge of the door: the peer gets no details, the log all of them.
            log.exception("wamp_procedure_failed", procedure=procedure.uri)
            status, reason, outcome = _BROKEN, SERVERS_OWN, f"ERROR {RUNTIME_ERROR}"
            call.error(RUNTIME_ERROR, "the procedure failed; the failure has been logged")
        finally:
            self._active_count -= 1
            if not self._active_count:
                self._idle.set()
        device = None if context is None else context.device
        if device is None and status != _OK:
            device = self._find_device(procedure, call)
        if device is None:
            return
        shows = procedure.is_logged and len(call.payload.data) <= SHOWN_BYTES_MAX
        served = RequestServed(
            self._tank.clock.now_us(),
            _asked(device.device_id, procedure.uri, "" if caller is None else caller.address),
            status,
            (time.perf_counter_ns() - started_ns) // 1000,
            reason,
            shown_value(arguments) if shows and arguments is not None else b"",
            shown_value(result) if procedure.is_logged and result is not None else b"",
            caller,
            outcome,
        )
        self._tank.request_log.note(served)

    def _find_device(self, procedure: Procedure, call: RouterCall) -> Device | None:
        """The device that a refused call is about, as far as it can be told."""
        if not procedure.shape.device_name or len(call.payload.data) > SHOWN_BYTES_MAX:
            return None
        try:
            named = procedure.shape.find_device_name(call.payload.elements)
            is_name = isinstance(named, str) or (type(named) is int and 0 <= named <= _NUMBER_MAX)
            return find_device_named(self._tank.directory, named) if is_name else None
        except UnconvertiblePayload:
            return None

    def _count(self, caller: Caller) -> None:
        """Count a call against the rate of its key, or of the address of a stranger."""
        rates = self._tank.request_rates
        if caller.key is not None:
            if rates.counts_keys:
                rates.count_key(caller.key.key_id, time.monotonic_ns())
        elif caller.account is None and not caller.is_operator:
            rates.count_stranger(caller.address, time.monotonic_ns())


@lru_cache(10_000)
def _asked(device_id: int, procedure: str, address: str) -> Asked:
    """Who asks for what: the same again and again."""
    return Asked(device_id, DOOR, "CALL", procedure, address)
