"""Read what the head of a request asks for, and its body."""

from thingtank.doors.skynet.door import SkynetDoor
from thingtank.doors.skynet.rest.error_table import RestRefusal
from thingtank.doors.skynet.rest.replies import answer
from thingtank.doors.skynet.rest.requests import Reading, Request
from thingtank.doors.skynet.rest.routes import ROUTES, methods_of
from thingtank.net.http_request import RequestHead
from thingtank.protocols.skynet.credentials import SECRET_CHARS_MAX, credentials_of
from thingtank.protocols.skynet.parameters import (
    EMPTY,
    BadParameters,
    Body,
    read_body,
    read_query,
)
from thingtank.protocols.skynet.rest_paths import parse_path

QUERY_BYTES_MAX = 8192
_SHOWN_PATH_CHARS_MAX = 200


class RequestTooLarge(RestRefusal):
    """The body is larger than the settings allow."""

    def __init__(self, bytes_max: int, head: RequestHead) -> None:
        text = f"the body has more than {bytes_max} bytes"
        is_modern = credentials_of(head.headers) is not None or head.raw_path.startswith("/v")
        told = text if is_modern else {"message": text, "code": 413}
        super().__init__(answer({"error": told}, 413), text)


def read_head(door: SkynetDoor, head: RequestHead) -> Reading:
    """What a head asks for.

    Raises:
        RestRefusal: there is no such path, or not this method of it.
        BadParameters: its query cannot be read.
    """
    path = parse_path(head.raw_path)
    if path is None:
        raise _not_found(head)
    method = "GET" if head.method == "HEAD" else head.method
    route = ROUTES.get((path.pattern, method))
    if route is None or (route.handler is None and head.method == "HEAD"):
        raise _not_allowed(head, path.pattern)
    if len(head.query) > QUERY_BYTES_MAX:
        raise BadParameters(f"the query has more than {QUERY_BYTES_MAX} bytes")
    headers = head.headers
    content_type = headers.get(b"content-type", b"")
    credentials = credentials_of(headers)
    acts_as = headers.get(b"x-meshblu-as", b"")[:SECRET_CHARS_MAX]
    return Reading(
        path,
        route,
        credentials,
        read_query(head.query),
        content_type,
        acts_as.decode("latin-1").strip(),
        door.lets_in(head.texts()),
        is_legacy=credentials is None and not route.is_modern,
    )


def read_request(door: SkynetDoor, head: RequestHead, reading: Reading, sent: bytes) -> Request:
    """A request, of nobody yet.

    Args:
        sent: its body.

    Raises:
        RequestTooLarge, BadParameters.
    """
    bytes_max = door.settings.message_bytes_max
    if len(sent) > bytes_max:
        raise RequestTooLarge(bytes_max, head)
    body: Body = read_body(sent, reading.content_type) if sent else EMPTY
    query = reading.query
    parameters = {**query, **body.values} if query else body.values
    stranger = door.parties.stranger(head.address)
    return Request(head, reading.path, stranger, parameters, body, sent, reading.is_legacy)


def _not_found(head: RequestHead) -> RestRefusal:
    text = f"{head.raw_path[:_SHOWN_PATH_CHARS_MAX]} does not exist"
    return RestRefusal(answer({"code": "ResourceNotFound", "message": text}, 404), text)


def _not_allowed(head: RequestHead, pattern: str) -> RestRefusal:
    text = f"{head.method} is not allowed"
    reply = answer({"code": "MethodNotAllowedError", "message": text}, 405)
    reply.allow = ", ".join(methods_of(pattern))
    return RestRefusal(reply, text)
