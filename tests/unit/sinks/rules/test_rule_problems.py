"""Rules of the settings: what is wrong is told in words, and passwords are never shown."""

from typing import Any

import msgspec
import pytest

from thingtank.sinks.rules.rule_problems import problems_of, rule_problems
from thingtank.sinks.rules.settings import SinkRule, SinkSettings

URL = "mysql://tank:very-secret@db.example/iot"
TO = {"engine": "sql", "url": URL, "table": "readings"}


def rule(**members: Any) -> SinkRule:
    return msgspec.convert({"name": "r", "to": TO, **members}, SinkRule)


@pytest.mark.parametrize(
    ("members", "problem"),
    [
        ({"name": ""}, "`name` must be"),
        ({"name": "-a"}, "`name` must be"),
        ({"name": "x" * 41}, "`name` must be"),
        ({"feeds": []}, "`feeds` names none"),
        ({"feeds": list(range(1001))}, "more than 1000"),
        ({"gather_s": -1}, "`gather_s`"),
        ({"gather_s": 901}, "`gather_s`"),
        ({"send": "messages", "datastreams": ["t"]}, "`datastreams` are for rules"),
        ({"send": "topics"}, "`topics` names none"),
        ({"topics": ["a"]}, "`topics` are for rules"),
        ({"send": "topics", "topics": ["a"], "tag": "out"}, "`feeds` and `tag` are for rules"),
        ({"send": "topics", "topics": ["a"], "datastreams": ["t"]}, "`datastreams` are for"),
        ({"send": "topics", "topics": [f"a/{n}" for n in range(101)]}, "more than 100"),
        ({"send": "topics", "topics": ["a/b#"]}, "'a/b#': wildcard beside other characters"),
        ({"send": "topics", "topics": ["#/a"]}, "# is not the last level [MQTT-4.7.1-1]"),
        ({"send": "topics", "topics": [""]}, "blank topic name or filter [MQTT-4.7.3-1]"),
        ({"send": "topics", "topics": ["a" * 1025]}, "at most 1,024 characters"),
        ({"send": "topics", "topics": ["$share/g/a"]}, "shares with nobody"),
        ({"send": "topics", "topics": ["$SYS/#"]}, "the broker's own figures"),
        ({"send": "topics", "topics": ["/v2/feeds/+"]}, "are values"),
        ({"send": "topics", "topics": ["+/v2/feeds/#"]}, "are values"),
        ({"template": "{{a}}"}, "`template`: there is no {{a}}"),
        ({"to": {}}, "`engine` must be one of"),
        ({"to": {"engine": "carrier-pigeon"}}, "`engine` must be one of"),
        ({"to": {"engine": "sql"}}, "`url` is missing"),
        ({"to": {**TO, "colour": "red"}}, "there is no setting `colour`"),
        ({"to": {**TO, "table": "a b"}}, "`table` must be"),
        ({"to": {**TO, "url": "oracle://a/b"}}, "`url` must be mysql://"),
        ({"to": {**TO, "url": "mysql://h"}}, "`url` mysql://h must be"),
        ({"to": {**TO, "url": "mysql://h:x/b"}}, "is no URL"),
        ({"to": {**TO, "url": "mysql://h/b?color=1"}}, "option color"),
        ({"to": {**TO, "url": "sqlite://x"}}, "must be"),
    ],
)
def test_a_mistake_is_told(members: dict[str, Any], problem: str) -> None:
    (found,) = rule_problems(rule(**members))
    assert problem in found


def test_what_is_named_twice_is_kept_once() -> None:
    made = rule(feeds=[2, 1, 2], datastreams=["t", "t"])
    assert (made.feeds, made.datastreams) == ((2, 1), ("t",))
    made = rule(send="topics", topics=["b/#", "a/#", "b/#"])
    assert (made.topics, made.feeds) == (("b/#", "a/#"), "all")


def test_a_right_rule_has_no_problems() -> None:
    whole = rule(feeds=[1, 2], tag="out", datastreams=["t*"], template="{{value}}", gather_s=1.5)
    assert rule_problems(whole) == []
    assert rule_problems(rule(send="topics", topics=["plant/+/state", "#", "$other/a"])) == []
    assert rule_problems(rule(to={**TO, "url": {"environment": "SINK_URL"}})) == []


def test_two_rules_of_one_name_are_told() -> None:
    assert problems_of([rule(), rule()]) == ["sinks.rules: two rules are called r"]


def test_the_password_is_in_the_target_and_nowhere_else() -> None:
    made = rule()
    assert made.target["url"] == URL
    settings = SinkSettings((made,))
    assert "very-secret" not in repr(settings)
    assert "very-secret" not in str(msgspec.to_builtins(settings))
    for url in ("mysql:/tank:very-secret@h/iot", {"text": "very-secret"}):
        assert "very-secret" not in repr(rule(to={**TO, "url": url}))
    assert rule(to={**TO, "url": {"file": "/run/iot"}}).to["url"] == {"file": "/run/iot"}
    bad = rule(to={**TO, "url": f"{URL}/more:x"})
    assert "very-secret" not in " ".join(rule_problems(bad))
