"""No way of logging lets a secret through, or a stranger fill the log."""

import ast
import contextlib
import json
import logging
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import structlog

from thingtank.server.log_settings import LogSettings
from thingtank.server.logs import set_up_logs
from thingtank.server.request_ids import RequestIds


@contextlib.contextmanager
def logs_set_up(**settings: Any) -> Iterator[None]:
    """Logs as the server has them, for a while."""
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    try:
        set_up_logs(LogSettings(**settings))
        yield
    finally:
        root.handlers[:], root.level = before, level
        structlog.reset_defaults()


@pytest.mark.parametrize("is_terminal", [True, False], ids=["in a terminal", "in a file"])
def test_secrets_are_blotted_in_fields_texts_and_tracebacks(
    is_terminal: bool, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: is_terminal)
    with logs_set_up():
        try:
            raise ValueError("GET /v2/feeds?key=SECRET-1 failed")
        except ValueError:
            structlog.get_logger().exception(
                "request_failed",
                api_key="SECRET-2",
                url="/welcome/SECRET-3",
                headers={"X-ApiKey": "SECRET-4"},
                rows=[{"token": "SECRET-6"}, "?api_key=SECRET-7"],
                database="postgres://tank:SECRET-8@db/tank",
                line="Password=SECRET-9",
            )
        logging.getLogger("django.request").warning("Not Found: %s", "/x?key=SECRET-5")
    text = capsys.readouterr().err
    assert "request_failed" in text
    assert text.count("Traceback") == 1  # and none of the logging's own, such as a warning's
    assert "Not Found" in text
    assert "SECRET" not in text


@pytest.mark.parametrize(("status", "has_traceback"), [(403, False), (404, False), (503, False), (500, True)])  # fmt: skip
def test_only_a_bug_of_a_page_brings_its_traceback(
    capsys: pytest.CaptureFixture[str], status: int, has_traceback: bool
) -> None:
    with logs_set_up():
        try:
            raise ValueError("feed 7 belongs to somebody else")
        except ValueError as error:
            logger = logging.getLogger("django.request")
            logger.warning("Refused: /7", exc_info=error, extra={"status_code": status})
    text = capsys.readouterr().err
    assert "Refused" in text
    assert ("Traceback" in text) == has_traceback


def test_a_refused_host_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    with logs_set_up():
        try:
            raise ValueError("Invalid HTTP_HOST header")
        except ValueError as error:
            logger = logging.getLogger("django.security.DisallowedHost")
            logger.error(str(error), exc_info=error)
    text = capsys.readouterr().err
    assert "Invalid HTTP_HOST header" in text
    assert "Traceback" not in text


def test_websocket_connections_that_come_and_go_are_not_told(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with logs_set_up():
        logging.getLogger("picows.server.7").info("New connection accepted: %s", "203.0.113.9")
        logging.getLogger("picows.server.7").warning("something is wrong")
    text = capsys.readouterr().err
    assert "New connection" not in text
    assert "something is wrong" in text


FORGED = "two\nlines\r\n<2>and a third"


@pytest.mark.parametrize("format", ["auto", "text", "json"])
def test_an_event_is_one_line_whatever_is_in_it(
    format: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with logs_set_up(format=format):
        try:
            raise ValueError(FORGED)
        except ValueError:
            structlog.get_logger("tests").exception("it_broke", client_id=FORGED)
        logging.getLogger("django.request").warning("Not Found: %s", FORGED)
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 2, lines
    assert "it_broke" in lines[0]
    assert "Traceback" in lines[0]


def test_json_lines_have_the_same_names_for_all(capsys: pytest.CaptureFixture[str]) -> None:
    with logs_set_up(format="json"):
        structlog.get_logger("tests").warning("it_broke", feed_id=7)
        logging.getLogger("django.request").error("Failed: %s", "/x")
    ours, others = (json.loads(line) for line in capsys.readouterr().err.splitlines())
    assert set(ours) - {"feed_id"} == {"event", "level", "logger", "timestamp"}
    assert {"event", "level", "logger", "timestamp"} <= set(others)
    assert (ours["feed_id"], ours["level"], others["level"]) == (7, "warning", "error")


@pytest.mark.parametrize(
    ("level", "told"),
    [("debug", 4), ("info", 3), ("warning", 2), ("error", 1)],
)
def test_what_is_less_is_left_out(
    level: str, told: int, capsys: pytest.CaptureFixture[str]
) -> None:
    with logs_set_up(level=level):
        log = structlog.get_logger()
        for each in ("debug", "info", "warning", "error"):
            getattr(log, each)("something")
    assert len(capsys.readouterr().err.splitlines()) == told


def test_the_stream_is_a_choice(capsys: pytest.CaptureFixture[str]) -> None:
    with logs_set_up(stream="stdout"):
        structlog.get_logger().info("something")
    told = capsys.readouterr()
    assert "something" in told.out
    assert told.err == ""


@pytest.mark.parametrize(
    ("format", "pattern"),
    [
        ("text", r"<3>level=error event=it_broke( logger=\S*)? feed_id=7"),
        ("json", r'<3>\{.*"event": "it_broke".*"timestamp": ".*\}'),
    ],
)
def test_the_journal_is_told_how_bad_it_is(
    format: str, pattern: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with (tmp_path / "journal").open("w+") as journal:
        status = os.fstat(journal.fileno())
        monkeypatch.setenv("JOURNAL_STREAM", f"{status.st_dev}:{status.st_ino}")
        monkeypatch.setattr(sys, "stderr", journal)
        with logs_set_up(format=format):
            structlog.get_logger().error("it_broke", feed_id=7)
        journal.seek(0)
        assert re.fullmatch(pattern, journal.read().rstrip("\n"))


@pytest.mark.parametrize(
    ("given", "is_taken"),
    [("0123456789abcdef", True), ("proxy-1.request_7", True), ("short", False), ("a" * 65, False), ("with space and more", False)],
)  # fmt: skip
async def test_a_pages_log_and_answer_have_its_requests_id(
    given: str, is_taken: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    async def page(scope: Any, receive: Any, send: Any) -> None:
        structlog.get_logger().info("page_made")
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    transport = httpx.ASGITransport(RequestIds(page))
    with logs_set_up(format="json"):
        async with httpx.AsyncClient(transport=transport, base_url="http://tank.test") as http:
            reply = await http.get("/", headers={"X-Request-Id": given})
        structlog.get_logger().info("afterwards")
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    first, second = [line for line in lines if line["event"] in ("page_made", "afterwards")]
    assert first["request_id"] == reply.headers["x-request-id"]
    assert (first["request_id"] == given) is is_taken
    assert "request_id" not in second


ONE_NAME_FOR_ONE_THING = {
    "why": "reason",
    "error": "reason",
    "peer": "address",
    "ip": "address",
    "device": "device_id",
    "feed": "feed_id",
    "client": "client_id",
    "n": "count",
    "duration": "duration_s",
}


def test_events_are_constant_words_and_fields_have_one_name_each() -> None:
    source = Path(__file__).parents[3] / "src" / "thingtank"
    wrong = []
    for path in sorted(source.rglob("*.py")):
        text = path.read_text()
        if "structlog.get_logger" not in text:
            continue  # the client library, whose programs have logs of their own
        for call in ast.walk(ast.parse(text)):
            if not _is_log_call(call):
                continue
            assert isinstance(call, ast.Call)
            event = call.args[0]
            if isinstance(event, ast.Constant) and not re.fullmatch(r"[a-z]+(_[a-z]+)+", event.value):  # fmt: skip
                wrong.append(f"{path.name}:{call.lineno} {event.value!r}")
            if isinstance(event, ast.JoinedStr):
                wrong.append(f"{path.name}:{call.lineno} an event with values in it")
            wrong += [
                f"{path.name}:{call.lineno} {each.arg}, not {ONE_NAME_FOR_ONE_THING[each.arg]}"
                for each in call.keywords
                if each.arg in ONE_NAME_FOR_ONE_THING
            ]
    assert wrong == []


def _is_log_call(node: ast.AST) -> bool:
    return (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and isinstance(node.func.value, ast.Name)
        and node.func.value.id == "log"
        and node.func.attr in ("debug", "info", "warning", "error", "exception")
    )
