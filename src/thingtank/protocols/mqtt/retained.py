"""The last message of each topic that was published to be retained.

Topics are in one order, by code point, in which those below a level follow each other. A search by
topic filter goes through them and leaves out what cannot match:

| of `a/+/c` it has come to | it goes on at |
| --- | --- |
| `a/b/c`, which matches | the next |
| `a/b/b` | `a/b/c` |
| `a/b/d` | what is after all `a/b/…` |
| `a/b/c/d` | what is after all `a/b/c/…` |
| `a/b` | the next |

What it remembers is the topic it has come to, so between its pieces anything may change.

Source: MQTT 5, 3.3.1.3, 3.3.2.3.3, 4.7.
"""

from collections.abc import Iterator

from thingtank.protocols.mqtt.filter_tree import is_wild
from thingtank.protocols.mqtt.messages import Message
from thingtank.protocols.mqtt.retained_expiry import Expiry
from thingtank.protocols.mqtt.sorted_texts import SortedTexts

LOOKS_MAX = 1000  # of a piece of a search: some milliseconds
AHEAD = 32


class Retained:
    """At most one message a topic.

    Attributes:
        bytes: of topics, properties and payloads.
    """

    def __init__(self, count_max: int, bytes_max: int) -> None:
        """Start empty."""
        self.bytes = 0
        self._count_max = count_max
        self._bytes_max = bytes_max
        self._messages: dict[str, Message] = {}
        self._topics = SortedTexts()
        self._expiry = Expiry(self._expires_at_us)

    def __len__(self) -> int:
        return len(self._messages)

    def keep(self, message: Message) -> bool:
        """Keep a message in place of its topic's.

        Args:
            message: with a payload; one without is to `drop` its topic's.

        Returns:
            False if there is no room for it; its topic's stays. What has expired takes room until
            `expire` has removed it.
        """
        topic = message.topic
        before = self._messages.get(topic)
        if before is None and len(self._messages) >= self._count_max:
            return False
        size = self.bytes + message_bytes(message) - (message_bytes(before) if before else 0)
        if size > self._bytes_max:
            return False
        self.bytes = size
        self._messages[topic] = message
        if before is None:
            self._topics.add(topic)
        self._expiry.change(topic, before.expires_at_us if before else 0, message.expires_at_us)
        return True

    def drop(self, topic: str) -> bool:
        """Forget a topic's message; returns whether there was one."""
        message = self._messages.pop(topic, None)
        if message is None:
            return False
        self.bytes -= message_bytes(message)
        self._topics.remove(topic)
        self._expiry.change(topic, message.expires_at_us, 0)
        return True

    def get(self, topic: str, now_us: int) -> Message | None:
        """A topic's message, if there is one that has not expired."""
        message = self._messages.get(topic)
        if message is None or 0 < message.expires_at_us <= now_us:
            return None
        return message

    def search(self, topic_filter: str) -> "Search":
        """Begin a search that is carried on in pieces.

        Args:
            topic_filter: without `$share/NAME/`.
        """
        return Search(self, topic_filter)

    def matching(self, topic_filter: str, now_us: int) -> Iterator[Message]:
        """All messages whose topics match and that have not expired, by topic.

        To find the next one may take long among many that do not match: `search` is for the loop.
        """
        search = self.search(topic_filter)
        while not search.is_done:
            yield from search.take(now_us, LOOKS_MAX)

    def expire(self, now_us: int, count_max: int) -> list[str]:
        """Remove messages that have expired.

        Args:
            count_max: how many places in the order of expiry to look at.

        Returns:
            Their topics; when there may be more, `next_expiry_us` is not after `now_us`.
        """
        expired = []
        for topic in self._expiry.due(now_us, count_max):
            self.drop(topic)
            expired.append(topic)
        return expired

    @property
    def next_expiry_us(self) -> int | None:
        """When `expire` may next have something to do; None for never."""
        return self._expiry.next_us

    def page(self, after: str, count_max: int, prefix: str = "") -> list[Message]:
        """Some messages by topic, those that have expired and not been removed too.

        Args:
            after: the last topic of the page before; blank for the first page.
            prefix: what their topics begin with.

        Returns:
            Fewer than `count_max` when there are no more.
        """
        start = prefix if after < prefix else after + "\0"
        topics = self._topics.page(start, count_max)
        return [self._messages[each] for each in topics if each.startswith(prefix)]

    def _expires_at_us(self, topic: str) -> int:
        message = self._messages.get(topic)
        return 0 if message is None else message.expires_at_us


class Search:
    """Goes through what is retained, some at a time.

    What is there from beginning to end and matches is found once; what comes or goes meanwhile is
    found or not. Messages come by topic.

    Attributes:
        is_done: whether all has been looked at.
    """

    __slots__ = ("_levels", "_next", "_path", "_retained", "is_done")

    def __init__(self, retained: Retained, topic_filter: str) -> None:
        """Begin with the first topic that may match."""
        self.is_done = False
        self._retained = retained
        self._path = topic_filter
        self._levels = topic_filter.split("/")
        literals = 0
        while literals < len(self._levels) and self._levels[literals] not in ("+", "#"):
            literals += 1
        self._next = "/".join(self._levels[:literals])

    def take(self, now_us: int, count_max: int, looks_max: int = LOOKS_MAX) -> list[Message]:
        """The next messages that match and have not expired.

        Args:
            looks_max: how many topics to look at, at most and about.

        Returns:
            At most `count_max`, perhaps none; there may be more while not `is_done`.
        """
        retained = self._retained
        found: list[Message] = []
        if not self.is_done and not is_wild(self._path):
            self.is_done = True
            message = retained.get(self._path, now_us)
            return [] if message is None else [message]
        while not self.is_done and len(found) < count_max and looks_max > 0:
            topics = retained._topics.start_at(self._next, AHEAD)
            if not topics:
                self.is_done = True
            for topic in topics:
                if topic < self._next:
                    continue  # the one before said that these cannot match
                looks_max -= 1
                matches = self._go_on_from(topic)
                if matches and (message := retained.get(topic, now_us)) is not None:
                    found.append(message)
                if self.is_done or len(found) == count_max or looks_max <= 0:
                    break
        return found

    def _go_on_from(self, topic: str) -> bool:
        """Whether a topic matches; from where to look on, after it."""
        levels = topic.split("/")
        count = len(levels)
        self._next = topic + "\0"
        for at, level in enumerate(self._levels):
            if at == 0 and level in ("+", "#") and topic.startswith("$"):  # MQTT 5, 4.7.2-1
                self._next = "%"  # the character after it
                return False
            if level == "#":
                return True
            if at >= count:
                return False
            if level not in ("+", levels[at]):
                self._skip(levels, at, topic)
                return False
        if count == len(self._levels):
            return True
        self._next = "/".join(levels[: len(self._levels)]) + "0"  # the character after "/"
        return False

    def _skip(self, levels: list[str], at: int, topic: str) -> None:
        """Go on where the level that does not match would."""
        above = "/".join([*levels[:at], ""]) if at else ""
        wanted = above + self._levels[at]
        if topic < wanted:
            self._next = wanted
        elif topic < wanted + "/":
            self._next = wanted + "/"
        elif above:
            self._next = above[:-1] + "0"
        else:
            self.is_done = True


def message_bytes(message: Message) -> int:
    """How much room a message takes: its topic, properties and payload."""
    topic = message.topic
    topic_bytes = len(topic) if topic.isascii() else len(topic.encode())
    return topic_bytes + len(message.properties) + len(message.payload)
