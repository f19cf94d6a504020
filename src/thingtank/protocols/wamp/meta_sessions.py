"""The Session Meta API: who is there, and ending sessions.

The session that calls is never ended: `kill` does not find it, and the others pass it over.
Sessions of the router's own are not found either.

Source: WAMP, Session Meta API. `kill_all` counts, as `kill_by_authrole` does.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

from thingtank.protocols.wamp.answers import Refused
from thingtank.protocols.wamp.members import Member
from thingtank.protocols.wamp.meta_calls import NO_SUCH_SESSION, Arguments
from thingtank.protocols.wamp.procedures import RouterCall

if TYPE_CHECKING:
    from thingtank.protocols.wamp.router import Realm

KILLED = "wamp.close.killed"


def provide_sessions(realm: "Realm") -> None:
    """Have a realm answer `wamp.session.…`."""
    sessions = _Sessions(realm)
    realm.dealer.provide("wamp.session.count", sessions.count)
    realm.dealer.provide("wamp.session.list", sessions.list_ids)
    realm.dealer.provide("wamp.session.get", sessions.get)
    realm.dealer.provide("wamp.session.kill", sessions.kill)
    realm.dealer.provide("wamp.session.kill_by_authid", sessions.kill_by_authid)
    realm.dealer.provide("wamp.session.kill_by_authrole", sessions.kill_by_authrole)
    realm.dealer.provide("wamp.session.kill_all", sessions.kill_all)


class _Sessions:
    def __init__(self, realm: "Realm") -> None:
        self._realm = realm

    def count(self, call: RouterCall) -> None:
        call.result(len(self._filtered(call)))

    def list_ids(self, call: RouterCall) -> None:
        call.result(self._filtered(call))

    def get(self, call: RouterCall) -> None:
        call.result(self._find(Arguments(call).id(0, "session")).details)

    def kill(self, call: RouterCall) -> None:
        arguments = Arguments(call)
        session_id = arguments.id(0, "session")
        closing = _closing(arguments)
        if session_id == call.caller.session_id:
            raise _no_such(session_id)
        self._find(session_id).close(*closing)
        call.result()

    def kill_by_authid(self, call: RouterCall) -> None:
        authid = Arguments(call).text(0, "authid")
        call.result(self._kill(call, lambda member: member.authid == authid))

    def kill_by_authrole(self, call: RouterCall) -> None:
        authrole = Arguments(call).text(0, "authrole")
        call.result(len(self._kill(call, lambda member: member.authrole == authrole)))

    def kill_all(self, call: RouterCall) -> None:
        call.result(len(self._kill(call, lambda member: True)))

    def _filtered(self, call: RouterCall) -> list[int]:
        authroles = Arguments(call).texts_or_none(0, "filter_authroles")
        return [
            member.session_id
            for member in self._realm.members.values()
            if not member.accepted.is_hidden and (authroles is None or member.authrole in authroles)
        ]

    def _find(self, session_id: int) -> Member:
        member = self._realm.members.get(session_id)
        if member is None or member.accepted.is_hidden:
            raise _no_such(session_id)
        return member

    def _kill(self, call: RouterCall, is_meant: Callable[[Member], bool]) -> list[int]:
        closing = _closing(Arguments(call))
        killed = [
            member
            for member in self._realm.members.values()
            if is_meant(member) and member is not call.caller and not member.accepted.is_hidden
        ]
        for member in killed:
            member.close(*closing)
        return [member.session_id for member in killed]


def _closing(arguments: Arguments) -> tuple[str, str | None]:
    """Reason and words of the GOODBYE."""
    reason = arguments.uri_or_none(None, "reason")
    return reason or KILLED, arguments.text_or_none(None, "message")


def _no_such(session_id: int) -> Refused:
    return Refused(NO_SUCH_SESSION, f"no session {session_id} that this one could ask for")
