"""Keeps what the triggers of schedules have told: that a run counted more than its limit.

A trigger may fire after its run is noted, and after a restart, so its firing is what counts.
"""

from collections import Counter

import structlog

from thingtank.server.batch.schedule import after_alert
from thingtank.server.batch.schedules import Schedules
from thingtank.tank.batch import BatchAlert
from thingtank.tank.bus import Bus
from thingtank.tank.errors import StorageFailed, reason_of
from thingtank.tank.events import TriggerFired

log = structlog.get_logger()


class Alerts:
    """Hears of firings from its making on; lives in the loop's thread.

    Attributes:
        counts: by schedule, since the start.
    """

    def __init__(self, bus: Bus, schedules: Schedules) -> None:
        self.counts: Counter[str] = Counter()
        self._schedules = schedules
        bus.react(TriggerFired, self._keep)

    def _keep(self, event: TriggerFired) -> None:
        if event.is_test:
            return
        try:
            schedule = self._schedules.of_trigger(event.trigger.trigger_id)
            if schedule is None:
                return
            self.counts[schedule.name] += 1
            firing = event.firing
            until_us = firing.at_us if firing.value_at_us is None else firing.value_at_us
            count, above = firing.value or "", event.trigger.threshold
            self._schedules.put(
                after_alert(schedule, BatchAlert(firing.at_us, until_us, count, above))
            )
        except StorageFailed as error:  # it is delivered all the same
            log.warning("batch_alert_not_kept", reason=reason_of(error))
            return
        log.warning("batch_alert", schedule=schedule.name, count=count, above=above)
