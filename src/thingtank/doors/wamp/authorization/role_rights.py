"""What the permissions of a role decide: the best match does, and for a pattern all that it means.

Who subscribes to a pattern gets all topics that match it. So one permission must allow the whole
of it, and none that forbids, and decides before that one, may meet it. A pattern that several
permissions allow only together is refused: too little rather than too much.

Source: WAMP, Authorization; Crossbar.io's static permissions.
"""

from typing import Literal

from msgspec import Struct

from thingtank.doors.wamp.authorization.patterns import Pattern, covers, decides_before, meets
from thingtank.doors.wamp.realm_settings import Disclosure, PermissionSettings, RoleSettings
from thingtank.protocols.wamp.authorization import ALLOWED, DENIED, Action, Decision
from thingtank.protocols.wamp.calls import CallPolicy
from thingtank.protocols.wamp.options import Match
from thingtank.protocols.wamp.patterns import Patterns
from thingtank.protocols.wamp.publications import PublishPolicy
from thingtank.protocols.wamp.uris import is_reserved

# Of the router's own procedures, those that only look: any permission that matches allows them.
# The others take one that names `wamp.`.
HARMLESS = frozenset(
    {
        "wamp.session.count",
        "wamp.session.list",
        "wamp.session.get",
        "wamp.session.add_testament",
        "wamp.session.flush_testaments",
        *(
            f"wamp.registration.{name}"
            for name in ("list", "lookup", "match", "get", "list_callees", "count_callees")
        ),
        *(
            f"wamp.subscription.{name}"
            for name in (
                "list",
                "lookup",
                "match",
                "get",
                "list_subscribers",
                "count_subscribers",
                "get_events",
            )
        ),
    }
)


class StaticDecision(Struct, frozen=True, gc=False):
    """A decision of a permission.

    Attributes:
        may_be_kept: decisions of this permission may be remembered.
    """

    decision: Decision
    may_be_kept: bool


class _Rule(Struct, frozen=True):
    pattern: Pattern
    settings: PermissionSettings
    allowed: Decision

    def decision(self, action: Action) -> Decision:
        return self.allowed if getattr(self.settings.allow, action) else DENIED

    def decides(self, action: Action) -> StaticDecision:
        return StaticDecision(self.decision(action), self.settings.cache)


class RoleRights:
    """Those of one role."""

    def __init__(self, settings: RoleSettings) -> None:
        """Index its permissions."""
        self._rules = [
            _Rule(Pattern(each.uri, each.match), each, _allowed(each))
            for each in settings.permissions
        ]
        self._patterns: Patterns[_Rule] = Patterns(remembered_max=0)
        for rule in self._rules:
            self._patterns.add(*rule.pattern, rule)

    def decide(self, action: Action, uri: str, match: Match) -> StaticDecision | None:
        """What the permissions say; None if they say nothing."""
        if match == "exact":
            return self._decide_exact(action, uri)
        return self._decide_pattern(action, Pattern(uri, match))

    def _decide_exact(self, action: Action, uri: str) -> StaticDecision | None:
        matching = self._patterns.matching(uri)
        if action == "call" and is_reserved(uri) and uri not in HARMLESS:
            matching = tuple(rule for rule in matching if is_reserved(rule.pattern.uri))
        return matching[0].decides(action) if matching else None

    def _decide_pattern(self, action: Action, wanted: Pattern) -> StaticDecision | None:
        met = [rule for rule in self._rules if meets(rule.pattern, wanted)]
        allowing = [rule for rule in met if rule.decision(action).is_allowed]
        forbidding = [rule for rule in met if not rule.decision(action).is_allowed]
        for rule in allowing:
            if covers(rule.pattern, wanted) and not any(
                decides_before(each.pattern, rule.pattern) for each in forbidding
            ):
                return rule.decides(action)
        return forbidding[0].decides(action) if forbidding else None


def _allowed(settings: PermissionSettings) -> Decision:
    publisher, caller = settings.disclose.publisher, settings.disclose.caller
    if publisher == "asked" and caller == "asked":
        return ALLOWED  # itself: broker and dealer know its policies, and are quicker with them
    return Decision(
        is_allowed=True,
        publish=PublishPolicy(_policy(publisher)),
        call=CallPolicy(_policy(caller)),
    )


def _policy(disclosure: Disclosure) -> Literal["asked", "always", "never"]:
    if isinstance(disclosure, bool):
        return "always" if disclosure else "never"
    return "asked"
