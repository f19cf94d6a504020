"""Makes what a trigger's receivers get, from the tank's things and values as they are now."""

from msgspec import UNSET, UnsetType

from thingtank.protocols.xively.times import format_time
from thingtank.protocols.xively.trigger_notice import (
    NoticeDatastream,
    NoticeEnvironment,
    NoticeLocation,
    NoticeUnits,
    NoticeValue,
    TriggerNotice,
    serialize_notice,
)
from thingtank.tank.outbox import NewDelivery
from thingtank.tank.tank import Tank
from thingtank.tank.things import Datastream, Device, Location
from thingtank.tank.trigger_rules import Firing
from thingtank.tank.triggers import Trigger


class Notices:
    """Deliveries of one instance; links in them begin with its address."""

    def __init__(self, tank: Tank, base_url: str) -> None:
        self._tank = tank
        self._base_url = base_url.rstrip("/")

    def deliveries(
        self, trigger: Trigger, firing: Firing, is_test: bool = False
    ) -> list[NewDelivery]:
        """What must be delivered for a firing: one for each channel of the trigger.

        Raises:
            NoSuchDevice: it has been deleted meanwhile.
        """
        device = self._tank.directory.get_device(trigger.device_id)
        body = self._body(trigger, device, firing, is_test)
        targets = (("webhook", trigger.url), ("email", trigger.email))
        return [
            NewDelivery(
                trigger.trigger_id,
                trigger.device_id,
                trigger.account_id,
                channel,
                target,
                body,
                firing.at_us,
                is_test,
            )
            for channel, target in targets
            if target
        ]

    def _body(self, trigger: Trigger, device: Device, firing: Firing, is_test: bool) -> bytes:
        feed_url = f"{self._base_url}/v2/feeds/{device.device_id}"
        notice = TriggerNotice(
            id=trigger.trigger_id,
            url=f"{self._base_url}/v2/triggers/{trigger.trigger_id}",
            type=trigger.kind,
            threshold_value=trigger.threshold,
            timestamp=format_time(firing.at_us),
            environment=NoticeEnvironment(
                id=device.device_id,
                feed=feed_url,
                title=device.title,
                description=device.description,
                private=device.private,
                location=_location(device.location),
            ),
            triggering_datastream=self._datastream(trigger, firing, feed_url),
            debug=True if is_test else UNSET,
        )
        return serialize_notice(notice)

    def _datastream(self, trigger: Trigger, firing: Firing, feed_url: str) -> NoticeDatastream:
        datastream = self._tank.directory.datastreams(trigger.device_id).get(trigger.name)
        current = None
        if datastream is not None:
            current = self._tank.archive.current(datastream.stream_id)
        value = firing.value or ""
        return NoticeDatastream(
            id=trigger.name,
            url=f"{feed_url}/datastreams/{trigger.name}",
            at="" if firing.value_at_us is None else format_time(firing.value_at_us),
            value=NoticeValue(
                value,
                value,
                None if current is None else current.maximum,
                None if current is None else current.minimum,
            ),
            units=_units(datastream),
        )


def _units(datastream: Datastream | None) -> NoticeUnits:
    unit = None if datastream is None else datastream.unit
    if unit is None:
        return NoticeUnits(None, None, None)
    return NoticeUnits(unit.type or None, unit.symbol or None, unit.label or None)


def _location(location: Location | None) -> NoticeLocation | UnsetType:
    if location is None:
        return UNSET
    lon = UNSET if location.lon is None else location.lon
    return NoticeLocation(
        name=location.name or UNSET,
        lat=UNSET if location.lat is None else location.lat,
        lon=lon,
        lng=lon,
    )
