"""What is wrong with rules that have the right types."""

import re
from collections import Counter
from collections.abc import Sequence

from thingtank.aws.names import check_name
from thingtank.protocols.xively.times import MalformedTime, parse_time
from thingtank.sources.settings import SourceRule
from thingtank.tank.tokens import uuid_problems

RULES_MAX = 100
VISIBILITY_S_MAX = 43_200  # SQS: 12 hours

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,39}")
_TABLE = re.compile(r"[A-Za-z0-9_.-]{3,255}")
_OF_ONE_ENGINE = {"stream": ("kinesis",), "leases": ("kinesis",), "queue": ("sqs", "queue")}


def problems_of(rules: Sequence[SourceRule]) -> list[str]:
    """What is wrong with the rules of the settings, in sentences; empty for nothing."""
    problems = [
        f"sources.rules: {rule.name or 'a rule'}: {problem}"
        for rule in rules
        for problem in rule_problems(rule)
    ]
    twice = sorted(name for name, n in Counter(rule.name for rule in rules).items() if n > 1)
    problems += [f"sources.rules: two rules are called {name}" for name in twice]
    if len(rules) > RULES_MAX:
        problems.append(f"sources.rules: there are {len(rules)}; at most {RULES_MAX} are allowed")
    return problems


def rule_problems(rule: SourceRule) -> list[str]:
    """What is wrong with one rule."""
    problems = []
    if _NAME.fullmatch(rule.name) is None:
        problems.append("`name` must be 1 to 40 letters, digits, - and _, a letter or digit first")
    for member, engines in _OF_ONE_ENGINE.items():
        if getattr(rule, member) and rule.engine not in engines:
            problems.append(f"`{member}` is for the engine {' or '.join(engines)}")
    needed = "stream" if rule.engine == "kinesis" else "queue"
    if not getattr(rule, needed):
        problems.append(f"`{needed}` must be given, as the engine is {rule.engine}")
    elif rule.engine != "queue":  # one of this machine is a folder of the data folder
        problems += _name_problems(rule)
    if rule.feed != "" and not _may_be_device(rule.feed):
        problems.append(f"`feed` must be a uuid or the number of a feed, not `{rule.feed}`")
    if rule.leases and _TABLE.fullmatch(rule.leases) is None:
        problems.append("`leases` must be 3 to 255 letters, digits, -, _ and .")
    if not 1 <= rule.visibility_s <= VISIBILITY_S_MAX:
        problems.append(f"`visibility_s` must be within 1 and {VISIBILITY_S_MAX}")
    if rule.receives_max < 1:
        problems.append(f"`receives_max` must be 1 or more, not {rule.receives_max}")
    try:
        start_us(rule.start)
    except MalformedTime:
        words = "`start` must be latest, oldest, or a time such as 2026-11-27T08:00:00Z"
        problems.append(f"{words}, not {rule.start}")
    return problems


def _name_problems(rule: SourceRule) -> list[str]:
    try:
        if rule.engine == "kinesis":
            check_name("stream", rule.stream)
        else:
            check_name("queue", rule.queue)
    except ValueError as error:
        return [str(error)]
    return []


def _may_be_device(feed: int | str) -> bool:
    return feed > 0 if isinstance(feed, int) else not uuid_problems(feed)


def start_us(start: str) -> int | None:
    """The instant of a rule's `start`; None for the two words.

    Raises:
        MalformedTime.
    """
    return None if start in ("latest", "oldest") else parse_time(start)
