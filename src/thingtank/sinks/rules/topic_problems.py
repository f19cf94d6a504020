"""What is wrong with the topic filters of a rule, in the words of MQTT."""

from thingtank.net.blotting_texts import blotted_string
from thingtank.protocols.mqtt.errors import MqttError
from thingtank.protocols.mqtt.topics import check_topic_filter, split_shared
from thingtank.protocols.xively.api_topics import api_topic_of
from thingtank.sinks.rules.settings import SinkRule

TOPICS_MAX = 100
FILTER_CHARS_MAX = 1024

_SHOWN_CHARS_MAX = 100


def topic_problems(rule: SinkRule) -> list[str]:
    """What is wrong with what a rule says of topics, in sentences; empty for nothing."""
    if rule.send != "topics":
        return ['`topics` are for rules with `send = "topics"`'] if rule.topics else []
    problems = []
    if not rule.topics:
        problems.append('`topics` names none; the topic filter "#" is for all of them')
    if len(rule.topics) > TOPICS_MAX:
        problems.append(f"`topics` names more than {TOPICS_MAX}")
    if rule.feeds != "all" or rule.tag:
        problems.append("`feeds` and `tag` are for rules that send values or messages of devices")
    for topic_filter in rule.topics[:TOPICS_MAX]:
        if problem := _problem_of(topic_filter):
            shown = blotted_string(topic_filter)[:_SHOWN_CHARS_MAX]
            problems.append(f"`topics`: {shown!r}: {problem}")
    return problems


def _problem_of(topic_filter: str) -> str:
    if len(topic_filter) > FILTER_CHARS_MAX:
        return f"a topic filter has at most {FILTER_CHARS_MAX:,} characters here"
    try:
        check_topic_filter(topic_filter)
    except MqttError as error:
        return str(error)
    share_name, _ = split_shared(topic_filter)
    if share_name is not None:
        return "a rule shares with nobody: write the topic filter behind the share name alone"
    if topic_filter == "$SYS" or topic_filter.startswith("$SYS/"):
        return "the broker's own figures are not sent on; /metrics has them"
    if api_topic_of(topic_filter) is not None:
        return 'what is written to feeds are values: a rule with `send = "values"` sends them'
    return ""
