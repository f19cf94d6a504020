"""Schedules of the running instance as pages and metrics see them."""

from collections.abc import Sequence
from pathlib import Path
from urllib.parse import quote

from thingtank.server.batch.alerts import Alerts
from thingtank.server.batch.changes import (
    Alert,
    add_schedule,
    pause_schedule,
    remove_schedule,
    run_again,
)
from thingtank.server.batch.job_words import job_words
from thingtank.server.batch.schedule import Schedule, due_us
from thingtank.server.batch.scheduler import Scheduler
from thingtank.server.batch.schedules import NoSuchSchedule, Schedules
from thingtank.tank.batch import ScheduleState, ScheduleStatus, SequenceCount
from thingtank.tank.errors import NoSuchTrigger, StorageFailed, ValidationFailed
from thingtank.tank.tank import Tank
from thingtank.tank.triggers import Trigger

OUTPUTS = "batch"  # the folder in the data folder for what schedules of the workbench write


class Board:
    """Implements `tank.batch.BatchBoard`."""

    def __init__(
        self, tank: Tank, schedules: Schedules, scheduler: Scheduler, alerts: Alerts, folder: Path
    ) -> None:
        """Watch what others do.

        Args:
            folder: the data folder.
        """
        self._tank = tank
        self._schedules = schedules
        self._scheduler = scheduler
        self._alerts = alerts
        self._folder = folder

    def statuses(self) -> Sequence[ScheduleStatus]:
        """See `BatchBoard`."""
        return [self._status(schedule) for schedule in self._schedules.all()]

    def statuses_or_none(self) -> Sequence[ScheduleStatus]:
        """As `statuses`; none where they cannot be read, which the scheduler's log says."""
        try:
            return self.statuses()
        except StorageFailed:
            return ()

    def status(self, name: str) -> ScheduleStatus | None:
        """See `BatchBoard`."""
        try:
            return self._status(self._schedules.get(name))
        except NoSuchSchedule:
            return None

    async def add(self, count: SequenceCount) -> None:
        """See `BatchBoard`."""
        directory = self._tank.directory
        directory.get_device(count.feed_id)
        if count.channel not in directory.datastreams(count.feed_id):
            raise ValidationFailed([("channel", f"must be one of feed {count.feed_id}")])
        if not count.sequence.strip():
            raise ValidationFailed([("sequence", "can't be blank")])
        if count.channel == count.name:
            raise ValidationFailed([("name", "must differ from the channel: counts go there")])
        draft = Schedule(
            name=count.name,
            options=["--job", "sequence-count", "--env", f"SEQ={count.sequence}"],
            inputs=[
                f"archive:feed/{count.feed_id}/{quote(count.channel)}?start={{start}}&end={{end}}"
            ],
            output=f"{OUTPUTS}/{count.name}",
            folder=str(self._folder.absolute()),
            every_s=count.every_s,
            done_us=0,
            feed_id=count.feed_id,
            channel=count.name,
        )
        alert = Alert(count.above, count.url, count.email)
        await add_schedule(self._tank, self._schedules, draft, alert)
        self.run(count.name)

    def run(self, name: str) -> None:
        """See `BatchBoard`."""
        run_again(self._tank, self._schedules, name)

    def pause(self, name: str, is_paused: bool) -> None:
        """See `BatchBoard`."""
        pause_schedule(self._schedules, name, is_paused)

    async def delete(self, name: str) -> None:
        """See `BatchBoard`."""
        await remove_schedule(self._tank, self._schedules, name)
        self._alerts.counts.pop(name, None)

    def _status(self, schedule: Schedule) -> ScheduleStatus:
        begun_us = self._scheduler.begun_us(schedule)
        totals = self._scheduler.totals(schedule.name)
        trigger = self._trigger(schedule)
        is_resting = schedule.is_paused and not schedule.is_asked
        return ScheduleStatus(
            name=schedule.name,
            what=job_words(schedule.options),
            inputs=schedule.inputs,
            output=schedule.output,
            every_s=schedule.every_s,
            state=self._state(schedule, begun_us is not None),
            due_us=None if is_resting else due_us(schedule),
            begun_us=begun_us,
            feed_id=schedule.feed_id,
            channel=schedule.channel,
            trigger_id=None if trigger is None else trigger.trigger_id,
            above="" if trigger is None else trigger.threshold,
            is_enabled=trigger is not None and trigger.is_enabled,
            runs=[] if schedule.last is None else [schedule.last, *schedule.earlier],
            result=schedule.result,
            alerts=schedule.alerts,
            run_count=totals.run_count,
            failed_count=totals.failed_count,
            alert_count=self._alerts.counts[schedule.name],
        )

    def _trigger(self, schedule: Schedule) -> Trigger | None:
        if schedule.trigger_id is None:
            return None
        try:
            return self._tank.triggers.get(schedule.trigger_id)
        except NoSuchTrigger:  # somebody deleted it on its feed's page
            return None

    def _state(self, schedule: Schedule, is_running: bool) -> ScheduleState:
        if is_running:
            return "running"
        if schedule.is_paused and not schedule.is_asked:
            return "paused"
        if due_us(schedule) <= self._tank.clock.now_us():
            return "due"
        return "failing" if schedule.last is not None and schedule.last.problem else "waiting"
