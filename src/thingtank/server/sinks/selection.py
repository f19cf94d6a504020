"""Which datastreams a rule wants, by the archive's numbers, as the directory changes."""

from collections.abc import Collection, Sequence
from fnmatch import fnmatchcase
from typing import NamedTuple

from thingtank.sinks.rules.settings import SinkRule
from thingtank.stores.sink_file import GoneStream
from thingtank.tank.errors import NoSuchDevice
from thingtank.tank.interfaces import Directory
from thingtank.tank.things import Device

_ALL = 2**31
_SAID_MAX = 500_000


class Stream(NamedTuple):
    """One datastream of a device, as items name it."""

    device_id: int
    uuid: str
    name: str


class Selection:
    """What one rule wants.

    Attributes:
        streams: stream_id → whose it is. Of devices that are gone as well, until `drop_gone`: what
            they wrote before may still be on its way.
        has_other_gone: whether there are others of these than when it was set to False.
    """

    def __init__(self, rule: SinkRule, directory: Directory) -> None:
        self._rule = rule
        self._directory = directory
        self._ids = None if rule.feeds == "all" else frozenset(rule.feeds)
        self._tag = rule.tag.lower()
        self._of_device: dict[int, frozenset[int]] = {}
        self._gone: list[int] = []
        self.has_other_gone = False
        self.streams: dict[int, Stream] = {}
        self._said_ids: set[int] = set()  # wanted or not
        self._said_and_gone: set[int] = set()

    def load(self, gone: Sequence[GoneStream] = ()) -> None:
        """Look at all devices; from any thread, before anything else is done with it.

        Args:
            gone: what was there before the start, and of which there may be values to send.
        """
        if self._rule.send != "values":
            return  # each message names its device, or its topic
        if self._ids is None:
            devices = self._directory.devices_matching(self.wants, _ALL)
        else:
            devices = [device for each in self._ids if (device := self._find(each)) is not None]
        for device in devices:
            self.put(device)
        for each in gone:
            is_wanted = self._ids is None or each.device_id in self._ids  # its tags are gone too
            if is_wanted and self._wants_name(each.name) and each.stream_id not in self.streams:
                self.streams[each.stream_id] = Stream(each.device_id, each.uuid, each.name)
                self._gone.append(each.stream_id)

    def put(self, device: Device) -> None:
        """A device was made or changed."""
        if self._rule.send != "values":
            return
        if not self.wants(device):
            self.drop(device.device_id)
            return
        found = {
            datastream.stream_id: Stream(device.device_id, device.uuid, name)
            for name, datastream in self._directory.datastreams(device.device_id).items()
            if self._wants_name(name)
        }
        # Those that went while the device stayed.
        self._add_gone([each for each in self._ids_of(device.device_id) if each not in found])
        self._of_device[device.device_id] = frozenset(found)
        self._said_ids -= {key for key in found if self.streams.get(key) != found[key]}
        self.streams.update(found)

    def drop(self, device_id: int) -> None:
        """A device is gone, or wanted no more."""
        self._add_gone(self._of_device.pop(device_id, ()))

    def _add_gone(self, stream_ids: Collection[int]) -> None:
        self._gone += stream_ids
        self.has_other_gone |= bool(stream_ids)

    def gone(self) -> list[GoneStream]:
        """What is gone and known until `drop_gone`."""
        return [
            GoneStream(stream_id, *stream)
            for stream_id in self._gone
            if (stream := self.streams.get(stream_id)) is not None
            and stream_id not in self._ids_of(stream.device_id)
        ]

    def drop_gone(self) -> None:
        """All that was written until now is settled."""
        if self._gone:
            for stream_id in self._gone:
                stream = self.streams.get(stream_id)
                if stream is not None and stream_id not in self._ids_of(stream.device_id):
                    del self.streams[stream_id]
                    if stream_id in self._said_ids:
                        self._said_ids.remove(stream_id)
                        self._said_and_gone.add(stream_id)
            self._gone = []
            self.has_other_gone = True

    def news_of(self, stream_ids: set[int]) -> list[tuple[int, Stream | None]]:
        """Whose datastreams are, of those of which that was not said, or was something else.

        None where the rule does not want it; of those that are wanted no more unasked.
        """
        if len(self._said_ids) > _SAID_MAX:  # many that were never wanted, or are long gone
            self._said_ids.clear()
        new_ids = (stream_ids - self._said_ids) | self._said_and_gone
        self._said_ids |= stream_ids
        self._said_and_gone.clear()
        return [(stream_id, self.streams.get(stream_id)) for stream_id in new_ids]

    def say_all_again(self) -> None:
        """Whoever was told has forgotten it."""
        self._said_ids.clear()
        self._said_and_gone.clear()

    def _ids_of(self, device_id: int) -> frozenset[int]:
        return self._of_device.get(device_id, frozenset())

    def _find(self, device_id: int) -> Device | None:
        try:
            device = self._directory.get_device(device_id)
        except NoSuchDevice:
            return None
        return device if self.wants(device) else None

    def wants(self, device: Device) -> bool:
        """Whether a device is one of those that the rule names."""
        if self._ids is not None and device.device_id not in self._ids:
            return False
        return not self._tag or any(tag.lower() == self._tag for tag in device.tags)

    def _wants_name(self, name: str) -> bool:
        patterns = self._rule.datastreams
        return not patterns or any(fnmatchcase(name, pattern) for pattern in patterns)
