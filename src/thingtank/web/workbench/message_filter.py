"""Which messages a page shows: what its address asks for, and what its reader may see."""

from thingtank.tank.access import Caller
from thingtank.tank.errors import NoSuchDevice, ValidationFailed
from thingtank.tank.interfaces import DeviceQuery
from thingtank.tank.messaging.messages import Message
from thingtank.tank.messaging.topic_filter import TopicFilter
from thingtank.tank.tank import Tank
from thingtank.tank.things import Device
from thingtank.web.workbench.asked import Asked

NAMED_MAX = 1000  # devices that a name may mean


class AskedMessages(Asked, frozen=True):
    """What an address asks for; blank for any.

    Attributes:
        device: a uuid, or words of a name.
        topic: patterns with `*`, separated by commas.
        text: that stands in the message.
    """

    device: str = ""
    topic: str = ""
    text: str = ""


class MessageFilter:
    """Says of each message whether somebody wants it and may see it.

    An admin sees all, others what is from or to a device of their account.
    """

    def __init__(
        self,
        tank: Tank,
        caller: Caller,
        asked: AskedMessages,
        device_ids: frozenset[int] | None,
        topics: TopicFilter | None,
    ) -> None:
        """See `make_filter`."""
        account = caller.account
        assert account is not None, "pages of messages are for signed-in people"
        self._tank = tank
        self._account_id = account.account_id
        self._is_admin = account.is_admin
        self._device_ids = device_ids
        self._topics = topics
        self._text = asked.text.lower()

    def wants(self, message: Message, device: Device) -> bool:
        """Whether to show a message to a device, or a device's broadcast."""
        wanted_ids = self._device_ids
        if wanted_ids is not None and wanted_ids.isdisjoint((device.device_id, message.from_id)):
            return False
        if not (self._is_admin or self._is_own(device) or self._is_from_own(message)):
            return False
        if self._topics is not None and not self._topics.wants(message.topic):
            return False
        return not self._text or self._text in message.encoded("modern").decode().lower()

    def _is_own(self, device: Device) -> bool:
        return device.account_id == self._account_id

    def _is_from_own(self, message: Message) -> bool:
        if not message.from_id:
            return False
        try:
            return self._is_own(self._tank.directory.get_device(message.from_id))
        except NoSuchDevice:
            return False


async def make_filter(tank: Tank, caller: Caller, asked: AskedMessages) -> MessageFilter:
    """What an address asks for, for one reader.

    Raises:
        Overloaded: too many searches wait already.
    """
    device_ids = await _named(tank, caller, asked.device) if asked.device else None
    patterns = [each.strip() for each in asked.topic.split(",") if each.strip()]
    try:
        topics = TopicFilter(patterns) if patterns else None
    except ValidationFailed:
        topics = TopicFilter(patterns[:1])
    return MessageFilter(tank, caller, asked, device_ids, topics)


async def _named(tank: Tank, caller: Caller, words: str) -> frozenset[int]:
    """The devices that a uuid or a name means, of those that the reader may see."""
    account = caller.account
    assert account is not None
    device = tank.directory.find_device_by_uuid(words)
    if device is not None:
        return frozenset({device.device_id})
    query = DeviceQuery(
        account_id=account.account_id,
        everybody=account.is_admin,
        with_public=True,
        text=words,
        per_page=NAMED_MAX,
    )
    found = await tank.search_devices(query)
    return frozenset(each.device_id for each in found.devices)
