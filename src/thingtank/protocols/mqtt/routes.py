"""Where the messages of one topic go: found once, remembered until something changes."""

from typing import TYPE_CHECKING, NamedTuple

from thingtank.protocols.mqtt.messages import Subscription

if TYPE_CHECKING:
    from thingtank.protocols.mqtt.intake import Intake
    from thingtank.protocols.mqtt.session import Session
    from thingtank.protocols.mqtt.subscriptions import Group, Matched

ROUTES_MAX = 100_000  # that a broker remembers, all topics together


class Target(NamedTuple):
    """A session that gets the messages of a topic.

    Attributes:
        qos: the highest of its subscriptions.
        is_special: whether they ask for more than a QoS, so that it gets octets of its own.
    """

    session: "Session"
    qos: int
    is_special: bool
    subscriptions: tuple[Subscription, ...]


class Route:
    """The receivers of one topic.

    Attributes:
        octets: the topic name.
        version: of the subscriptions when it was found; 0 for never.
        intake: who takes the messages in place of all others.
        is_recorded: whether the broker's recorder wants the messages.
        relays_once: whether QoS 0 messages need nothing but to be sent to `direct`.
        relays: whether none of QoS 1 and 2 does either.
        matched: what `direct` and `groups` were made of.
        epoch: of the broker, when they were.
        may_keep: whether somebody may get its messages who is owed them after a restart.
        is_of_one: one client's, whose messages alone the intake takes; not the broker's.
    """

    __slots__ = (
        "direct",
        "epoch",
        "groups",
        "intake",
        "is_of_one",
        "is_overheard",
        "is_recorded",
        "matched",
        "may_keep",
        "octets",
        "relays",
        "relays_once",
        "topic",
        "version",
    )

    def __init__(self, topic: str, octets: bytes) -> None:
        self.topic = topic
        self.octets = octets
        self.version = 0
        self.epoch = 0
        self.matched: Matched[Session] | None = None
        self.direct: list[Target] = []
        self.groups: list[Group[Session]] = []
        self.intake: Intake | None = None
        self.is_overheard = False
        self.is_recorded = False
        self.relays_once = False
        self.relays = False
        self.may_keep = False
        self.is_of_one = False

    @property
    def is_empty(self) -> bool:
        """Whether nobody gets its messages."""
        return not (
            self.direct or self.groups or self.intake or self.is_overheard or self.is_recorded
        )


def route_of_one(route: Route, intake: "Intake") -> Route:
    """The same topic for one client, whose messages somebody takes."""
    own = Route(route.topic, route.octets)
    own.intake, own.is_of_one = intake, True
    return own


def target_of(session: "Session", subscriptions: tuple[Subscription, ...]) -> Target:
    """Merge overlapping subscriptions: one message, at the highest QoS (MQTT 5, 3.3.4)."""
    is_special = any(each.identifier or each.no_local for each in subscriptions)
    return Target(session, max(each.qos for each in subscriptions), is_special, subscriptions)
