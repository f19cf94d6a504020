"""Dead letters of a rule that somebody asked for, on their way once more.

They have a window of their own, which the rule steps in turn with what is fresh; so letters of a
device that is throttled hold up nobody. Letters of a device stay in order among themselves.
"""

from collections.abc import Iterable

from thingtank.server.sinks.sending.calls import RefusedItem
from thingtank.server.sinks.sending.remote_rule import RemoteWindow
from thingtank.sinks.engine import decode_item
from thingtank.stores.sink_store import SinkStore

_LETTERS_AT_ONCE = 500


class LetterRetry:
    """Lives in the loop's thread.

    Attributes:
        window: letters that are to be sent; all of them are held, so that each device has a pause
            of its own and a call that fails for letters stops nothing else.
        is_changed: whether letters were asked for, or removed, since it looked.
        is_at_work: whether letters are on their way.
    """

    def __init__(self, rule_name: str, window: RemoteWindow, store: SinkStore) -> None:
        self._rule_name = rule_name
        self._store = store
        self._letter_ids: dict[str, int] = {}  # by the ids of items
        self._refused_ids: set[str] = set()  # somebody may ask for them again at any time
        self._is_settled = False  # some are, and others may take their place
        self.window = window
        self.is_changed = False
        self.is_at_work = False

    @property
    def has_to_read(self) -> bool:
        """Whether `read` has something to do."""
        return self.is_changed or self._is_settled

    @property
    def wait_s(self) -> float:
        """Until there is something to do; infinite if there is nothing."""
        return 0.0 if self.has_to_read else self.window.wait_s()

    async def read(self) -> None:
        """Remove the letters that arrived, and take up those that are asked for.

        Raises:
            StorageFailed, sqlite3.Error: it is to be called once more.
        """
        name, is_changed = self._rule_name, self.is_changed
        self.is_changed = False  # somebody may ask while it reads
        try:
            await self._remove_arrived()
            stored = await self._store.run(lambda file: file.asked(name, _LETTERS_AT_ONCE))
        except BaseException:
            self.is_changed = self.is_changed or is_changed
            raise
        self._is_settled = False
        if is_changed:  # what is removed must not be sent, and what is asked for is tried now
            self._letter_ids = {}
        added = []
        for letter in stored:
            item_id = decode_item(letter.item).item_id
            if item_id not in self._letter_ids:
                self._letter_ids[item_id] = letter.letter_id
                added.append((item_id, letter.item))
        self.window.hold(added, is_anew=is_changed)
        self.is_at_work = bool(self._letter_ids)

    def begin_again(self) -> None:
        """What its window had is lost: have those that are asked for sent once more."""
        self._letter_ids = {}
        self._refused_ids.clear()
        self.is_changed = True

    def refused(self, refused: Iterable[RefusedItem]) -> None:
        """Items are dead letters, maybe once more: these stay."""
        self._refused_ids.update(
            each.item_id for each in refused if each.item_id in self._letter_ids
        )

    def stepped(self) -> None:
        """Some were sent."""
        if not self.window.can_send:  # not after each call: it is a commit
            self._is_settled = len(self.window.waiting_ids) < len(self._letter_ids)

    async def stop(self) -> None:
        """Remove what arrived; nothing is sent any more.

        Not where it is not known what arrived, or a letter was refused and that is not on disk.

        Raises:
            StorageFailed, EngineFailed, SendingFault.
        """
        is_known = not self.window.is_unanswered
        kept = await self.window.keep(is_last=True)
        if is_known and not kept.unrecorded_count:
            await self._remove_arrived()

    async def _remove_arrived(self) -> None:
        name, waiting_ids = self._rule_name, self.window.waiting_ids
        settled = {key: each for key, each in self._letter_ids.items() if key not in waiting_ids}
        arrived = [each for key, each in settled.items() if key not in self._refused_ids]
        if arrived:
            await self._store.run(lambda file: file.remove_letters(name, arrived))
        for key in settled:
            del self._letter_ids[key]
        self._refused_ids.clear()
