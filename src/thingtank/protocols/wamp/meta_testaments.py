"""The procedures of testaments.

Whether a session may publish one is asked when it adds it, so that it is told. One that is still
undecided when the session ends is not published.

Source: WAMP, Testament; the number that flush_testaments returns and the error of a wrong scope
are of Crossbar.io.
"""

from typing import TYPE_CHECKING, Any

from msgspec import ValidationError, convert
from msgspec.structs import replace

from thingtank.protocols.wamp.answers import INVALID_URI, Refused
from thingtank.protocols.wamp.authorization import Decision
from thingtank.protocols.wamp.errors import InvalidUri
from thingtank.protocols.wamp.messages import Publish
from thingtank.protocols.wamp.meta_calls import Arguments, invalid
from thingtank.protocols.wamp.options import PublishOptions
from thingtank.protocols.wamp.payloads import payload_of
from thingtank.protocols.wamp.procedures import RouterCall
from thingtank.protocols.wamp.testaments import Scope
from thingtank.protocols.wamp.uris import check_own_uri
from thingtank.validation_words import IN_JSON, validation_words

if TYPE_CHECKING:
    from thingtank.protocols.wamp.router import Realm

TESTAMENT_ERROR = "wamp.error.testament_error"  # not of the text, but in use


def provide_testaments(realm: "Realm") -> None:
    """Have a realm answer add_testament and flush_testaments."""
    testaments = _Testaments(realm)
    realm.dealer.provide("wamp.session.add_testament", testaments.add)
    realm.dealer.provide("wamp.session.flush_testaments", testaments.flush)


class _Testaments:
    def __init__(self, realm: "Realm") -> None:
        self._realm = realm

    def add(self, call: RouterCall) -> None:
        arguments = Arguments(call)
        scope, message = _scope(arguments), self._message(call, arguments)
        member = self._realm.members[call.caller.session_id]
        # Its place is kept while it is decided upon: the order is that of asking.
        testament = member.testaments.add(scope, message)

        def answer(decision: Decision) -> None:
            if decision.is_allowed:
                testament.policy = decision.publish
                call.result()
            else:
                member.testaments.remove(scope, testament)
                call.error(decision.error, "this session may not publish that")

        self._realm.authorize(member, "publish", message.topic, "exact", answer)

    def flush(self, call: RouterCall) -> None:
        member = self._realm.members[call.caller.session_id]
        call.result(member.testaments.flush(_scope(Arguments(call))))

    def _message(self, call: RouterCall, arguments: Arguments) -> Publish:
        topic = arguments.text(0, "topic")
        try:
            check_own_uri(topic, is_strict=self._realm.is_strict)
        except InvalidUri as error:
            raise Refused(INVALID_URI, str(error)) from None
        options = _options(arguments)
        if options.ppt_scheme:
            raise invalid("testaments have no payload passthru")
        args, kwargs = arguments.find(1, "args"), arguments.find(2, "kwargs")
        if not isinstance(args, list | None) or not isinstance(kwargs, dict | None):
            raise invalid("args must be a list, and kwargs a dict")
        payload = payload_of(call.caller.serializer, args or [], kwargs)
        return Publish(1, options, topic, payload)


def _options(arguments: Arguments) -> PublishOptions:
    value: Any = arguments.find(None, "publish_options")
    try:
        options = convert({} if value is None else value, PublishOptions)
    except ValidationError as error:
        words = validation_words(error, PublishOptions, IN_JSON)
        raise invalid(f"publish_options: {words}") from None
    return replace(options, acknowledge=False)  # nobody is left to be answered


def _scope(arguments: Arguments) -> Scope:
    scope = arguments.find(None, "scope")
    if scope is None or scope == "destroyed":
        return "destroyed"
    if scope == "detached":
        return "detached"
    raise Refused(TESTAMENT_ERROR, "scope must be 'destroyed' or 'detached'")
