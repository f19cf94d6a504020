"""Topic names and topic filters.

Source: MQTT 5, 4.7 and 4.8.2; MQTT 3.1.1, 4.7.
"""

from thingtank.protocols.mqtt.errors import MalformedPacket, TopicFilterInvalid, TopicNameInvalid
from thingtank.protocols.mqtt.octets import STRING_BYTES_MAX, check_characters

# Each level costs memory and time in the trees; real topics have a dozen.
TOPIC_LEVELS_MAX = 200

_SHARE = "$share/"


def check_topic_name(topic: str, levels_max: int = TOPIC_LEVELS_MAX) -> None:
    """Refuse what is no topic name.

    Raises:
        MalformedPacket: blank, too long, with a wildcard, or with characters not allowed.
        TopicNameInvalid: it has too many levels.

    Source: MQTT 5, 4.7.1 and 4.7.3; [MQTT-3.3.2-2].
    """
    _check_text(topic)
    if "+" in topic or "#" in topic:
        raise MalformedPacket("wildcard in a topic name [MQTT-3.3.2-2]")
    if topic.count("/") >= levels_max:
        raise TopicNameInvalid(f"topic name of more than {levels_max} levels")


def check_topic_filter(topic_filter: str, levels_max: int = TOPIC_LEVELS_MAX) -> None:
    """Refuse what is no topic filter, shared or not.

    Raises:
        MalformedPacket: blank, too long, wildcards not on levels of their own, `#` not last, a
            shared one without name or filter, or characters not allowed.
        TopicFilterInvalid: it has too many levels.

    Source: MQTT 5, 4.7.1, 4.7.3 and 4.8.2.
    """
    _check_text(topic_filter)
    if topic_filter.count("/") >= levels_max:
        raise TopicFilterInvalid(f"topic filter of more than {levels_max} levels")
    share_name, plain = split_shared(topic_filter)
    if share_name is not None and (not share_name or "+" in share_name or "#" in share_name):
        raise MalformedPacket("share name is blank or has a wildcard [MQTT-4.8.2-1]")
    if not plain:
        raise MalformedPacket("shared subscription without a topic filter [MQTT-4.8.2-2]")
    if "+" in plain or "#" in plain:
        _check_wildcards(plain)


def split_shared(topic_filter: str) -> tuple[str | None, str]:
    """Take `$share/NAME/FILTER` apart.

    Returns:
        NAME and FILTER, which is blank where there is none; or None and the filter as it is.

    Source: MQTT 5, 4.8.2.
    """
    if not topic_filter.startswith(_SHARE):
        return None, topic_filter
    share_name, _, plain = topic_filter[len(_SHARE) :].partition("/")
    return share_name, plain


def matches(topic_filter: str, topic: str) -> bool:
    """Whether a topic filter, not a shared one, matches a topic name.

    Both are taken to be well-formed.

    Source: MQTT 5, 4.7.1 to 4.7.3.
    """
    if topic_filter == topic:
        return True
    if topic[:1] == "$" and topic_filter[:1] in ("+", "#"):  # [MQTT-4.7.2-1]
        return False
    names = topic.split("/")
    levels = topic_filter.split("/")
    for place, level in enumerate(levels):
        if level == "#":  # the parent as well: `sport/#` matches `sport`
            return True
        if place == len(names) or level not in ("+", names[place]):
            return False
    return len(levels) == len(names)


def _check_text(text: str) -> None:
    if not text:
        raise MalformedPacket("blank topic name or filter [MQTT-4.7.3-1]")
    check_characters(text)
    # A character has up to four octets, so short ones need not be encoded to know.
    if len(text) * 4 > STRING_BYTES_MAX and len(text.encode()) > STRING_BYTES_MAX:
        raise MalformedPacket("topic name or filter of more than 65,535 octets [MQTT-4.7.3-3]")


def _check_wildcards(plain: str) -> None:
    levels = plain.split("/")
    if any(len(level) > 1 and ("+" in level or "#" in level) for level in levels):
        raise MalformedPacket("wildcard beside other characters [MQTT-4.7.1-1], [MQTT-4.7.1-2]")
    if "#" in levels[:-1]:
        raise MalformedPacket("# is not the last level [MQTT-4.7.1-1]")
