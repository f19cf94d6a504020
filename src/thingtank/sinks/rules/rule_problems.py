"""What is wrong with rules that have the right types."""

import math
import re
from collections import Counter
from collections.abc import Sequence

from thingtank.sinks.engines import BadEngine, engine_settings, place_problem
from thingtank.sinks.own_places import OwnPlaces
from thingtank.sinks.rules.settings import SinkRule
from thingtank.sinks.rules.templates import BadTemplate, compile_template
from thingtank.sinks.rules.topic_problems import topic_problems

RULES_MAX = 100
FEEDS_MAX = 1000
DATASTREAMS_MAX = 100
GATHER_S_MAX = 900.0

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,39}")


def problems_of(rules: Sequence[SinkRule], own: OwnPlaces | None = None) -> list[str]:
    """What is wrong with the rules of the settings, in sentences; empty for nothing.

    Args:
        own: where no rule may write; None if it is not known.
    """
    problems = [
        f"sinks.rules: {rule.name or 'a rule'}: {problem}"
        for rule in rules
        for problem in rule_problems(rule, own)
    ]
    twice = sorted(name for name, n in Counter(rule.name for rule in rules).items() if n > 1)
    problems += [f"sinks.rules: two rules are called {name}" for name in twice]
    if len(rules) > RULES_MAX:
        problems.append(f"sinks.rules: there are {len(rules)}; at most {RULES_MAX} are allowed")
    return problems


def rule_problems(rule: SinkRule, own: OwnPlaces | None = None) -> list[str]:
    """What is wrong with one rule; see `problems_of`."""
    problems = []
    if _NAME.fullmatch(rule.name) is None:
        problems.append("`name` must be 1 to 40 letters, digits, - and _, a letter or digit first")
    if isinstance(rule.feeds, tuple) and not rule.feeds:
        problems.append('`feeds` names none; write "all" for all of them')
    if isinstance(rule.feeds, tuple) and len(rule.feeds) > FEEDS_MAX:
        problems.append(f"`feeds` names more than {FEEDS_MAX}; give them a tag and name that")
    if rule.datastreams and rule.send != "values":
        problems.append("`datastreams` are for rules that send values")
    problems += topic_problems(rule)
    if len(rule.datastreams) > DATASTREAMS_MAX:
        problems.append(f"`datastreams` names more than {DATASTREAMS_MAX}")
    gather_s = rule.gather_s or 0.0
    if not (math.isfinite(gather_s) and 0 <= gather_s <= GATHER_S_MAX):
        problems.append(f"`gather_s` must be within 0 and {GATHER_S_MAX:.0f}, not {gather_s}")
    try:
        compile_template(rule.template)
    except BadTemplate as error:
        problems.append(f"`template`: {error}")
    try:
        engine_settings(rule.target)
        if own is not None and (problem := place_problem(rule.target, own)):
            problems.append(f"`to`: {problem}")
    except BadEngine as error:
        problems.append(f"`to`: {error}")
    return problems
