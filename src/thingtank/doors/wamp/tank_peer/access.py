"""What a session may do with URIs of the tank: the decision, and the check before each event.

| topic, or the pattern that is one thing's | needs |
| --- | --- |
| a datastream | `get` on it |
| all of a feed | `get` on the feed |
| what becomes of a device, what it broadcasts | `get` on it |
| messages to a device, and all of its topics | `get` and `put` on it |
| a trigger | `get` and `put` on its datastream, as to read it: it says where it sends to |
| requests of a feed | all four methods on it |
| what reaches more than one thing | a person who is an admin, or the operator |

Whoever asks for a pattern gets all that it matches, so `tank.feeds.` is only for those who may read
all feeds there are and will be. Others subscribe to feed after feed.
"""

from collections.abc import Callable

import msgspec

from thingtank.doors.wamp.request_log import WampNoter, why_not
from thingtank.doors.wamp.tank_peer.topics import (
    EVERYTHING,
    Scope,
    is_of_tank,
    scope_of,
    unescaped,
)
from thingtank.protocols.wamp.authorization import ALLOWED, DENIED, Action, Decision
from thingtank.protocols.wamp.options import Match
from thingtank.protocols.wamp.peers import Peer
from thingtank.tank.access import Caller, may_reach
from thingtank.tank.errors import NotFound, TankError
from thingtank.tank.keys import ACCESS_METHODS
from thingtank.tank.tank import Tank
from thingtank.tank.things import Device

CallerOf = Callable[[Peer], Caller]
"""Who is behind a session; raises TankError if nobody is any more."""

READ = ("get",)
READ_AND_UPDATE = ("get", "put")
_NUMBER_CHARS_MAX = 18


class Needed(msgspec.Struct, frozen=True):
    """The right that an event needs: methods on a device, or on a datastream of it."""

    methods: tuple[str, ...]
    device: Device
    datastream: str | None = None

    def is_of(self, caller: Caller) -> bool:
        """Whether somebody has it."""
        return all(
            may_reach(caller, method, self.device, self.datastream) for method in self.methods
        )


def requests_needed(device: Device) -> Needed:
    """What it takes to see a feed's requests."""
    return Needed(ACCESS_METHODS, device)


class TankAccess:
    """Answers from memory, and asks anew each time: rights end without anybody saying so."""

    def __init__(self, tank: Tank, caller_of: CallerOf) -> None:
        self._tank = tank
        self._caller_of = caller_of
        self._noter = WampNoter(tank)

    def decide(self, peer: Peer, action: Action, uri: str, match: Match) -> Decision | None:
        """Say whether a session may do this.

        Args:
            uri: well-formed.

        Returns:
            None if it is no matter of the tank's: other rules decide.
        """
        if action == "subscribe":
            scope = scope_of(uri, match)
            if scope is None:
                return None
            caller = self.find_caller(peer)
            may = caller is not None and self._may_hear(caller, scope)
            self._note(caller, action, uri, scope, may=may)
            return ALLOWED if may else DENIED
        if not is_of_tank(uri):
            return None
        if action == "publish":
            scope = scope_of(uri, match)
            if scope is not None:
                self._note(self.find_caller(peer), action, uri, scope, may=False)
        # Whether it may do what it calls for, the action knows.
        return ALLOWED if action == "call" else DENIED

    def _note(
        self, caller: Caller | None, action: Action, uri: str, scope: Scope, *, may: bool
    ) -> None:
        """Tell the request log of what is about one device."""
        if not scope.group or scope.is_nothing:
            return
        try:
            needed = self._needed(scope)
        except NotFound:
            return
        reason = ""
        if action == "publish":
            reason = "topics below `tank.` are the tank's: clients subscribe to them only"
        elif not may and caller is None:
            reason = "what this session came in by is not valid any more"
        elif not may and caller is not None:
            reason = why_not(caller, needed.methods, needed.device, needed.datastream)
        error_uri = "" if may else DENIED.error
        self._noter.decided(needed.device, action, uri, caller, error_uri, reason)

    def find_caller(self, peer: Peer) -> Caller | None:
        """Who is behind a session, if there is somebody still."""
        try:
            return self._caller_of(peer)
        except TankError:
            return None

    def _may_hear(self, caller: Caller, scope: Scope) -> bool:
        if _sees_everything(caller):
            return True
        if scope == EVERYTHING or scope.is_nothing:
            return False
        try:
            return self._needed(scope).is_of(caller)
        except NotFound:
            return False

    def _needed(self, scope: Scope) -> Needed:
        """What a scope of one thing needs; raises NotFound."""
        directory = self._tank.directory
        match scope.group:
            case "feeds":
                return Needed(READ, directory.get_device(_number(scope.name)), scope.word)
            case "requests":
                return requests_needed(directory.get_device(_number(scope.name)))
            case "triggers":
                trigger = self._tank.triggers.get(_number(scope.name))
                device = directory.get_device(trigger.device_id)
                return Needed(READ_AND_UPDATE, device, trigger.name)
            case "devices":
                found = directory.find_device_by_uuid(unescaped(scope.name))
                if found is None:
                    raise NotFound("no such device")
                is_its_own = scope.word in (None, "message")
                return Needed(READ_AND_UPDATE if is_its_own else READ, found)
        raise AssertionError(f"{scope.group} is no group of topics")


def _sees_everything(caller: Caller) -> bool:
    """Whether somebody may read all devices, also those that do not exist yet."""
    account = caller.account
    is_person = caller.key is None and account is not None and account.is_active
    return caller.is_operator or (is_person and account is not None and account.is_admin)


def _number(component: str) -> int:
    """The number that a topic says in its one form; -1, which nothing has, for all else."""
    is_number = component.isascii() and component.isdigit() and len(component) <= _NUMBER_CHARS_MAX
    return int(component) if is_number and str(int(component)) == component else -1
