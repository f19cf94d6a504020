"""Logs: events with fields, one form for Django, uvicorn and ours. Never secrets.

Columns in a terminal, a JSON object a line otherwise; on standard error.
"""

import logging
import re
import sys
from collections.abc import MutableMapping
from typing import Any

import structlog

_SECRET_FIELDS = frozenset(
    {
        "api_key",
        "authorization",
        "cookie",
        "key",
        "password",
        "secret",
        "signature",
        "ticket",
        "token",
        "x-apikey",
    }
)
_SECRET_IN_TEXT = re.compile(
    r"\b(key|oauth_token|token)=[^&\s\"']+"
    r"|(/welcome/|/activate/|/devices/(?=[\w-]+/activate))[\w-]+"
)


def blot_secrets(
    _logger: object, _method: str, event: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    """Replace what may be a secret: fields by name, `key=…` within texts."""
    for name, value in event.items():
        event[name] = _blot(name, value)
    return event


def _blot(name: object, value: Any) -> Any:
    if isinstance(name, str) and name.lower() in _SECRET_FIELDS:
        return "…"
    if isinstance(value, str):
        return _SECRET_IN_TEXT.sub(_blotted, value)
    if isinstance(value, dict):
        return {key: _blot(key, inner) for key, inner in value.items()}
    return value


def _blotted(match: re.Match[str]) -> str:
    return f"{match[1]}=…" if match[1] else f"{match[2]}…"


def _refusals_in_one_line(record: logging.LogRecord) -> bool:
    """Keep a page's refusal to what it says; anyone can cause as many as he likes.

    Only a 500 is a bug whose traceback is wanted.
    """
    is_refusal = record.name == "django.request" and getattr(record, "status_code", 500) != 500
    if is_refusal or record.name.startswith("django.security."):
        record.exc_info = None
    return True


def set_up_logs(level: int = logging.INFO) -> None:
    """Send all logs through structlog to standard error."""
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.PositionalArgumentsFormatter(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
        # Before the blotting: a traceback's last line often quotes the request.
        structlog.processors.format_exc_info,
        blot_secrets,
    ]
    ending: list[Any] = [
        # Tracebacks are text by then. Structlog 25 warns unless it is told that this is meant.
        structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
        if sys.stderr.isatty()
        else structlog.processors.JSONRenderer()
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.make_filtering_bound_logger(level),
        cache_logger_on_first_use=True,
    )
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=shared,
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *ending],
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(formatter)
    handler.addFilter(_refusals_in_one_line)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    # It tells four steps of every sign-in.
    logging.getLogger("axes").setLevel(logging.WARNING)
    logging.getLogger("uvicorn.error").setLevel(logging.WARNING)
    logging.getLogger("asyncio").setLevel(logging.WARNING)
    # It tells of the beginning and the end of every WebSocket connection.
    logging.getLogger("picows").setLevel(logging.WARNING)
