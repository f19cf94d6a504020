"""Where mobile devices were: each place they leave becomes a waypoint.

Source: Xively API v2, waypoints: a feed whose disposition is mobile keeps its former locations.
"""

import msgspec

from thingtank.tank.things import Device, Location, Waypoint

WAYPOINTS_MAX = 1000  # a device; the oldest go first


def with_location_time(before: Device | None, after: Device, now_us: int) -> Device:
    """`after` with the time since when it is where it is."""
    if _place(before.location if before else None) == _place(after.location):
        return after
    return msgspec.structs.replace(after, located_us=now_us)


def waypoint_left(before: Device, after: Device) -> Waypoint | None:
    """The waypoint that a change makes: the place left by a device that is mobile now."""
    place, new = before.location, after.location
    if place is None or place.lat is None or place.lon is None:
        return None
    if new is None or new.disposition != "mobile" or _place(place) == _place(new):
        return None
    at_us = before.updated_us if before.located_us is None else before.located_us
    return Waypoint(at_us, place.lat, place.lon, place.ele)


def forgets_waypoints(before: Device, after: Device) -> bool:
    """Whether a change takes the location away: who does that wants the track gone as well."""
    return before.location is not None and after.location is None


def _place(location: Location | None) -> tuple[float | None, float | None, str]:
    return (None, None, "") if location is None else (location.lat, location.lon, location.ele)
