"""Decides what sessions of a realm may do. Implements `Authorizer`.

| what is asked for | decides |
| --- | --- |
| publish, register under `tank.` | nobody: it is the tank's own |
| call, subscribe under `tank.` | the tank, by the session's account or key, each time anew |
| publish, register under `wamp.` | broker and dealer, which refuse it in their own words |
| all else, `wamp.` among it | the role's permissions; where none matches, its authorizer |
| a pattern that reaches beyond `tank.` | both, each its part |
| registering a pattern that reaches into `tank.` or `wamp.` | nobody |

Decisions are remembered: those of permissions for a role, those of an authorizer for a session,
until that one ends, who carries out the authorizer changes, or they are too old. What is too old
is seen when it is looked for; no timer waits for it.

Source: WAMP, Authorization.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import NamedTuple, TypeVar

from msgspec import Struct

from thingtank.doors.wamp.authorization.asking import Answered, AskingPeer
from thingtank.doors.wamp.authorization.patterns import Pattern, narrowed
from thingtank.doors.wamp.authorization.role_rights import RoleRights
from thingtank.doors.wamp.realm_settings import RealmSettings, RoleSettings
from thingtank.net.identity.sweeper import Scheduler
from thingtank.protocols.wamp.authorization import ALLOWED, DENIED, UNDECIDED, Action, Decision
from thingtank.protocols.wamp.later import Later
from thingtank.protocols.wamp.meta_events import MetaEvent
from thingtank.protocols.wamp.options import Match
from thingtank.protocols.wamp.peers import Peer
from thingtank.protocols.wamp.router import Realm
from thingtank.protocols.wamp.uris import is_reserved

KEPT_PER_ROLE_MAX = 20_000
KEPT_PER_SESSION_MAX = 1000
KEPT_URI_CHARS_MAX = 256  # longer ones are decided anew each time, and take no memory
_SESSIONS_MORE = 64
_US_PER_S = 1_000_000

DecideTank = Callable[[Peer, Action, str, Match], Decision | None]
"""Decides calls and subscriptions under `tank.`; None where nothing there is meant, or matches."""

_Question = tuple[Action, str, Match]
_V = TypeVar("_V")
_OWN: tuple[Action, ...] = ("publish", "register")
_NO_ANSWERS: Mapping[_Question, "_Kept"] = MappingProxyType({})


class _Kept(NamedTuple):
    """What an authorizer said."""

    decision: Decision
    until_us: int


class _Role(Struct, frozen=True):
    """A role at work.

    Attributes:
        kept: what its permissions decided, for all its sessions.
    """

    settings: RoleSettings
    rights: RoleRights
    kept: dict[_Question, Decision]


class RealmAuthorizer:
    """Decides for one realm."""

    def __init__(
        self,
        settings: RealmSettings,
        decide_tank: DecideTank,
        scheduler: Scheduler,
        now_us: Callable[[], int],
    ) -> None:
        """Read the roles; `attach` comes next.

        Args:
            decide_tank: is asked about what begins with `tank.`, and about patterns that reach
                into it.
            now_us: of a clock that does not jump.
        """
        self._roles = {
            name: _Role(role, RoleRights(role), {}) for name, role in settings.roles_by_name.items()
        }
        self._decide_tank = decide_tank
        self._scheduler = scheduler
        self._now_us = now_us
        self._kept: dict[int, dict[_Question, Decision]] = {}  # by session, its role's
        self._answers: dict[int, dict[_Question, _Kept]] = {}  # by session, its own
        self._procedures = {
            role.settings.authorizer for role in self._roles.values() if role.settings.authorizer
        }
        self._providers: dict[str, tuple[int, ...]] = {}
        self._generation = 0  # grows when who carries out an authorizer changes
        self._realm: Realm | None = None
        self._asking: AskingPeer | None = None

    def attach(self, realm: Realm) -> None:
        """Begin to decide for a realm."""
        self._realm = realm
        self._asking = AskingPeer(realm, self._scheduler)
        realm.authorizer = self
        realm.watchers.append(self._watch)

    def authorize(
        self, peer: Peer, action: Action, uri: str, match: Match
    ) -> Decision | Later[Decision]:
        """Say whether a session may do this."""
        try:
            return self._kept[peer.session_id][action, uri, match]
        except KeyError:
            answer = self._answers.get(peer.session_id, _NO_ANSWERS).get((action, uri, match))
            if answer is not None and self._now_us() < answer.until_us:
                return answer.decision
            return self._decide(peer, action, uri, match)

    def _decide(
        self, peer: Peer, action: Action, uri: str, match: Match
    ) -> Decision | Later[Decision]:
        role = self._roles.get(peer.authrole)
        if role is None:
            return DENIED
        if is_reserved(uri) and action in _OWN:
            return ALLOWED  # to be refused as what it is: an invalid URI
        if match == "exact":
            if uri == "tank" or uri.startswith("tank."):
                return self._of_tank(peer, action, uri, match) or DENIED
        else:
            pattern = Pattern(uri, match)
            tanks = narrowed(pattern, "tank")
            if action == "register" and (tanks or narrowed(pattern, "wamp")):
                return DENIED
            if tanks is not None:
                decision = self._of_tank(peer, action, uri, match)
                if tanks == pattern:
                    return decision or DENIED
                if decision is not None and not decision.is_allowed:
                    return decision
                return self._of_role(role, peer, action, uri, match, may_be_kept=False)
        return self._of_role(role, peer, action, uri, match)

    def _of_tank(self, peer: Peer, action: Action, uri: str, match: Match) -> Decision | None:
        if action in _OWN:
            return DENIED
        return self._decide_tank(peer, action, uri, match)

    def _of_role(
        self,
        role: _Role,
        peer: Peer,
        action: Action,
        uri: str,
        match: Match,
        *,
        may_be_kept: bool = True,
    ) -> Decision | Later[Decision]:
        static = role.rights.decide(action, uri, match)
        if static is not None:
            if may_be_kept and static.may_be_kept:
                self._keep(role, peer, (action, uri, match), static.decision)
            return static.decision
        if not role.settings.authorizer:
            if may_be_kept:
                self._keep(role, peer, (action, uri, match), DENIED)
            return DENIED
        return self._ask(role, peer, (action, uri, match), may_be_kept=may_be_kept)

    def _ask(
        self, role: _Role, peer: Peer, question: _Question, *, may_be_kept: bool
    ) -> Decision | Later[Decision]:
        assert self._asking is not None
        assert self._realm is not None
        if any(peer.session_id in callees for callees in self._providers.values()):
            return UNDECIDED
        later: Later[Decision] = Later()
        generation, members = self._generation, self._realm.members

        def told(answer: Answered) -> None:
            if (
                may_be_kept
                and answer.may_be_kept
                and role.settings.authorizer_cache_s > 0
                and generation == self._generation
                and members.get(peer.session_id) is peer
            ):
                self._keep_answer(role, peer, question, answer.decision)
            later.answer(answer.decision)

        settings = role.settings
        later.on_canceled = self._asking.ask(
            settings.authorizer, settings.authorizer_s_max, (peer, *question), told
        )
        return later

    def _keep(self, role: _Role, peer: Peer, question: _Question, decision: Decision) -> None:
        """Remember what permissions decided, for all sessions of the role."""
        if len(question[1]) > KEPT_URI_CHARS_MAX:
            return
        if len(role.kept) >= KEPT_PER_ROLE_MAX:
            role.kept.clear()
        role.kept[question] = decision
        if peer.session_id not in self._kept:
            self._kept = self._without_the_gone(self._kept)
            self._kept[peer.session_id] = role.kept

    def _keep_answer(
        self, role: _Role, peer: Peer, question: _Question, decision: Decision
    ) -> None:
        """Remember what an authorizer said, for this session."""
        if len(question[1]) > KEPT_URI_CHARS_MAX:
            return
        answers = self._answers.get(peer.session_id)
        if answers is None:
            self._answers = self._without_the_gone(self._answers)
            answers = self._answers[peer.session_id] = {}
        if len(answers) >= KEPT_PER_SESSION_MAX:
            answers.clear()
        seconds = role.settings.authorizer_cache_s
        answers[question] = _Kept(decision, self._now_us() + round(seconds * _US_PER_S))

    def _without_the_gone(self, by_session: dict[int, _V]) -> dict[int, _V]:
        """The same; without hidden sessions, of whose end nothing is heard, if it has grown."""
        assert self._realm is not None
        members = self._realm.members
        if len(by_session) <= 2 * len(members) + _SESSIONS_MORE:
            return by_session
        return {each: kept for each, kept in by_session.items() if each in members}

    def _watch(self, event: MetaEvent) -> None:
        """Forget what does not hold any more."""
        if event.topic == "wamp.session.on_leave":
            self._kept.pop(event.args[0], None)
            self._answers.pop(event.args[0], None)
        elif event.topic in _CHANGES_OF_CALLEES and self._procedures:
            providers = self._find_providers()
            if providers != self._providers:
                self._providers = providers
                self._generation += 1
                self._answers.clear()

    def _find_providers(self) -> dict[str, tuple[int, ...]]:
        assert self._realm is not None
        registrations = self._realm.dealer.registrations
        found = {}
        for procedure in self._procedures:
            registration_id = registrations.match(procedure)
            if registration_id is not None:
                found[procedure] = tuple(registrations.list_callees(registration_id))
        return found


_CHANGES_OF_CALLEES = frozenset(
    {"wamp.registration.on_register", "wamp.registration.on_unregister"}
)
