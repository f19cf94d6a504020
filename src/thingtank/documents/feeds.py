"""Xively's documents ↔ the tank's values: changes and writes in, bodies out."""

from collections.abc import Mapping, Sequence
from datetime import tzinfo
from typing import Literal, TypeVar, cast

import msgspec
from msgspec import UNSET, UnsetType

from thingtank.protocols.xively.documents import (
    DatapointBody,
    DatapointDocument,
    DatastreamBody,
    DatastreamDocument,
    FeedBody,
    FeedDocument,
    FeedReference,
    LocationBody,
    LocationDocument,
    Tags,
    Text,
    UnitBody,
    UnitDocument,
    UserBody,
    Value,
    WaypointBody,
)
from thingtank.protocols.xively.errors import Unprocessable
from thingtank.protocols.xively.json_format import split_tags, value_of, values_of
from thingtank.protocols.xively.query import HistoryQuery, SearchQuery
from thingtank.protocols.xively.times import MalformedTime, format_time, format_times, parse_times
from thingtank.tank.access import Caller, Listing, listing_of
from thingtank.tank.changes import (
    DatastreamChange,
    DatastreamWrite,
    DeviceChange,
    LocationChange,
)
from thingtank.tank.datapoints import CurrentValue, Datapoint, number_of
from thingtank.tank.history import Function, HistoryTerms
from thingtank.tank.interfaces import DeviceQuery
from thingtank.tank.tank import Tank
from thingtank.tank.things import Datastream, Device, Location, Unit, Waypoint, is_live
from thingtank.tank.told_values import Current

VERSION = "1.0.0"

Choice = TypeVar("Choice", bound=str)

_DISPOSITIONS: tuple[Literal["", "fixed", "mobile"], ...] = ("", "fixed", "mobile")
_EXPOSURES: tuple[Literal["", "indoor", "outdoor"], ...] = ("", "indoor", "outdoor")
_DOMAINS: tuple[Literal["physical", "virtual"], ...] = ("physical", "virtual")
_TRUTHS = {"true": True, "1": True, "false": False, "0": False}


# --- in: documents → changes and writes ---------------------------------------------------------


def device_change(document: FeedDocument) -> DeviceChange | None:
    """The metadata that a feed document changes; None when it names none."""
    if _names_no_metadata(document):
        return None
    change = DeviceChange(
        title=_text(document.title),
        private=_truth(document.private),
        description=_text(document.description),
        tags=_tags(document.tags),
        website=_text(document.website),
        email=_text(document.email),
        icon=_text(document.icon),
        location=_location(document.location),
    )
    return None if change == DeviceChange() else change


def _names_no_metadata(document: FeedDocument) -> bool:
    """Whether it only carries values, as nearly every write from a device does."""
    return (
        document.title is UNSET
        and document.private is UNSET
        and document.description is UNSET
        and document.tags is UNSET
        and document.website is UNSET
        and document.email is UNSET
        and document.icon is UNSET
        and document.location is UNSET
    )


def _text(value: Text) -> str | UnsetType:
    if value is UNSET or type(value) is str:
        return value
    return value_of(value) or ""


def _truth(value: Text) -> bool | UnsetType:
    text = _text(value)
    if text is UNSET or text == "":
        return UNSET
    truth = _TRUTHS.get(text.strip().lower())
    if truth is None:  # a guess here could show a private feed to everybody
        raise Unprocessable([("private", "must be true or false")])
    return truth


def _tags(value: Tags) -> tuple[str, ...] | UnsetType:
    if value is UNSET:
        return UNSET
    if value is None:
        return ()
    if isinstance(value, str):
        return tuple(split_tags(value))
    return tuple(_text(tag) or "" for tag in value)


def _location(
    document: LocationDocument | str | UnsetType | None,
) -> LocationChange | UnsetType | None:
    """Members that the document lacks stay as the device has them when it is stored."""
    if document is UNSET:
        return UNSET
    if not document:
        return None
    if isinstance(document, str):
        raise Unprocessable([("location", "must be an object")])
    change = LocationChange(
        name=_text(document.name),
        lat=_degrees(document.lat, "lat"),
        lon=_degrees(document.lon, "lon"),
        ele=_text(document.ele),
        disposition=_choice(document.disposition, _DISPOSITIONS, "disposition"),
        exposure=_choice(document.exposure, _EXPOSURES, "exposure"),
        domain=_choice(document.domain or UNSET, _DOMAINS, "domain"),  # there is no blank one
    )
    return UNSET if change == LocationChange() else change


def _degrees(value: Text, name: str) -> float | UnsetType | None:
    if value is UNSET:
        return UNSET
    if value is None or value == "":
        return None
    number = number_of(str(value))
    if number is None:
        raise Unprocessable([(f"location_{name}", "is not a number")])
    return number


def _choice(value: Text, choices: tuple[Choice, ...], name: str) -> Choice | UnsetType:
    text = _text(value)
    if text is UNSET:
        return UNSET
    for choice in choices:
        if text == choice:
            return choice
    words = ", ".join(choice for choice in choices if choice)
    raise Unprocessable([(f"location_{name}", f"must be one of {words}")])


def datastream_writes(document: FeedDocument, now_us: int) -> list[DatastreamWrite]:
    """What a feed document writes; its `updated` stamps values that have no time."""
    if not document.datastreams:
        return []
    default_us = _instants([document.updated], "updated")[0] if document.updated else now_us
    return [datastream_write(item, default_us) for item in document.datastreams]


def datastream_write(
    document: DatastreamDocument, now_us: int, name: str | None = None
) -> DatastreamWrite:
    """What a datastream document writes.

    Args:
        now_us: time of a current value that has none of its own.
        name: the datastream of the URL; without it the document's `id` names it.
    """
    if name is None:
        name = "" if document.id is None else str(document.id)
    if (
        document.datapoints is None
        and document.min_value is UNSET
        and document.max_value is UNSET
        and document.tags is UNSET
        and document.unit is UNSET
    ):
        return _plain_write(document, now_us, name)
    at_us, values = datapoint_columns(document.datapoints, now_us)
    current = value_of(document.current_value)
    if current is not None:
        at_us.append(_instants([document.at])[0] if document.at else now_us)
        values.append(current)
    return DatastreamWrite(
        name,
        at_us,
        values,
        _datastream_change(document),
        _extreme(document.min_value, "min_value"),
        _extreme(document.max_value, "max_value"),
    )


def _plain_write(document: DatastreamDocument, now_us: int, name: str) -> DatastreamWrite:
    """Only a current value, as in nearly every write from a device."""
    value = document.current_value
    if type(value) is not str:
        value = value_of(value)
        if value is None:
            return DatastreamWrite(name)
    at_us = _instants([document.at])[0] if document.at else now_us
    return DatastreamWrite(name, (at_us,), (value,))


def datapoint_columns(
    datapoints: Sequence[DatapointDocument] | None, now_us: int
) -> tuple[list[int], list[str]]:
    """A list of datapoints as two columns, times and values. An item without `at` is from now."""
    if not datapoints:
        return [], []
    values = values_of([item.value for item in datapoints])
    if None in values:
        raise Unprocessable([("datapoints_value", "can't be blank")])
    times = [item.at for item in datapoints]
    if all(times):
        return _instants(times), cast("list[str]", values)
    return [_instants([at])[0] if at else now_us for at in times], cast("list[str]", values)


def _instants(texts: Sequence[str | None], member: str = "at") -> list[int]:
    try:
        return list(parse_times(cast("Sequence[str]", texts)))
    except (MalformedTime, OverflowError) as error:
        raise Unprocessable([(member, f"is not an ISO 8601 time: {error}")]) from None


def _extreme(member: Value, name: str) -> float | UnsetType | None:
    if isinstance(member, UnsetType):
        return member
    text = value_of(member)
    if text is None or text == "":
        return None
    number = number_of(text)
    if number is None:
        raise Unprocessable([(name, "is not a number")])
    return number


def without_echoed_extremes(
    tank: Tank, feed_id: int, writes: Sequence[DatastreamWrite]
) -> Sequence[DatastreamWrite]:
    """The writes, less extremes that only repeat what is stored.

    Libraries send back all they read: a new value beside the old maximum must raise it, not be
    capped by it.
    """
    for write in writes:
        if write.minimum is not UNSET or write.maximum is not UNSET:
            break
    else:  # as nearly always; a loop, because every write passes here
        return writes
    known = tank.directory.datastreams(feed_id)
    return [
        _without_echo(tank, known[write.name], write) if write.name in known else write
        for write in writes
    ]


def _without_echo(tank: Tank, datastream: Datastream, write: DatastreamWrite) -> DatastreamWrite:
    current = tank.archive.current(datastream.stream_id)
    if current is None:
        return write
    return msgspec.structs.replace(
        write,
        minimum=UNSET if write.minimum == current.minimum else write.minimum,
        maximum=UNSET if write.maximum == current.maximum else write.maximum,
    )


def _datastream_change(document: DatastreamDocument) -> DatastreamChange | None:
    if document.tags is UNSET and document.unit is UNSET:
        return None
    return DatastreamChange(tags=_tags(document.tags), unit=_unit(document.unit))


def _unit(document: UnitDocument | str | UnsetType | None) -> Unit | UnsetType | None:
    if document is UNSET:
        return UNSET
    if not document:
        return None
    if isinstance(document, str):
        raise Unprocessable([("unit", "must be an object")])
    unit = Unit(
        _text(document.type) or "", _text(document.symbol) or "", _text(document.label) or ""
    )
    return None if unit == Unit() else unit


def history_terms(query: HistoryQuery, utc_offset_s: int) -> HistoryTerms:
    """A history question in the tank's terms."""
    return HistoryTerms(
        start_us=query.start_us,
        end_us=query.end_us,
        duration_s=query.duration_s,
        limit=query.limit,
        page=query.page,
        interval_s=query.interval_s,
        is_discrete=query.is_discrete,
        function=cast("Function | None", query.function),
        find_previous=query.find_previous,
        utc_offset_s=utc_offset_s,
    )


def visible_devices(
    caller: Caller, asked: SearchQuery, live_s: int, page: int, per_page: int
) -> DeviceQuery:
    """Public feeds and the owner's own, as far as the caller may read them; the operator's all.

    Raises:
        Unauthenticated, NotAllowed: none at all.
    """
    listing = Listing(None) if caller.is_operator else listing_of(caller)
    return DeviceQuery(
        account_id=listing.account_id,
        with_public=True,
        with_private=caller.is_operator or listing.account_id is not None,
        everybody=caller.is_operator,
        text=asked.text,
        tag=asked.tag,
        units=asked.units,
        user=asked.user,
        device_ids=listing.device_ids,
        status=asked.status,
        live_s=live_s,
        lat=asked.lat,
        lon=asked.lon,
        distance_m=asked.distance_m,
        order=asked.order,
        page=page,
        per_page=per_page,
    )


# --- out: things → bodies ------------------------------------------------------------------------


class Bodies:
    """Makes the bodies of one answer: they share the links' address and the zone."""

    def __init__(self, tank: Tank, base_url: str, zone: tzinfo | None, live_s: int) -> None:
        self._tank = tank
        self._base_url = base_url
        self._zone = zone
        self._live_s = live_s

    def feed(
        self,
        device: Device,
        names: Sequence[str] | None = None,
        history: Mapping[str, list[Datapoint]] | None = None,
        *,
        with_user: bool = False,
        with_datastreams: bool = True,
        current: Current | None = None,
    ) -> FeedBody:
        """A feed; `names` chooses datastreams, `history` adds their datapoints.

        Args:
            current: finds current values; None for those that the archive has.
        """
        known = self._tank.directory.datastreams(device.device_id)
        find = current or self._tank.archive.current
        currents = {name: find(s.stream_id) for name, s in known.items()}
        newest_us = max(
            (c.at_us for c in currents.values() if c is not None and c.at_us is not None),
            default=None,
        )
        chosen = known.values() if names is None else [known[n] for n in names if n in known]
        login = self._tank.directory.get_account(device.account_id).login
        is_live_now = is_live(newest_us, self._tank.clock.now_us(), self._live_s)
        return FeedBody(
            id=device.device_id,
            title=device.title,
            private="true" if device.private else "false",
            icon=device.icon,
            website=device.website,
            tags=device.tags,
            description=device.description,
            feed=f"{self._base_url}/v2/feeds/{device.device_id}.json",
            status="live" if is_live_now else "frozen",
            updated=format_time(max(device.updated_us, newest_us or 0), self._zone),
            created=format_time(device.created_us, self._zone),
            email=device.email,
            creator=f"{self._base_url}/users/{login}",
            user=UserBody(login) if with_user else None,
            version=VERSION,
            datastreams=[
                self._datastream(stream, currents[stream.name], (history or {}).get(stream.name))
                for stream in (chosen if with_datastreams else ())
            ],
            location=_location_body(device.location),
            product_id=device.product_id,
            device_serial=device.device_serial,
        )

    def reference(self, device: Device, current: Current | None = None) -> FeedReference:
        """What XML tells of the feed around a datastream.

        Args:
            current: finds current values, the newest of which is an update of the feed as well.
        """
        updated_us = device.updated_us
        if current is not None:
            known = self._tank.directory.datastreams(device.device_id)
            found = [current(datastream.stream_id) for datastream in known.values()]
            newest_us = (each.at_us or 0 for each in found if each is not None)
            updated_us = max(updated_us, max(newest_us, default=0))
        login = self._tank.directory.get_account(device.account_id).login
        return FeedReference(
            device.device_id,
            f"{self._base_url}/users/{login}",
            format_time(updated_us, self._zone),
            format_time(device.created_us, self._zone),
        )

    def datastream(
        self,
        datastream: Datastream,
        history: list[Datapoint] | None = None,
        function: str | None = None,
        *,
        current: Current | None = None,
    ) -> DatastreamBody:
        """A datastream as the top object; `current` as for a feed."""
        find = current or self._tank.archive.current
        body = self._datastream(datastream, find(datastream.stream_id), history)
        body.version = VERSION
        body.datapoints_function = function or ""
        return body

    def _datastream(
        self, datastream: Datastream, current: CurrentValue | None, history: list[Datapoint] | None
    ) -> DatastreamBody:
        unit = datastream.unit
        body = DatastreamBody(
            id=datastream.name,
            tags=datastream.tags,
            unit=UnitBody(unit.type, unit.symbol, unit.label) if unit else None,
        )
        if current is not None:
            body.current_value = current.value
            if current.at_us is not None:
                body.at = format_time(current.at_us, self._zone)
            body.max_value = "" if current.maximum is None else repr(current.maximum)
            body.min_value = "" if current.minimum is None else repr(current.minimum)
        if history:
            body.datapoints = self.datapoints(history)
        return body

    def datapoints(self, datapoints: Sequence[Datapoint]) -> list[DatapointBody]:
        """Datapoints in the order given."""
        times = format_times([point.at_us for point in datapoints], self._zone)
        return [DatapointBody(point.value, at) for point, at in zip(datapoints, times, strict=True)]


def waypoint_bodies(waypoints: Sequence[Waypoint], zone: tzinfo | None) -> list[WaypointBody]:
    """Where a mobile feed was, oldest first."""
    times = format_times([waypoint.at_us for waypoint in waypoints], zone)
    return [
        WaypointBody(at, waypoint.lat, waypoint.lon, waypoint.ele)
        for waypoint, at in zip(waypoints, times, strict=True)
    ]


async def add_waypoints(tank: Tank, device: Device, body: FeedBody, zone: tzinfo | None) -> None:
    """Say in a feed's body where it was, if it is a mobile one."""
    if device.location is not None and device.location.disposition == "mobile":
        waypoints = await tank.directory.read_waypoints(device.device_id)
        body.location.waypoints = waypoint_bodies(waypoints, zone)


def _location_body(location: Location | None) -> LocationBody:
    if location is None:
        return LocationBody(domain="physical")
    return LocationBody(
        disposition=location.disposition,
        name=location.name,
        exposure=location.exposure,
        domain=location.domain,
        ele=location.ele,
        lat=location.lat,
        lon=location.lon,
    )
