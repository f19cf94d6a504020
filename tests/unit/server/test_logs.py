"""No way of logging lets a secret through, or a stranger fill the log."""

import contextlib
import logging
import sys
from collections.abc import Iterator

import pytest
import structlog

from thingtank.server.logs import set_up_logs


@contextlib.contextmanager
def logs_set_up() -> Iterator[None]:
    """Logs as the server has them, for a while."""
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    try:
        set_up_logs()
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
