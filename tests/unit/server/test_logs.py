"""No way of logging lets a secret through."""

import logging

import pytest
import structlog

from thingtank.server.logs import set_up_logs


def test_secrets_are_blotted_in_fields_texts_and_tracebacks(
    capsys: pytest.CaptureFixture[str],
) -> None:
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    try:
        set_up_logs()
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
    finally:
        root.handlers[:], root.level = before, level
        structlog.reset_defaults()
    logged = capsys.readouterr().err
    assert "request_failed" in logged
    assert "Traceback" in logged
    assert "Not Found" in logged
    assert "SECRET" not in logged
