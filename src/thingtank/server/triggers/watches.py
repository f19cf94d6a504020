"""The triggers that watch, by datastream, with their states and timers. No waiting, no storage."""

import heapq
from collections.abc import Iterable, Iterator
from typing import NamedTuple

import msgspec

from thingtank.server.triggers.runs import Run
from thingtank.stores.rows import Deletion
from thingtank.tank.datapoints import Datapoint
from thingtank.tank.trigger_rules import (
    Firing,
    TriggerState,
    encode_state,
    forgotten,
    started,
    step,
)
from thingtank.tank.trigger_walk import Arrivals, Walk
from thingtank.tank.triggers import Trigger

_STALE_TIMERS_MAX = 1000
_STEPS_A_WALK = 10  # what it costs to choose, in steps
_ROWS_A_STEP = 500  # that numpy passes over in the time of a step


class Fired(NamedTuple):
    """A trigger has fired while a run was looked at.

    Attributes:
        row: of the run, at which that was noticed. It orders what one trigger fired, not what
            several did: each passes over rows of its own, and may notice later than another.
    """

    row: int
    trigger: Trigger
    firing: Firing


class Fault(NamedTuple):
    """A fault of ours kept a trigger from looking at the rest of a run.

    Attributes:
        row: of the run, from which on the trigger missed those of its datastream.
    """

    row: int
    error: Exception


class Watch:
    """One trigger at work.

    Attributes:
        queued_us: the instant that its timer is set to; None for no timer.
    """

    __slots__ = ("queued_us", "state", "stream_id", "trigger")

    def __init__(self, trigger: Trigger, stream_id: int, state: TriggerState) -> None:
        self.trigger = trigger
        self.stream_id = stream_id
        self.state = state
        self.queued_us: int | None = None


class Watches:
    """All watches. Lives in the loop's thread.

    Attributes:
        frozen_from_us: no silence is told before that instant: devices may be coming back.
    """

    def __init__(self, frozen_us: int, frozen_from_us: int = 0) -> None:
        self._frozen_us = frozen_us
        self.frozen_from_us = frozen_from_us
        self._of_trigger: dict[int, Watch] = {}
        self._of_stream: dict[int, tuple[Watch, ...]] = {}
        self._timers: list[tuple[int, int]] = []
        self._changed: set[int] = set()

    def __len__(self) -> int:
        return len(self._of_trigger)

    def put(self, trigger: Trigger, stream_id: int, saved: TriggerState | None = None) -> None:
        """Let a trigger watch, or go on as it is now.

        Args:
            saved: what it remembered before the start; void if it was armed anew since.
        """
        known = self._of_trigger.get(trigger.trigger_id)
        state = saved if known is None else known.state
        if state is None or state.armed_number != trigger.armed.number:
            fired_us = None if state is None else state.fired_us
            state = started(trigger, self._frozen_us)
            if fired_us is not None:  # quiet time goes on
                state = msgspec.structs.replace(state, fired_us=fired_us)
            self._changed.add(trigger.trigger_id)
        if known is not None and known.stream_id == stream_id:
            known.trigger = trigger
            self._set(known, state)
            return
        self.drop(trigger.trigger_id)
        watch = Watch(trigger, stream_id, state)
        self._of_trigger[trigger.trigger_id] = watch
        self._of_stream[stream_id] = (*self._of_stream.get(stream_id, ()), watch)
        self._set(watch, state)

    def drop(self, trigger_id: int) -> None:
        """Let a trigger watch no more."""
        watch = self._of_trigger.pop(trigger_id, None)
        if watch is None:
            return
        rest = tuple(other for other in self._of_stream[watch.stream_id] if other is not watch)
        if rest:
            self._of_stream[watch.stream_id] = rest
        else:
            del self._of_stream[watch.stream_id]
        self._changed.discard(trigger_id)

    def state_of(self, trigger_id: int) -> TriggerState | None:
        """What a trigger remembers."""
        watch = self._of_trigger.get(trigger_id)
        return None if watch is None else watch.state

    def watched(self) -> list[tuple[int, int]]:
        """(trigger_id, stream_id) of all."""
        return [(trigger_id, watch.stream_id) for trigger_id, watch in self._of_trigger.items()]

    def take_run(
        self, run: Run, now_us: int, fired: list[Fired], faults: dict[int, Fault]
    ) -> Iterator[int]:
        """Let a run's rows arrive, in order, at all that watch their datastreams.

        Args:
            now_us: when those came at the latest of which it is not known.
            fired: gets what fires, of each trigger in order.
            faults: gets by trigger_id what went wrong; all other triggers go on.

        Yields:
            How many steps the work since took, about. In between triggers may be changed.
        """
        rows, streams = run.split(self._of_stream)
        for row in rows:
            yield self._take_row(run, row, now_us, fired, faults)
        for stream_id, arrivals in streams:
            for watch in self._of_stream.get(stream_id, ()):
                yield _STEPS_A_WALK + len(arrivals) // _ROWS_A_STEP
                if watch.trigger.trigger_id not in faults:  # else in arrivals before these
                    yield from self._take_walk(watch, run, arrivals, fired, faults)

    def _take_row(
        self, run: Run, row: int, now_us: int, fired: list[Fired], faults: dict[int, Fault]
    ) -> int:
        """Let one row arrive; tell how many steps that took."""
        stream_id, datapoint, committed_us = run.arrival(row)
        watches = self._of_stream.get(stream_id, ())
        for watch in watches:
            if watch.trigger.trigger_id in faults:
                continue
            came_us = committed_us
            if came_us is None:  # at its own time, if that can be
                since_us = watch.state.updated_us or watch.trigger.armed.at_us
                came_us = min(max(datapoint.at_us, since_us), now_us)
            try:
                for firing in self._stepped(watch, came_us, datapoint):
                    fired.append(Fired(row, *firing))
            except Exception as error:  # noqa: BLE001 - the caller tells it
                faults[watch.trigger.trigger_id] = Fault(row, error)
        return len(watches)  # there may be 200 triggers

    def _take_walk(
        self,
        watch: Watch,
        run: Run,
        arrivals: Arrivals,
        fired: list[Fired],
        faults: dict[int, Fault],
    ) -> Iterator[int]:
        walk: Walk | None = None
        place, row = -1, int(arrivals.rows[0])
        try:
            while self._of_trigger.get(watch.trigger.trigger_id) is watch:  # else dropped meanwhile
                if walk is None or walk.trigger is not watch.trigger:  # changed meanwhile
                    walk = Walk(watch.trigger, watch.state, arrivals, self._frozen_us, place + 1)
                    place = walk.first
                else:
                    place = walk.next_row(place, watch.state)
                if place == len(arrivals):
                    row = int(arrivals.rows[-1])
                    found = self._stepped(watch, arrivals.end_us, None)
                    fired += [Fired(row, *firing) for firing in found]
                    return
                row = int(arrivals.rows[place])
                _, datapoint, _ = run.arrival(row)
                found = self._stepped(watch, int(arrivals.now_us[place]), datapoint)
                fired += [Fired(row, *firing) for firing in found]
                yield 1
        except Exception as error:  # noqa: BLE001 - the caller tells it
            faults[watch.trigger.trigger_id] = Fault(row, error)

    def take_deletion(self, deletion: Deletion) -> None:
        """Forget deleted datapoints."""
        for stream_id in deletion.stream_ids:
            for watch in self._of_stream.get(stream_id, ()):
                state = forgotten(watch.state, deletion.start_us, deletion.end_us)
                if state is not watch.state:
                    self._changed.add(watch.trigger.trigger_id)
                    watch.state = state

    def take_current(
        self, trigger_id: int, datapoint: Datapoint, now_us: int
    ) -> Iterator[tuple[Trigger, Firing]]:
        """Go on with the value there is now, after datapoints were missed."""
        watch = self._of_trigger.get(trigger_id)
        if watch is not None:
            yield from self._stepped(watch, now_us, datapoint)

    @property
    def next_due_us(self) -> int | None:
        """When `take_due` is to be called next; None for never."""
        return self._timers[0][0] if self._timers else None

    def take_due(self, now_us: int, count_max: int) -> Iterator[tuple[Trigger, Firing]]:
        """What fires because its time has come, oldest first; some of it if there is much."""
        while self._timers and self._timers[0][0] <= now_us and count_max > 0:
            due_us, trigger_id = heapq.heappop(self._timers)
            watch = self._of_trigger.get(trigger_id)
            if watch is None or watch.queued_us != due_us:
                continue  # dropped, or set to an earlier instant since
            watch.queued_us = None
            count_max -= 1
            yield from self._stepped(watch, now_us, None)

    @property
    def has_changed(self) -> bool:
        """Whether `take_changed` would return some."""
        return bool(self._changed)

    def take_changed(self) -> dict[int, bytes]:
        """What changed since the last time, to be saved."""
        changed = {i: encode_state(self._of_trigger[i].state) for i in self._changed}
        self._changed.clear()
        return changed

    def touch(self, trigger_ids: Iterable[int]) -> None:
        """Mark states that could not be saved as changed again."""
        self._changed.update(i for i in trigger_ids if i in self._of_trigger)

    def _stepped(
        self, watch: Watch, now_us: int, datapoint: Datapoint | None
    ) -> Iterator[tuple[Trigger, Firing]]:
        before = watch.state
        state, firings = step(watch.trigger, before, now_us, datapoint, self._frozen_us)
        if state is not before:
            self._changed.add(watch.trigger.trigger_id)
        self._set(watch, state)
        for firing in firings:
            yield watch.trigger, firing

    def _set(self, watch: Watch, state: TriggerState) -> None:
        """Take over a state, and set its timer.

        A timer is never moved to a later instant, or each update would leave one behind; when it
        comes it is set anew.
        """
        due_us = state.due_us
        if due_us is not None and due_us < self.frozen_from_us and watch.trigger.kind == "frozen":
            due_us = self.frozen_from_us
            state = msgspec.structs.replace(state, due_us=due_us)
        watch.state = state
        if due_us is not None and (watch.queued_us is None or due_us < watch.queued_us):
            watch.queued_us = due_us
            heapq.heappush(self._timers, (due_us, watch.trigger.trigger_id))
            if len(self._timers) > 2 * len(self._of_trigger) + _STALE_TIMERS_MAX:
                self._drop_stale_timers()

    def _drop_stale_timers(self) -> None:
        """Those of triggers that are gone may be set to an instant far off."""
        self._timers = [
            (watch.queued_us, trigger_id)
            for trigger_id, watch in self._of_trigger.items()
            if watch.queued_us is not None
        ]
        heapq.heapify(self._timers)
