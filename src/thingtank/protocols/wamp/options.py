"""Options and details of WAMP messages: the keys that the specification predefines, with types.

A key that is absent is UNSET, which is false; booleans and a few others have their default. A
value of another type is a protocol violation, `null` too; unknown keys are ignored. What a router
passes on unread (`PassedOn`) stands in the options that a client sends and in the details of what
the router makes of them.

Source: WAMP, the tables of options and details of each feature; `enc_…`, `forward_for`,
`transaction_hash`, `concurrency`, `force_reregister` and `x_acknowledged_delivery` are of
Autobahn and Crossbar.io.
"""

from typing import Annotated, Any, Literal

from msgspec import UNSET, Meta, Struct, UnsetType
from msgspec.structs import astuple

ID_MAX = 2**53

Id = Annotated[int, Meta(ge=1, le=ID_MAX)]
Count = Annotated[int, Meta(ge=0, le=ID_MAX)]
Match = Literal["exact", "prefix", "wildcard"]
Invoke = Literal["single", "first", "last", "roundrobin", "random"]
CancelMode = Literal["skip", "kill", "killnowait"]
InterruptMode = Literal["kill", "killnowait"]

Ids = list[Id] | UnsetType
Text = str | UnsetType
Texts = list[str] | UnsetType
EncryptionAlgorithm = Annotated[str, Meta(pattern="^(cryptobox|mqtt|xbr|x_.*)$")]

CLIENT_ROLES = frozenset({"publisher", "subscriber", "caller", "callee"})


class Role(Struct, frozen=True, gc=False, omit_defaults=True):
    """What a peer can do in one role.

    Attributes:
        features: by name, `True` for those it has; unknown ones may be of any type.
    """

    features: dict[str, Any] = {}


class HelloDetails(Struct, frozen=True, gc=False, omit_defaults=True):
    """HELLO: who wants in, and what it can do. At least one of the four client roles."""

    roles: dict[str, Role]
    agent: Text = UNSET
    authmethods: Texts = UNSET
    authid: Text = UNSET
    authrole: Text = UNSET
    authextra: dict[str, Any] | UnsetType = UNSET
    resumable: bool = False
    resume_session: Id | UnsetType = UNSET
    resume_token: Text = UNSET

    def __post_init__(self) -> None:
        """Refuse a client without a role."""
        if CLIENT_ROLES.isdisjoint(self.roles):
            raise ValueError(f"roles must name one of {', '.join(sorted(CLIENT_ROLES))}")


class WelcomeDetails(Struct, frozen=True, gc=False, omit_defaults=True):
    """WELCOME: what the router is, and who the client is to it.

    Autobahn takes no roles but `broker` and `dealer`, and at least one.
    """

    roles: dict[str, Role]
    agent: Text = UNSET
    realm: Text = UNSET
    authid: Text = UNSET
    authrole: Text = UNSET
    authmethod: Text = UNSET
    authprovider: Text = UNSET
    authextra: dict[str, Any] | UnsetType = UNSET
    resumable: bool = False
    resumed: bool = False
    resume_token: Text = UNSET


class ClosingDetails(Struct, frozen=True, gc=False, omit_defaults=True):
    """ABORT and GOODBYE: words for people."""

    message: Text = UNSET


class RevocationDetails(Struct, frozen=True, gc=False, omit_defaults=True):
    """UNSUBSCRIBED and UNREGISTERED that nobody asked for: one of the two ids, and why."""

    subscription: Id | UnsetType = UNSET
    registration: Id | UnsetType = UNSET
    reason: Text = UNSET


class Forwarder(Struct, frozen=True, gc=False):
    """A router on the way of a message."""

    session: Id
    authid: str | None
    authrole: str


class PassedOn(Struct, frozen=True, gc=False, omit_defaults=True):
    """What a router copies unchanged beside a payload that it does not read.

    Attributes:
        ppt_…: payload passthru mode.
        enc_…: payload transparency, its older form.
        forward_for: the routers that the message came through.
    """

    ppt_scheme: Text = UNSET
    ppt_serializer: Text = UNSET
    ppt_cipher: Text = UNSET
    ppt_keyid: Text = UNSET
    enc_algo: EncryptionAlgorithm | UnsetType = UNSET
    enc_key: Text = UNSET
    enc_serializer: Text = UNSET
    forward_for: list[Forwarder] | UnsetType = UNSET

    @property
    def passed_on(self) -> dict[str, Any]:
        """What is set of it, by name: keyword arguments of the details that go out."""
        values = astuple(self)[: len(PASSED_ON)]
        transaction_hash = getattr(self, "transaction_hash", UNSET)
        if values == _NOTHING and transaction_hash is UNSET:
            return {}
        named = zip((*PASSED_ON, "transaction_hash"), (*values, transaction_hash), strict=True)
        return {name: value for name, value in named if value is not UNSET}


PASSED_ON = PassedOn.__struct_fields__
_NOTHING = (UNSET,) * len(PASSED_ON)


class ErrorDetails(PassedOn, frozen=True, gc=False, omit_defaults=True):
    """ERROR, in each direction."""

    message: Text = UNSET


class PublishOptions(PassedOn, frozen=True, gc=False, omit_defaults=True):
    """PUBLISH: whether to answer, and who receives the event.

    Attributes:
        eligible…: only these receive it; an empty list means nobody, unlike UNSET.
        exclude…: these do not.
        exclude_me: the publisher does not; False overrides none of the lists.
        rkey: resource key of sharded subscriptions.
    """

    acknowledge: bool = False
    exclude_me: bool = True
    exclude: Ids = UNSET
    exclude_authid: Texts = UNSET
    exclude_authrole: Texts = UNSET
    eligible: Ids = UNSET
    eligible_authid: Texts = UNSET
    eligible_authrole: Texts = UNSET
    disclose_me: bool = False
    retain: bool = False
    rkey: Text = UNSET
    transaction_hash: Text = UNSET


class SubscribeOptions(Struct, frozen=True, gc=False, omit_defaults=True):
    """SUBSCRIBE: how the topic is compared.

    Attributes:
        nkey: node key of sharded subscriptions.
    """

    match: Match = "exact"
    get_retained: bool = False
    nkey: Text = UNSET
    forward_for: list[Forwarder] | UnsetType = UNSET


class EventDetails(PassedOn, frozen=True, gc=False, omit_defaults=True):
    """EVENT: what a receiver cannot know from its subscription.

    Attributes:
        topic: on pattern subscriptions only.
        x_acknowledged_delivery: asks for EVENT_RECEIVED.
        payload_limit_exceeded: the payload was too long for this receiver and is left out.
    """

    publisher: Id | UnsetType = UNSET
    publisher_authid: Text = UNSET
    publisher_authrole: Text = UNSET
    topic: Text = UNSET
    retained: bool = False
    trustlevel: Count | UnsetType = UNSET
    transaction_hash: Text = UNSET
    x_acknowledged_delivery: bool = False
    payload_limit_exceeded: bool = False


class CallOptions(PassedOn, frozen=True, gc=False, omit_defaults=True):
    """CALL: how it is answered.

    Attributes:
        timeout: in milliseconds; 0 for none.
        progress: more of the call's input follows under the same id.
    """

    receive_progress: bool = False
    progress: bool = False
    timeout: Count = 0
    disclose_me: bool = False
    runmode: Text = UNSET
    rkey: Text = UNSET
    transaction_hash: Text = UNSET


class CancelOptions(Struct, frozen=True, gc=False, omit_defaults=True):
    """CANCEL: what becomes of the call; UNSET is taken for `killnowait`."""

    mode: CancelMode | UnsetType = UNSET
    forward_for: list[Forwarder] | UnsetType = UNSET


class ResultDetails(PassedOn, frozen=True, gc=False, omit_defaults=True):
    """RESULT: whether more of them follow."""

    progress: bool = False


class RegisterOptions(Struct, frozen=True, gc=False, omit_defaults=True):
    """REGISTER: how the procedure is compared, and which callee is taken.

    Attributes:
        concurrency: most invocations that this callee takes at once.
        force_reregister: present registrants lose the registration first.
        forward_timeout: the callee keeps the time itself.
    """

    match: Match = "exact"
    invoke: Invoke = "single"
    concurrency: Id | UnsetType = UNSET
    force_reregister: bool = False
    disclose_caller: bool = False
    forward_timeout: bool = False
    forward_for: list[Forwarder] | UnsetType = UNSET


class InvocationDetails(PassedOn, frozen=True, gc=False, omit_defaults=True):
    """INVOCATION: what a callee cannot know from its registration.

    Attributes:
        procedure: on pattern registrations only.
        timeout: in milliseconds, where the registration asked for it.
    """

    caller: Id | UnsetType = UNSET
    caller_authid: Text = UNSET
    caller_authrole: Text = UNSET
    procedure: Text = UNSET
    receive_progress: bool = False
    progress: bool = False
    timeout: Count = 0
    trustlevel: Count | UnsetType = UNSET
    transaction_hash: Text = UNSET


class InterruptOptions(Struct, frozen=True, gc=False, omit_defaults=True):
    """INTERRUPT: Autobahn takes no mode but these two."""

    mode: InterruptMode | UnsetType = UNSET
    reason: Text = UNSET


class YieldOptions(PassedOn, frozen=True, gc=False, omit_defaults=True):
    """YIELD: whether more of them follow."""

    progress: bool = False
