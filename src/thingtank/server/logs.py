"""Logs: events with fields, one form for Django, uvicorn and ours. Never secrets.

One line for each event, whatever is in it; only in a terminal tracebacks are laid out.
"""

import logging
import os
import re
import sys
from collections.abc import MutableMapping
from typing import Any, TextIO

import structlog

from thingtank.server.log_settings import LogSettings
from thingtank.server.refusal_lines import RefusalLines

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
    r"(key|password|secret|signature|token)=[^&\s\"']+"
    r"|(/welcome/|/activate/|/devices/(?=[\w-]+/activate)|://[^/\s:@]*:(?=[^/\s@]+@))[^/\s@?\"']+",
    re.IGNORECASE,
)

_USUAL_FIRST = ("timestamp", "level", "event", "logger")
_PRIORITIES = {"debug": 7, "info": 6, "warning": 4, "error": 3, "critical": 2}

USUAL = LogSettings()


def _renderers(settings: LogSettings, stream: TextIO, in_journal: bool) -> list[Any]:
    """What makes a line of an event."""
    is_text = settings.format == "text" or (settings.format == "auto" and stream.isatty())
    if is_text and stream.isatty():
        # Tracebacks are text by then. Structlog 25 warns unless it is told that this is meant.
        return [structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)]
    steps: list[Any] = []
    if is_text:
        if in_journal:  # which has times of its own
            steps.append(_without_time)
        steps.append(_on_one_line)
        steps.append(structlog.processors.LogfmtRenderer(key_order=_USUAL_FIRST, drop_missing=True))
    else:
        steps.append(structlog.processors.JSONRenderer())
    return [_Prioritized(steps)] if in_journal else steps


def _is_journal(stream: TextIO) -> bool:
    """Whether what is written goes to the systemd journal (systemd.exec, JOURNAL_STREAM)."""
    try:
        status = os.fstat(stream.fileno())
    except (OSError, ValueError):
        return False
    return os.environ.get("JOURNAL_STREAM") == f"{status.st_dev}:{status.st_ino}"


_BREAKS = re.compile(r"[\x00-\x09\x0b-\x1f\x7f\x85\u2028\u2029]")  # the renderer knows of \n only


def _on_one_line(
    _logger: object, _method: str, event: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    for name, value in event.items():
        if isinstance(value, str):
            event[name] = _BREAKS.sub(lambda found: f"\\x{ord(found[0]):02x}", value)
    return event


def _without_time(
    _logger: object, _method: str, event: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    event.pop("timestamp", None)
    return event


class _Prioritized:
    """Puts an event's priority in front of its line, for the journal (sd-daemon(3))."""

    def __init__(self, steps: list[Any]) -> None:
        self._steps = steps

    def __call__(self, logger: Any, method: str, event: Any) -> str:
        priority = _PRIORITIES.get(event.get("level", "info"), 6)
        for step in self._steps:
            event = step(logger, method, event)
        return f"<{priority}>{event}"


def blot_secrets(
    _logger: object, _method: str, event: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    """Replace what may be a secret: fields by name, `key=…` and URLs' passwords within texts."""
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
    if isinstance(value, list | tuple):
        return [_blot("", inner) for inner in value]
    return value


def _blotted(match: re.Match[str]) -> str:
    return f"{match[1]}=…" if match[1] else f"{match[2]}…"


def set_up_logs(settings: LogSettings = USUAL) -> None:
    """Send all logs through structlog to one stream."""
    stream = sys.stdout if settings.stream == "stdout" else sys.stderr
    level = logging.getLevelNamesMapping()[settings.level.upper()]
    in_journal = _is_journal(stream)
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
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.make_filtering_bound_logger(level),
        cache_logger_on_first_use=True,
    )
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=shared,
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            *_renderers(settings, stream, in_journal),
        ],
    )
    handler = logging.StreamHandler(stream)
    handler.setFormatter(formatter)
    handler.addFilter(RefusalLines())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    # It tells four steps of every sign-in.
    logging.getLogger("axes").setLevel(logging.WARNING)
    logging.getLogger("uvicorn.error").setLevel(logging.WARNING)
    logging.getLogger("asyncio").setLevel(logging.WARNING)
    # It tells of the beginning and the end of every WebSocket connection.
    logging.getLogger("picows").setLevel(logging.WARNING)
