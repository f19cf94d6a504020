"""XML (EEML 0.5.1): read what clients send into documents, write answers.

Read are both EEML 0.5.1 and EEML 5, with or without their namespaces: they differ in where a
datastream's current value stands, and no element means one thing here and another there. Texts are
stripped, as the service did. An element that is empty clears its member, one that is absent leaves
it as it is.

Source: Xively API v2, data formats; xively-rb, parsers/xml and templates/xml.
"""

from typing import Any
from xml.etree.ElementTree import Element

from msgspec import UNSET, UnsetType

from thingtank.protocols.xively import xml_writer
from thingtank.protocols.xively.documents import (
    DatapointBody,
    DatapointDocument,
    DatastreamBody,
    DatastreamDocument,
    FeedBody,
    FeedDocument,
    FeedReference,
    FeedsBody,
    LocationBody,
    LocationDocument,
    UnitDocument,
)
from thingtank.protocols.xively.errors import ErrorBody, MalformedXml
from thingtank.protocols.xively.xml_reader import child_of, own_text, read_xml, text_of
from thingtank.protocols.xively.xml_writer import add, add_named

NAMESPACE = "http://www.eeml.org/xsd/0.5.1"
OPENSEARCH_NAMESPACE = "http://a9.com/-/spec/opensearch/1.1/"
XSI_NAMESPACE = "http://www.w3.org/2001/XMLSchema-instance"
_EEML = {
    "xmlns": NAMESPACE,
    "xmlns:xsi": XSI_NAMESPACE,
    "version": "0.5.1",
    "xsi:schemaLocation": f"{NAMESPACE} {NAMESPACE}/0.5.1.xsd",
}
_OPENSEARCH = {"xmlns:opensearch": OPENSEARCH_NAMESPACE}


# --- in ------------------------------------------------------------------------------------------


def parse_feed(body: bytes) -> FeedDocument:
    """Read a feed document; raises MalformedXml."""
    environment = _environment(body)
    location = child_of(environment, "location")
    return FeedDocument(
        title=_member(environment, "title"),
        private=_member(environment, "private"),
        icon=_member(environment, "icon"),
        website=_member(environment, "website"),
        email=_member(environment, "email"),
        description=_member(environment, "description"),
        tags=_tags(environment),
        location=UNSET if location is None else _location(location),
        updated=environment.get("updated"),
        datastreams=[_datastream(data) for data in environment.findall("data")] or None,
    )


def parse_datastream(body: bytes) -> DatastreamDocument:
    """Read a datastream document; raises MalformedXml."""
    return _datastream(_only_data(body))


def parse_datastreams(body: bytes) -> list[DatastreamDocument]:
    """Read the list that creates datastreams; raises MalformedXml."""
    return [_datastream(data) for data in _environment(body).findall("data")]


def parse_datapoints(body: bytes) -> list[DatapointDocument]:
    """Read a list of datapoints; raises MalformedXml."""
    return _datapoints(_only_data(body)) or []


def parse_datapoint(body: bytes) -> DatapointDocument:
    """Read the new value of a datapoint; raises MalformedXml."""
    datapoints = parse_datapoints(body)
    if len(datapoints) > 1:
        raise MalformedXml("Multiple 'value' nodes are not permitted for Datapoint level XML")
    return datapoints[0] if datapoints else DatapointDocument()


def _environment(body: bytes) -> Element:
    root = read_xml(body)
    found = child_of(root, "environment") if root.tag == "eeml" else None
    if found is None:
        raise MalformedXml("Missing 'environment' node from base node")
    return found


def _only_data(body: bytes) -> Element:
    found = _environment(body).findall("data")
    if len(found) > 1:
        raise MalformedXml("Multiple 'data' nodes are not permitted for Datastream level XML")
    if not found:
        raise MalformedXml("Missing 'data' node from source document")
    return found[0]


def _member(parent: Element, name: str) -> str | UnsetType:
    text = text_of(parent, name)
    return UNSET if text is None else text


def _tags(parent: Element) -> list[str | int | float | bool] | UnsetType:
    """One element a tag; a blank one alone clears them."""
    found = parent.findall("tag")
    return [text for tag in found if (text := own_text(tag))] if found else UNSET


def _location(location: Element) -> LocationDocument:
    return LocationDocument(
        name=_member(location, "name"),
        lat=_member(location, "lat"),
        lon=_member(location, "lon"),
        ele=_member(location, "ele"),
        disposition=location.get("disposition", UNSET),
        exposure=location.get("exposure", UNSET),
        domain=location.get("domain", UNSET),
    )


def _datastream(data: Element) -> DatastreamDocument:
    current = child_of(data, "current_value")
    if current is None:
        current = child_of(data, "value")  # EEML 5
    value, at = (None, None) if current is None else _value(current)
    unit = child_of(data, "unit")
    return DatastreamDocument(
        id=data.get("id"),
        current_value=value,
        at=at,
        datapoints=_datapoints(data),
        min_value=_extreme(data, current, "min_value", "minValue"),
        max_value=_extreme(data, current, "max_value", "maxValue"),
        tags=_tags(data),
        unit=UNSET if unit is None else _unit(unit),
    )


def _value(element: Element) -> tuple[str | None, str | None]:
    """Value and time. A blank value without a time is none, as null is in JSON."""
    text, at = own_text(element), element.get("at") or None
    return (text if text or at else None), at


def _extreme(data: Element, current: Element | None, name: str, attribute: str) -> Any:
    """An element in EEML 0.5.1, an attribute of the value in EEML 5 and of python-eeml."""
    text = text_of(data, name)
    if text is not None:
        return text
    return UNSET if current is None else current.get(attribute, UNSET)


def _unit(unit: Element) -> UnitDocument:
    return UnitDocument(
        type=unit.get("type", UNSET), symbol=unit.get("symbol", UNSET), label=own_text(unit)
    )


def _datapoints(data: Element) -> list[DatapointDocument] | None:
    datapoints = child_of(data, "datapoints")
    if datapoints is None:
        return None
    pairs = [_value(value) for value in datapoints.findall("value")]
    return [DatapointDocument(value, at) for value, at in pairs]


# --- out -----------------------------------------------------------------------------------------


def serialize_feed(body: FeedBody, *, is_history: bool = False) -> bytes:
    """Write a feed; `is_history` makes no difference here."""
    eeml = xml_writer.root("eeml", _EEML)
    _add_feed(eeml, body)
    return xml_writer.document(eeml)


def serialize_feeds(body: FeedsBody) -> bytes:
    """Write a page of feeds."""
    eeml = xml_writer.root("eeml", _EEML | _OPENSEARCH)
    add_page(eeml, body)
    for feed in body.results:
        _add_feed(eeml, feed)
    return xml_writer.document(eeml)


def serialize_datastream(
    body: DatastreamBody, feed: FeedReference, *, is_history: bool = False
) -> bytes:
    """Write a datastream inside what is told of its feed."""
    eeml = xml_writer.root("eeml", _EEML)
    attributes = {"updated": feed.updated, "created": feed.created, "id": str(feed.id)}
    if not feed.created:
        del attributes["created"]
    environment = add(eeml, "environment", "", attributes | {"creator": feed.creator})
    _add_datastream(environment, body)
    return xml_writer.document(eeml)


def serialize_datapoint(body: DatapointBody) -> bytes:
    """Write a datapoint."""
    eeml = xml_writer.root("eeml", _EEML)
    data = add(add(eeml, "environment"), "data")
    add(add(data, "datapoints"), "value", body.value, {"at": body.at})
    return xml_writer.document(eeml)


def serialize_error(body: ErrorBody) -> bytes:
    """Write a refusal: one client reads the texts of the first two children."""
    errors = xml_writer.root("errors")
    add(errors, "title", body.title)
    for text in [body.errors] if isinstance(body.errors, str) else body.errors:
        add(errors, "error", text)
    return xml_writer.document(errors)


def add_page(eeml: Element, body: FeedsBody) -> None:
    """Add the elements that tell which page of feeds this is."""
    add(eeml, "opensearch:totalResults", str(body.totalResults))
    add(eeml, "opensearch:startIndex", str(body.startIndex))
    add(eeml, "opensearch:itemsPerPage", str(body.itemsPerPage))


def _add_feed(eeml: Element, body: FeedBody) -> None:
    attributes = {"updated": body.updated, "created": body.created, "id": str(body.id)}
    environment = add(eeml, "environment", "", attributes | {"creator": body.creator})
    add_named(
        environment,
        {
            "title": body.title,
            "feed": body.feed.removesuffix(".json") + ".xml",
            "status": body.status,
            "description": body.description,
            "icon": body.icon,
            "website": body.website,
            "email": body.email,
            "product_id": body.product_id,
            "device_serial": body.device_serial,
            "private": body.private,
        },
    )
    for tag in body.tags:
        add(environment, "tag", tag)
    _add_waypoints(add_location(environment, body.location), body.location)
    if body.user is not None:
        add(add(environment, "user"), "login", body.user.login)
    for datastream in body.datastreams:
        _add_datastream(environment, datastream)


def add_location(environment: Element, body: LocationBody) -> Element:
    """Add a location: its three attributes are there even when they are blank."""
    attributes = {
        "domain": body.domain,
        "exposure": body.exposure,
        "disposition": body.disposition,
    }
    location = add(environment, "location", "", attributes)
    add_named(location, {"name": body.name} | _place(body.lat, body.lon, body.ele))
    return location


def _place(lat: float | None, lon: float | None, ele: str) -> dict[str, str]:
    return {
        "lat": "" if lat is None else repr(lat),
        "lon": "" if lon is None else repr(lon),
        "ele": ele,
    }


def _add_waypoints(location: Element, body: LocationBody) -> None:
    """Add where a feed was; a mobile one that was nowhere else has an empty list."""
    if body.disposition != "mobile" and not body.waypoints:
        return
    waypoints = add(location, "waypoints")
    for point in body.waypoints:
        waypoint = add(waypoints, "waypoint", "", {"at": point.at})
        add_named(waypoint, _place(point.lat, point.lon, point.ele))


def _add_datastream(environment: Element, body: DatastreamBody) -> None:
    data = add(environment, "data", "", {"id": body.id})
    for tag in body.tags:
        add(data, "tag", tag)
    if body.current_value is not None:
        add(data, "current_value", body.current_value, {"at": body.at} if body.at else None)
    add_named(data, {"max_value": body.max_value, "min_value": body.min_value})
    add_unit(data, body)
    if body.datapoints:
        function = body.datapoints_function
        datapoints = add(data, "datapoints", "", {"function": function} if function else None)
        for point in body.datapoints:
            add(datapoints, "value", point.value, {"at": point.at})


def add_unit(data: Element, body: DatastreamBody) -> None:
    """Add a datastream's unit, if it has one; the label is the text."""
    unit = body.unit
    if unit is None:
        return
    named = {"type": unit.type, "symbol": unit.symbol}
    add(data, "unit", unit.label, {name: text for name, text in named.items() if text})
