"""Who takes messages besides subscribers: owners of topics, other doors, who writes them down."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from thingtank.protocols.mqtt.messages import Message, Subscription
from thingtank.protocols.mqtt.reason_codes import ReasonCode

if TYPE_CHECKING:
    from thingtank.protocols.mqtt.session import Session

Done = Callable[[ReasonCode], None]
Recorded = Callable[[Exception | None], None]


class Intake(Protocol):
    """Takes the messages of one topic."""

    @property
    def keeps_messages(self) -> bool:
        """Whether it keeps a QoS 2 message of a persistent session at once, by the same keeper.

        Then the packet id is kept at once, too, so that neither is on disk without the other; else
        when the message is done with. What is taken twice then, after a crash, must do no harm.
        """

    def take(self, session: "Session", message: Message, done: Done) -> None:
        """Take one, and say what became of it: only then is it acknowledged.

        `done` may be called at once, or later from the loop; once. SERVER_BUSY says that it was not
        taken, and would be if it came again: the connection ends without an acknowledgement.
        """


class TopicOwner(Protocol):
    """Owns topics: takes what is published to them, and says what is in them."""

    def find_intake(self, topic: str) -> Intake | None:
        """Who takes messages of this topic; None if it is one like others."""

    def find_intake_of(self, session: "Session", topic: str) -> Intake | None:
        """Who takes those of one client, of a topic that is like others for everybody else.

        Asked once for each topic that a connection publishes to, until what it may do changes.
        """

    def connected(self, session: "Session") -> None:
        """A client has come, and has been greeted; what waited for it has been sent."""

    def disconnected(self, session: "Session") -> None:
        """It has gone; its session may go on."""

    def subscribed(self, session: "Session", subscription: Subscription) -> None:
        """A client has subscribed; what is known now may be sent to it."""

    def unsubscribed(self, session: "Session", subscription: Subscription) -> None:
        """It has unsubscribed, or its session has ended."""


class Listener(Protocol):
    """Hears messages of the users' own topics: other doors do, as far as somebody listens."""

    def wants(self, topic: str) -> bool:
        """Whether it does those of this topic; remembered until the broker hears of changes."""

    def hear(self, message: Message) -> None:
        """Take one."""

    def retained(self, message: Message) -> None:
        """One is to be retained, whether it wants it or not; a blank one to be forgotten."""


class Recorder(Protocol):
    """Writes messages of the users' own topics down, before their publishers are told of them."""

    @property
    def is_behind(self) -> bool:
        """Whether so much waits for the disk that publishers are to be slowed down."""

    def wants(self, topic: str) -> bool:
        """Whether it does those of this topic; remembered until the broker hears of changes."""

    def record(self, message: Message, recorded: Recorded | None) -> None:
        """Take one.

        Args:
            recorded: called once, from the loop and never from within this call: with None when
                the message is on disk, or with why it cannot be. None where nobody waits.
        """

    def when_caught_up(self, call: Callable[[], None]) -> None:
        """Call, from the loop, once it is not behind any more."""
