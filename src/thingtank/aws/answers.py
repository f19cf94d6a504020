"""Whether what answered a call is AWS, or something that speaks as it does.

Behind an address that is none of AWS there may be a proxy's page or any other server, and it may
say 200. botocore takes what it finds there for an answer with nothing in it, or breaks down.
"""

import json
import re
from collections.abc import Mapping
from typing import Any

from botocore.parsers import ResponseParserError, ResponseParserFactory

_OWN_JSON = "application/x-amz-json"
_ROOT = re.compile(rb"<(?:[A-Za-z_][\w.-]*:)?([A-Za-z_][\w.-]*)")
_ROOT_WITHIN_BYTES = 4096  # a declaration and comments may be before it
_PAGE_TYPES = ("text/html", "text/plain", "application/json")


class Parsers(ResponseParserFactory):  # type: ignore[misc] # botocore has no types
    """Parsers of botocore's; what they break down at is told as what they find to be broken."""

    def create_parser(self, protocol_name: str) -> Any:
        """One parser of a protocol."""
        return _Parser(super().create_parser(protocol_name))


class _Parser:
    def __init__(self, parser: Any) -> None:
        self._parser = parser

    def parse(self, response: dict[str, Any], shape: Any) -> Any:
        try:
            return self._parser.parse(response, shape)
        except (AttributeError, LookupError, TypeError, ValueError) as error:
            raise ResponseParserError(f"{type(error).__name__}: {error}") from None


def refuse_other_answers(operation_model: Any, response_dict: dict[str, Any], **_: Any) -> None:
    """Look at an answer before it is parsed; a handler of botocore's event `before-parse`.

    Raises:
        ResponseParserError: it is none of AWS; botocore says so only of XML that is broken.
    """
    status = response_dict["status_code"]
    protocol = operation_model.service_model.resolved_protocol
    if protocol.endswith("json"):
        is_other = _is_other_json(operation_model, response_dict, is_refusal=status >= 300)
    elif protocol == "rest-xml" and status == 500:
        # botocore's own handler of this event makes a 200 a 500 where no whole XML is with it.
        is_other = bool(response_dict["body"]) and _is_page(response_dict["body"])
    elif status >= 300:
        # A page with 500 and more is of a load balancer of AWS too, which has a bad moment.
        is_other = status < 500 and _root(response_dict["body"]) == b"html"
    elif protocol == "rest-xml":
        is_other = _is_other_rest(operation_model, response_dict)
    else:  # botocore has newer ones, such as CBOR, which it may choose one day
        is_query = protocol in ("query", "ec2")
        is_other = is_query and not _root(response_dict["body"]).endswith(b"response")
    if is_other:
        if status < 300 and operation_model.has_streaming_output:
            response_dict["body"].close()
        raise ResponseParserError(f"what answered {operation_model.name} is another server")


def _is_other_json(operation: Any, response: Mapping[str, Any], *, is_refusal: bool) -> bool:
    """AWS and most stand-ins say what JSON theirs is; in any other, a member must be known."""
    if operation.has_event_stream_output or operation.has_streaming_output:
        return False
    body = response["body"]
    if _content_type(response).startswith(_OWN_JSON) and body.lstrip()[:1] in (b"{", b""):
        return False  # not read twice: there may be many megabytes of records
    try:
        found = json.loads(body) if body else {}
    except ValueError:  # a page; that of a refusal is told by its status
        return not is_refusal
    if not isinstance(found, dict):
        return True
    members = _members(operation)
    if is_refusal or not members:
        return False
    return not body or (bool(found) and members.keys().isdisjoint(found))


def _is_other_rest(operation: Any, response: Mapping[str, Any]) -> bool:
    """An object's bytes may be anything, a page too: what stands beside them must tell."""
    body, method = response["body"], operation.http.get("method")
    etag = _members(operation).get("ETag")
    if etag is not None and etag.serialization.get("location") == "header":
        return "etag" not in response["headers"]
    if method == "HEAD":
        is_named = any(name.lower().startswith("x-amz") for name in response["headers"])
        return not is_named and _content_type(response).startswith(_PAGE_TYPES)
    if operation.has_event_stream_output or _is_of_any_bytes(operation.output_shape):
        return False
    return _is_page(body) if body.strip() else method == "GET"


def _is_of_any_bytes(shape: Any) -> bool:
    payload = shape.members.get(shape.serialization.get("payload")) if shape is not None else None
    return payload is not None and payload.type_name in ("blob", "string")


def _is_page(body: bytes) -> bool:
    return _root(body) in (b"", b"html")


def _members(operation: Any) -> Mapping[str, Any]:
    shape = operation.output_shape
    return shape.members if shape is not None else {}


def _content_type(response: Mapping[str, Any]) -> str:
    return str(response["headers"].get("content-type", "")).lower()


def _root(body: bytes) -> bytes:
    """The name of XML's first element; blank for what is no XML."""
    begin = body[:_ROOT_WITHIN_BYTES].lstrip(b"\xef\xbb\xbf \t\r\n")
    found = _ROOT.search(begin) if begin.startswith(b"<") else None
    return found[1].lower() if found else b""
