"""`POST /api/datapoints`: many values in one request, which leaves Django at once.

An ASGI app beside Django's: who asks is found as elsewhere, the body is decoded by msgspec within
bounds, and one group commit writes it. What Django REST framework has of it is its description.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from http import HTTPStatus
from typing import Any

import msgspec
import structlog
from django.core.exceptions import SuspiciousOperation
from django.http import QueryDict

from thingtank.net.asgi_answers import BodyTooLong, PeerLeft, read_body
from thingtank.protocols.xively.times import MalformedTime, parse_time, parse_times
from thingtank.tank.access import Caller
from thingtank.tank.actions.bulk import (
    BULK_DATAPOINTS_MAX,
    REFUSALS_MAX,
    BulkPoint,
    BulkRefused,
    record_bulk,
)
from thingtank.tank.datapoints import value_text
from thingtank.tank.errors import LimitReached, Unauthenticated
from thingtank.tank.request_log import SERVERS_OWN
from thingtank.tank.tank import Tank
from thingtank.validation_words import IN_JSON, validation_words
from thingtank.web import tank_access
from thingtank.web.api.admission import (
    Admitted,
    admit_account,
    admit_key,
    allowance_headers,
    count_stranger,
    presented,
)
from thingtank.web.api.bulk_log import BulkOutcome, BulkRequest, note_bulk
from thingtank.web.api.parameters import Parameter, read_parameters, truth
from thingtank.web.problems import (
    BAD_REQUEST,
    CSRF_FAILED,
    INTERNAL,
    LIMIT_REACHED,
    MALFORMED,
    TOO_LARGE,
    UNAVAILABLE,
    UNSUPPORTED_MEDIA_TYPE,
    VALIDATION_FAILED,
    ItemError,
    Problem,
    ProblemRaised,
    problem_body,
    problem_headers,
    problem_of,
)

log = structlog.get_logger()

PATH = "/api/datapoints"
JSON = "application/json"
JSON_LINES = ("application/x-ndjson", "application/jsonl")
ADMIT_S_MAX = 20.0

PARAMETERS: tuple[Parameter, ...] = (
    truth("create_missing", "Make datastreams that the devices do not have yet.", False),
)

Text = str | int | float | bool


class _Item(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, gc=False):
    """A datapoint as it comes."""

    device: int | str
    datastream: str
    value: Text
    at: str | None = None


_array = msgspec.json.Decoder(list[_Item])
_line = msgspec.json.Decoder(_Item)


class BulkWrites:
    """The ASGI app."""

    def __init__(self, tank: Tank) -> None:
        self._tank = tank

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer one request."""
        request = _request(scope)
        headers = {
            name.decode("latin-1"): text.decode("latin-1") for name, text in scope["headers"]
        }
        said: dict[str, str] = {}
        try:
            admitted = await self._admit(scope, headers)
            if admitted.allowance is not None:
                said = allowance_headers(admitted.allowance)
            items = await self._read_items(headers, receive)
            count = await self._write(admitted.caller, scope, items, request)
        except PeerLeft:
            return
        except Exception as error:  # noqa: BLE001 - the edge: what is a bug is logged
            await _refuse(send, _problem_of(error), said)
            return
        await _answer(send, HTTPStatus.OK, _written(count), said)

    async def _admit(self, scope: Any, headers: dict[str, str]) -> Admitted:
        client = scope.get("client")
        address = str(client[0]) if client else ""
        key = presented(headers)
        if key.secret:
            return await admit_key(self._tank, key, address)
        async with asyncio.timeout(ADMIT_S_MAX):
            caller = await tank_access.caller_of_headers(scope["headers"])
            if caller.account is None:
                await count_stranger(self._tank, address)
                raise Unauthenticated("an API key or a sign-in is needed")
            reason = await tank_access.why_not_from_here(scope)
        if reason:
            raise ProblemRaised(Problem(CSRF_FAILED, f"CSRF Failed: {reason}"))
        return await admit_account(self._tank, caller)

    async def _read_items(self, headers: dict[str, str], receive: Any) -> list[_Item]:
        decode: Callable[[bytes], list[_Item]] = _decoder_of(headers)
        return decode(await _read(receive, headers, self._tank.limits.request_bytes_max))

    async def _write(
        self, caller: Caller, scope: Any, items: list[_Item], request: BulkRequest
    ) -> int:
        """Write them, and tell the request log how that went."""
        tank = self._tank
        try:
            terms = read_parameters(QueryDict(scope["query_string"].decode("latin-1")), PARAMETERS)
            points = _points(items, tank.clock.now_us())
            count = await record_bulk(tank, caller, points, creates_missing=terms["create_missing"])
        except Exception as error:
            note_bulk(tank, request, caller, items, _outcome_of(error, items))
            raise
        outcome = BulkOutcome(HTTPStatus.OK, _written(count))
        note_bulk(tank, request, caller, items, outcome)
        return count


def _request(scope: Any) -> BulkRequest:
    client = scope.get("client")
    return BulkRequest(
        PATH,
        scope["query_string"],
        dict(scope["headers"]),
        str(client[0]) if client else "",
        time.perf_counter_ns(),
    )


def _written(count: int) -> bytes:
    return msgspec.json.encode({"written": count})


def _outcome_of(error: Exception, items: Sequence[_Item]) -> BulkOutcome:
    problem = _known_problem(error) or Problem(INTERNAL)
    if not isinstance(error, BulkRefused):
        reason = SERVERS_OWN if problem.type is INTERNAL else problem.detail
        return BulkOutcome(problem.type.status, b"", reason or problem.type.meaning)
    reasons: dict[int | str, str] = {}
    for each in error.refusals:
        reason = f"/{each.index}/{each.member} {each.reason}"
        reasons.setdefault(items[each.index].device, reason)
    others = "other datapoints of this request could not be written, so none was"
    return BulkOutcome(problem.type.status, b"", others, reasons)


def _decoder_of(headers: dict[str, str]) -> Any:
    media_type = headers.get("content-type", "").partition(";")[0].strip().lower()
    if headers.get("content-encoding", "identity").lower() != "identity":
        raise ProblemRaised(Problem(UNSUPPORTED_MEDIA_TYPE, "bodies are not compressed here"))
    if media_type == JSON:
        return _decode_array
    if media_type in JSON_LINES:
        return _decode_lines
    detail = f"send {JSON}, or JSON lines as {JSON_LINES[0]}"
    raise ProblemRaised(Problem(UNSUPPORTED_MEDIA_TYPE, detail))


async def _read(receive: Any, headers: dict[str, str], bytes_max: int) -> bytes:
    """The body.

    Raises:
        ProblemRaised: it is too large.
        PeerLeft.
    """
    declared = headers.get("content-length", "").encode("latin-1")
    try:
        return await read_body(receive, bytes_max, declared)
    except BodyTooLong:
        detail = f"the body may have {bytes_max} bytes; send it in parts"
        raise ProblemRaised(Problem(TOO_LARGE, detail)) from None


def _decode_array(body: bytes) -> list[_Item]:
    try:
        return _array.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ProblemRaised(_undecoded(error, list[_Item], "")) from None


def _decode_lines(body: bytes) -> list[_Item]:
    """Blank lines are skipped, and not counted."""
    items: list[_Item] = []
    for line in body.split(b"\n"):
        if not line.strip():
            continue
        if len(items) >= BULK_DATAPOINTS_MAX:
            raise LimitReached(f"at most {BULK_DATAPOINTS_MAX} datapoints are allowed in one write")
        try:
            items.append(_line.decode(line))
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise ProblemRaised(_undecoded(error, _Item, f"/{len(items)}")) from None
    return items


def _undecoded(error: Exception, shape: Any, pointer: str) -> Problem:
    """What msgspec found wrong, such as ``Expected `str`, got `int` - at `$[3].datastream```."""
    if not isinstance(error, msgspec.ValidationError):
        where = f"the JSON at {pointer}" if pointer else "the body"
        return Problem(MALFORMED, f"{where} is not JSON: {error}")
    path = str(error).partition(" - at `$")[2].rstrip("`").lstrip(".")
    if steps := path.replace("[", ".").replace("]", "").strip("."):
        pointer += "/" + steps.replace(".", "/")
    detail = validation_words(error, shape, IN_JSON)
    if path:  # which the pointer says
        detail = detail.removeprefix(f"`{path}` ").replace(f"`{path}.", "`")
    return Problem(
        VALIDATION_FAILED, f"{pointer or 'the body'}: {detail}", [ItemError(detail, pointer)]
    )


def _points(items: Sequence[_Item], now_us: int) -> list[BulkPoint]:
    times = _times(items, now_us)
    return [
        BulkPoint(item.device, item.datastream, at_us, value_text(item.value))
        for item, at_us in zip(items, times, strict=True)
    ]


def _times(items: Sequence[_Item], now_us: int) -> Sequence[int]:
    """When each is from; now, where it does not say."""
    texts = [item.at for item in items]
    if not texts:
        return []
    try:
        if None not in texts:
            return parse_times([text for text in texts if text is not None])
        return [now_us if text is None else parse_time(text) for text in texts]
    except (MalformedTime, OverflowError):
        raise ProblemRaised(_bad_times(texts)) from None


def _bad_times(texts: Sequence[str | None]) -> Problem:
    errors = []
    for index, text in enumerate(texts):
        try:
            if text is not None:
                parse_time(text)
        except (MalformedTime, OverflowError):
            errors.append(ItemError("is not an ISO 8601 time", f"/{index}/at"))
    return Problem(VALIDATION_FAILED, _detail(errors), errors[:REFUSALS_MAX])


def _detail(errors: Sequence[ItemError]) -> str:
    first = errors[0]
    more = f", and {len(errors) - 1} more" if len(errors) > 1 else ""
    return f"{first.pointer} {first.detail}{more}; nothing was written"


def _problem_of(error: Exception) -> Problem:
    problem = _known_problem(error)
    if problem is None:
        log.exception("api_request_failed", method="POST")
        problem = Problem(INTERNAL)
    return problem


def _known_problem(error: Exception) -> Problem | None:
    """What to answer; None for what is a bug."""
    if isinstance(error, BulkRefused):
        errors = [ItemError(each.reason, f"/{each.index}/{each.member}") for each in error.refusals]
        return Problem(VALIDATION_FAILED, _detail(errors), errors)
    if isinstance(error, LimitReached):
        return Problem(LIMIT_REACHED, str(error))
    if isinstance(error, TimeoutError):
        return Problem(UNAVAILABLE, "finding out who asks takes too long", retry_after_s=5)
    if isinstance(error, SuspiciousOperation):  # a query of very many parameters
        return Problem(BAD_REQUEST)
    return problem_of(error)


async def _refuse(send: Any, problem: Problem, said: dict[str, str]) -> None:
    headers = {**problem_headers(problem), **said}
    await _answer(send, problem.type.status, problem_body(problem, PATH), headers)


async def _answer(send: Any, status: int, body: bytes, said: dict[str, str]) -> None:
    headers = {
        "Content-Type": JSON,
        "Cache-Control": "no-store",
        "X-Content-Type-Options": "nosniff",
        **said,
        "Content-Length": str(len(body)),
    }
    lines = [(name.lower().encode(), text.encode()) for name, text in headers.items()]
    await send({"type": "http.response.start", "status": status, "headers": lines})
    await send({"type": "http.response.body", "body": body})
