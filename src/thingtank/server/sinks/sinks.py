"""All rules of an instance: set to work, looked at, made, paused and ended.

Rules come from the settings, where only they can be changed, and from the workbench, which keeps
them in the data folder. What they remember is in `sinks.sqlite3`, which is made with the first one.
"""

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import msgspec
import structlog

from thingtank.server.sinks.engine_facts import engine_facts
from thingtank.server.sinks.gone_rules import gone_status
from thingtank.server.sinks.gone_streams import GoneStreams
from thingtank.server.sinks.kept_rules import RuleSealer, UnreadableRule
from thingtank.server.sinks.message_reader import MessageReader, Reader
from thingtank.server.sinks.messages import SinkMessages
from thingtank.server.sinks.rounds import round_problem
from thingtank.server.sinks.runner import KINDS, SinkRunner
from thingtank.server.sinks.selection import Selection
from thingtank.server.sinks.sending.process import SendingProcess
from thingtank.server.sinks.topics import SinkTopics
from thingtank.server.sinks.waiting_items import WaitingItems
from thingtank.sinks.engine import EngineParts, decode_item
from thingtank.sinks.engines import BadEngine, make_engine
from thingtank.sinks.rules.settings import SinkRule, SinkSettings
from thingtank.sources.settings import SourceRule
from thingtank.stores.journal_readers import JournalReader
from thingtank.stores.sink_file import FILE_NAME, RulePlace, SinkFile, StoredLetter
from thingtank.stores.sink_store import SinkStore
from thingtank.tank.errors import NotAllowed, StorageFailed, reason_of
from thingtank.tank.events import DeviceCreated, DeviceDeleted, DeviceUpdated, MessageSent
from thingtank.tank.sinks import ChosenLetters, DeadLetter, EngineFacts, SinkStatus
from thingtank.tank.tank import Tank
from thingtank.tank.things import Device
from thingtank.validation_words import validation_words

log = structlog.get_logger()

VALUE_CHARS_MAX = 10_000  # of a dead letter that is listed; a payload may have millions
_READER = "sink:"  # what the names of readers begin with


class Journal(Protocol):
    """Where committed batches come from."""

    def read_journal(
        self, name: str, place_seq: int, wake: Callable[[], None]
    ) -> Awaitable[JournalReader]:
        """Let a named reader see each committed batch from its place on, in order."""
        ...

    def forget_readers(self, is_forgotten: Callable[[str], bool]) -> Awaitable[None]:
        """Drop readers for good, by name."""
        ...


class Sinks:
    """From `start` to `stop`; lives in the loop's thread. Implements `tank.sinks.SinkBoard`.

    Attributes:
        topics: for the broker of MQTT: takes what is published.
    """

    def __init__(
        self,
        tank: Tank,
        journal: Journal,
        settings: SinkSettings,
        parts: EngineParts,
        process: SendingProcess,
        secret: bytes,
        sources: Sequence[SourceRule] = (),
    ) -> None:
        """Make it.

        Args:
            parts: of engines that are asked what they are, and never opened.
            process: sends; whoever made it ends it.
            secret: the instance's.
            sources: its rules of sources, which no rule may send values to.
        """
        self._tank = tank
        self._journal = journal
        self._settings = settings
        self._parts = parts
        self._sources = sources
        self._process = process
        self._sealer = RuleSealer(secret)
        self._store: SinkStore | None = None
        self._messages = SinkMessages(tank.messaging)
        self.topics = SinkTopics(tank.clock)
        self._waiting: WaitingItems | None = None
        self._runners: dict[str, SinkRunner] = {}
        self._changing = asyncio.Lock()  # one rule is made or ended at a time
        # While a rule is set to work: devices that were changed, None for one that is gone.
        self._changed_devices: dict[int, Device | None] | None = None
        self._gone_streams = GoneStreams(
            lambda: {name: runner.selection for name, runner in self._runners.items()}
        )
        self._gone: dict[str, int] = {}  # dead letters of rules that left the settings

    @property
    def folder(self) -> Path:
        """The data folder."""
        return self._parts.folder

    async def start(self) -> None:
        """Set all rules to work.

        Raises:
            OSError, sqlite3.Error, FileMismatch, StorageFailed: the folder cannot be used.
        """
        bus = self._tank.bus
        bus.react(DeviceCreated, lambda event: self._device_changed(event.device))
        bus.react(DeviceUpdated, lambda event: self._device_changed(event.device))
        bus.react(DeviceDeleted, lambda event: self._device_gone(event.device))
        bus.react(MessageSent, self._message_sent)
        rules = {rule.name: rule for rule in self._settings.rules}
        fixed, unreadable = set(rules), set[str]()
        if rules or (self.folder / FILE_NAME).exists():
            store = await self._opened()
            for name, sealed in (await store.run(SinkFile.rules)).items():
                if name in fixed:
                    log.warning("sink_rule_is_twice", rule=name, used="the settings file's")
                    continue
                try:
                    rules[name] = self._sealer.unseal(name, sealed)
                except UnreadableRule as error:
                    unreadable.add(name)
                    log.error("sink_rule_unreadable", rule=name, reason=reason_of(error))
            await self._forget_others(store, rules, unreadable)
        await self._journal.forget_readers(
            lambda reader: (
                reader.startswith(_READER)
                and (name := reader.removeprefix(_READER)) not in unreadable
                and (name not in rules or rules[name].send != "values")
            )
        )
        for rule in rules.values():
            problem = round_problem(rule, self._sources, [*rules.values()])
            if problem:  # the source is newer than the rule
                log.error("sink_rule_goes_round", rule=rule.name, reason=problem)
            try:
                await self._set_to_work(rule, is_fixed=rule.name in fixed, refusal=problem)
            except BadEngine as error:  # an engine that this version does not have
                log.error("sink_rule_unusable", rule=rule.name, reason=str(error))
        self._gone_streams.start(lambda: self._store)

    async def _forget_others(
        self, store: SinkStore, rules: Mapping[str, SinkRule], unreadable: set[str]
    ) -> None:
        """Have rules that are no more, or send something else now, begin afresh if they return."""
        sends = {name: rule.send for name, rule in rules.items()}
        known = await store.run(SinkFile.sends)
        changed = {name for name, send in sends.items() if known.get(name, send) != send}
        await store.run(lambda file: file.keep_progress({*sends, *unreadable} - changed))
        await store.run(lambda file: file.save_sends(sends))
        counts = await store.run(SinkFile.letter_counts)
        self._gone = {
            name: count
            for name, count in counts.items()
            if name not in rules and name not in unreadable
        }

    async def stop(self) -> None:
        """End all rules, and let the file go."""
        if self._waiting is not None:
            await self._waiting.stop()
        await asyncio.gather(*(runner.stop() for runner in self._runners.values()))
        await self._gone_streams.stop(self._store)
        if self._store is not None:
            await self._store.close()

    async def copy_to(self, folder: Path) -> None:
        """Write what rules remember to another folder, for a backup."""
        if self._store is not None:
            await self._store.copy_to(folder)

    def statuses(self) -> Sequence[SinkStatus]:
        """See SinkBoard; so are the others."""
        found = [runner.status() for runner in self._runners.values()]
        found += [gone_status(name, count) for name, count in self._gone.items()]
        return sorted(found, key=lambda status: status.name)

    def status(self, name: str) -> SinkStatus | None:
        if name in self._gone:
            return gone_status(name, self._gone[name])
        runner = self._runners.get(name)
        return None if runner is None else runner.status()

    @property
    def may_be_changed(self) -> bool:
        return self._settings.workbench

    def engines(self) -> Sequence[EngineFacts]:
        return engine_facts()

    async def add(self, rule: Mapping[str, Any]) -> list[str]:
        from thingtank.sinks.rules.rule_problems import RULES_MAX, rule_problems

        if not self.may_be_changed:
            return ["`sinks.workbench` leaves rules to the settings file"]
        try:
            made = msgspec.convert(rule, SinkRule)
        except msgspec.ValidationError as error:
            return [validation_words(error, SinkRule)]
        async with self._changing:
            problems = rule_problems(made, self._parts.own)
            others = [runner.rule for runner in self._runners.values()]
            if round_ := round_problem(made, self._sources, others):
                problems.append(round_)
            if made.name in self._runners:
                problems.append(f"There is a rule {made.name} already")
            if len(self._runners) >= RULES_MAX:
                problems.append(f"There are {RULES_MAX} rules, and may be no more")
            if problems:
                return problems
            store = await self._opened()
            sealed = self._sealer.seal(made)
            await self._set_to_work(made, is_fixed=False)
            try:
                await store.run(lambda file: file.save_rule(made.name, sealed, made.send))
            except BaseException:
                await self._end(made.name)
                raise
        return []

    async def delete(self, name: str) -> None:
        async with self._changing:
            status, store = self.status(name), self._store
            if status is None or store is None:
                return
            if status.is_fixed or not (self.may_be_changed or name in self._gone):
                raise NotAllowed(f"rule {name} can be deleted in the settings file only")
            self._send_no_more(name)
            if (runner := self._runners.get(name)) is not None:
                await runner.stop()
            await store.run(lambda file: file.forget(name))
            self._gone.pop(name, None)
            await self._end(name)
            self._look_at_rounds()

    def _look_at_rounds(self) -> None:
        """Have rules go on that went round by way of one that is no more."""
        runners = [*self._runners.values()]
        rules = [runner.rule for runner in runners]
        for runner in runners:
            if runner.is_refused:
                runner.refuse(round_problem(runner.rule, self._sources, rules))

    async def _end(self, name: str) -> None:
        """Let go of a rule, however far it has come in being set to work."""
        self._send_no_more(name)
        if (runner := self._runners.pop(name, None)) is not None:
            await runner.stop()
        reader = _READER + name
        await self._journal.forget_readers(lambda other: other == reader)

    def _send_no_more(self, name: str) -> None:
        """Give a rule no more messages."""
        self.topics.drop(name)
        self._messages.selections.pop(name, None)
        if self._waiting is not None:
            self._waiting.readers.pop(name, None)

    async def pause(self, name: str, is_paused: bool) -> None:
        runner, store = self._runners.get(name), self._store
        if runner is not None and store is not None:
            await store.run(lambda file: file.save_paused(name, is_paused))
            runner.pause(is_paused)

    def hurry(self, name: str) -> None:
        if (runner := self._runners.get(name)) is not None:
            runner.hurry()

    async def letters(
        self, name: str, limit: int, before_id: int | None = None
    ) -> Sequence[DeadLetter]:
        if self._store is None:
            return []
        try:
            stored = await self._store.run(lambda file: file.letters(name, limit, before_id))
        except sqlite3.Error as error:
            raise StorageFailed("dead letters could not be read", details=error) from error
        return [_letter(each) for each in stored]

    async def retry(self, name: str, letter_ids: Sequence[int] | None) -> ChosenLetters:
        runner, store = self._runners.get(name), self._store
        if runner is None or store is None:
            return ChosenLetters()
        chosen = await store.run(lambda file: file.ask(name, letter_ids))
        if chosen.chosen_count:
            runner.retry_letters()
        return chosen

    async def discard(self, name: str, letter_ids: Sequence[int] | None) -> ChosenLetters:
        runner, store = self._runners.get(name), self._store
        if store is None:
            return ChosenLetters()
        chosen = await store.run(lambda file: file.remove_letters(name, letter_ids))
        if not chosen.chosen_count:
            return chosen
        if runner is not None:
            await runner.count_letters()
            runner.retry_letters()
        elif name in self._gone:
            self._gone[name] = (await store.run(SinkFile.letter_counts)).get(name, 0)
        return chosen

    async def _opened(self) -> SinkStore:
        if self._store is None:
            self._store = await SinkStore.open(self.folder)
            self._waiting = WaitingItems(
                self._store, self._settings.messages_max, self._settings.waiting_bytes_max
            )
            self._waiting.start()
            self.topics.waiting = self._waiting
        return self._store

    async def _set_to_work(self, rule: SinkRule, *, is_fixed: bool, refusal: str = "") -> None:
        """Raise BadEngine, StorageFailed, sqlite3.Error: nothing is left of it then."""
        store = await self._opened()
        engine = make_engine(rule.target, self._parts._replace(kind=KINDS[rule.send]))
        places, paused = await store.run(SinkFile.places), await store.run(SinkFile.paused)
        letters_size = await store.run(lambda file: file.letters_size(rule.name))
        held = await store.run(lambda file: file.held(rule.name))
        gone = await store.run(lambda file: file.gone_streams(rule.name))
        place: RulePlace | None = places.get(rule.name)
        selection = Selection(rule, self._tank.directory)
        runner = SinkRunner(
            rule,
            engine,
            self._process,
            selection,
            store,
            self._settings,
            self._tank.clock,
            is_fixed=is_fixed,
            is_paused=rule.name in paused,
            letters_size=letters_size,
        )
        if refusal:
            runner.refuse(refusal)
        self._changed_devices = {}
        try:
            await asyncio.to_thread(selection.load, gone)
            reader = await self._reader(runner, store, place.seq if place is not None else 0)
            # From here on it hears of changes itself.
            for device_id, device in self._changed_devices.items():
                selection.drop(device_id) if device is None else selection.put(device)
            self._runners[rule.name] = runner
        except BaseException:
            await self._end(rule.name)
            raise
        finally:
            self._changed_devices = None
        self._gone.pop(rule.name, None)
        runner.start(reader, place, held)

    async def _reader(self, runner: SinkRunner, store: SinkStore, place_seq: int) -> Reader:
        """What a rule reads, from its place on."""
        rule = runner.rule
        if rule.send == "values":
            return await self._journal.read_journal(_READER + rule.name, place_seq, runner.wake)
        sizes = await store.run(lambda file: file.waiting_sizes(rule.name))
        reader = MessageReader(rule.name, store, place_seq, sizes, runner.wake, self._tank.clock)
        assert self._waiting is not None, "with the store"
        self._waiting.readers[rule.name] = reader
        if rule.send == "messages":
            self._messages.selections[rule.name] = runner.selection
        else:
            self.topics.add(rule.name, rule.topics)
        return reader

    def _message_sent(self, event: MessageSent) -> None:
        if self._messages.selections and self._waiting is not None:
            self._messages.take(event, self._waiting)

    def _device_changed(self, device: Device) -> None:
        if self._changed_devices is not None:
            self._changed_devices[device.device_id] = device
        for runner in self._runners.values():
            runner.selection.put(device)
        self._gone_streams.look()

    def _device_gone(self, device: Device) -> None:
        if self._changed_devices is not None:
            self._changed_devices[device.device_id] = None
        for runner in self._runners.values():
            runner.selection.drop(device.device_id)
        self._gone_streams.look()


def _letter(stored: StoredLetter) -> DeadLetter:
    item = decode_item(stored.item)
    return DeadLetter(
        stored.letter_id,
        item.device_id,
        item.datastream,
        item.topic if item.facts is not None else "",
        item.at_us,
        item.value[:VALUE_CHARS_MAX],
        stored.reason,
        stored.at_us,
        stored.is_asked,
    )
