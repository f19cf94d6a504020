"""Dead letters of a rule that somebody asked for, on their way once more.

They have a window of their own, which the rule steps in turn with what is fresh; so letters of a
device that is throttled hold up nobody. Letters of a device stay in order among themselves.
"""

from collections.abc import Iterable

from thingtank.server.sinks.message_reader import decode_item
from thingtank.sinks.engine import SinkEngine
from thingtank.sinks.rules.steps import Refused
from thingtank.sinks.rules.window import Window
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

    def __init__(
        self, rule_name: str, engine: SinkEngine, store: SinkStore, retry_s_max: float
    ) -> None:
        self._rule_name = rule_name
        self._engine = engine
        self._store = store
        self._retry_s_max = retry_s_max
        self._letter_ids: dict[str, int] = {}  # by the ids of items
        self._refused_ids: set[str] = set()  # somebody may ask for them again at any time
        self._is_settled = False  # some are, and others may take their place
        self.window = Window(engine, retry_s_max)
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
            self.window = Window(self._engine, self._retry_s_max)
            self._letter_ids = {}
        added = []
        for letter in stored:
            item = decode_item(letter.item)
            if item.item_id not in self._letter_ids:
                self._letter_ids[item.item_id] = letter.letter_id
                added.append((0, item))
        self.window.hold(added)
        self.is_at_work = bool(self._letter_ids)

    def refused(self, refused: Iterable[Refused]) -> None:
        """Items are dead letters, maybe once more: these stay."""
        self._refused_ids.update(
            item.item_id for item, _ in refused if item.item_id in self._letter_ids
        )

    def stepped(self) -> None:
        """Some were sent."""
        if not self.window.can_send:  # not after each call: it is a commit
            self._is_settled = len(self.window.waiting_ids()) < len(self._letter_ids)

    async def stop(self) -> None:
        """Remove what arrived; nothing is sent any more. Raise StorageFailed."""
        self.window.keep(is_last=True)
        await self._remove_arrived()

    async def _remove_arrived(self) -> None:
        name, waiting_ids = self._rule_name, self.window.waiting_ids()
        settled = {key: each for key, each in self._letter_ids.items() if key not in waiting_ids}
        arrived = [each for key, each in settled.items() if key not in self._refused_ids]
        if arrived:
            await self._store.run(lambda file: file.remove_letters(name, arrived))
        for key in settled:
            del self._letter_ids[key]
        self._refused_ids.clear()
