"""Settings of the event log of devices."""

import msgspec


class DeviceEventSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How much the event log keeps, and for how long.

    Attributes:
        events_per_device_max: each device keeps so many events, the newest. Somewhat more are there
            until they are trimmed; those of a device that nothing happens to are not trimmed.
        keep_s: events are kept for so long.
        pending_events_max: events that wait for the disk; more are dropped and counted.
        pending_bytes_max: of these events.
    """

    events_per_device_max: int = 1_000
    keep_s: int = 30 * 86_400
    pending_events_max: int = 50_000
    pending_bytes_max: int = 32 * 1024 * 1024
