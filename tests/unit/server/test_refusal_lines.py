"""Who is refused often fills no disk: few lines of one kind, and the next says how many more."""

import logging

from thingtank.server.refusal_lines import LINES_MAX, PERIOD_S, RefusalLines


def line(status: int, name: str = "django.request") -> logging.LogRecord:
    made = logging.LogRecord(name, logging.WARNING, "", 1, "Unauthorized: %s", ("/api/x",), None)
    made.status_code = status
    return made


def test_of_many_refusals_of_one_kind_few_are_written_and_then_counted() -> None:
    now_s = [1000.0]
    lines = RefusalLines(lambda: now_s[0])
    assert [lines.filter(line(401)) for _ in range(LINES_MAX + 7)] == [True] * LINES_MAX + [False] * 7  # fmt: skip
    assert lines.filter(line(403)), "another kind"
    assert lines.filter(line(500)), "a bug"
    assert lines.filter(line(401, "thingtank.x")), "what is none"
    now_s[0] += PERIOD_S
    after = line(401)
    assert lines.filter(after)
    assert after.getMessage() == "Unauthorized: /api/x (and 7 more before it)"
    again = line(401)
    assert lines.filter(again)
    assert again.getMessage() == "Unauthorized: /api/x"


def test_a_refusal_is_written_without_a_traceback_and_a_bug_with_it() -> None:
    lines = RefusalLines()
    for status, is_kept in ((401, False), (503, False), (500, True)):
        record = line(status)
        record.exc_info = (ValueError, ValueError("x"), None)
        assert lines.filter(record)
        assert (record.exc_info is not None) is is_kept
