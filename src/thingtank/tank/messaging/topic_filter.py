"""Which topics of messages somebody wants.

Source: Meshblu, subscribe, `topics`: names with `*` for any letters, and `-` before what is not
wanted.
"""

import fnmatch
import re
from collections.abc import Sequence

from thingtank.tank.errors import ValidationFailed

TOPICS_MAX = 50
TOPIC_CHARS_MAX = 255  # of a message's, further ones are not looked at
STARS_MAX = 10  # of one pattern


class TopicFilter:
    """A list of patterns."""

    __slots__ = ("_unwanted", "_wanted")

    def __init__(self, topics: Sequence[str]) -> None:
        """Take patterns.

        Raises:
            ValidationFailed: too many, or too long.
        """
        if len(topics) > TOPICS_MAX:
            raise ValidationFailed([("topics", f"are too many (maximum is {TOPICS_MAX})")])
        if any(len(topic) > TOPIC_CHARS_MAX for topic in topics):
            raise ValidationFailed(
                [("topics", f"are too long (maximum is {TOPIC_CHARS_MAX} characters)")]
            )
        if any(topic.count("*") > STARS_MAX for topic in topics):
            raise ValidationFailed([("topics", f"have too many * (maximum is {STARS_MAX})")])
        self._unwanted = [_pattern(topic[1:]) for topic in topics if topic.startswith("-")]
        self._wanted = [_pattern(topic) for topic in topics if not topic.startswith("-")]

    def wants(self, topic: str) -> bool:
        """Whether a message of a topic, or of none, is wanted."""
        topic = topic[:TOPIC_CHARS_MAX]
        if any(pattern.fullmatch(topic) for pattern in self._unwanted):
            return False
        return not self._wanted or any(pattern.fullmatch(topic) for pattern in self._wanted)


def _pattern(topic: str) -> re.Pattern[str]:
    # `fnmatch` knows two signs more than `*`, and patterns that cannot be slow.
    return re.compile(fnmatch.translate(topic.replace("[", "[[]").replace("?", "[?]")))
