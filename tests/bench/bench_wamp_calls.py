"""What a call costs in the dealer: CALL to INVOCATION, and YIELD to RESULT.

Messages are read beforehand. Beside each figure stands what of it is writing the two messages that
go out, which is the codec's, and what is the dealer's own.
"""

import random
import time
from itertools import cycle, islice
from typing import Any

from tests.bench.report import Result

from thingtank.protocols.wamp.dealer import Dealer
from thingtank.protocols.wamp.messages import Call, Register, Yield
from thingtank.protocols.wamp.options import CallOptions, RegisterOptions, Role, YieldOptions
from thingtank.protocols.wamp.payloads import payload_of
from thingtank.protocols.wamp.peers import Peer
from thingtank.protocols.wamp.procedures import RouterCall
from thingtank.protocols.wamp.serializer import Serializer
from thingtank.protocols.wamp.serializers import SERIALIZERS

PROCEDURE = "com.example.add2"
ROUNDS = 15  # the best counts: others' load makes them longer, nothing makes them shorter
FEATURES = ("call_canceling", "call_reroute", "progressive_call_results")
TARGET_US = 3.0


class SilentPeer(Peer):
    """Drops what is sent to it."""

    def send_bytes(self, data: bytes) -> None: ...

    def send_event(self, data: bytes) -> None: ...


def now_us() -> int:
    """A clock."""
    return time.monotonic_ns() // 1000


def run(quick: bool) -> list[Result]:
    """Measure calls of a few kinds."""
    count = 800 if quick else 8_000
    plain = RegisterOptions()
    return [
        *(
            measure(f"{name}, plain", serializer, serializer, plain, CallOptions(), count)
            for name, serializer in SERIALIZERS.items()
        ),
        measure(
            "json to msgpack, plain",
            SERIALIZERS["json"],
            SERIALIZERS["msgpack"],
            plain,
            CallOptions(),
            count,
        ),
        measure(
            "json, with a timeout",
            SERIALIZERS["json"],
            SERIALIZERS["json"],
            plain,
            CallOptions(timeout=5_000),
            count,
        ),
        measure(
            "json, roundrobin of 8 that reroute",
            SERIALIZERS["json"],
            SERIALIZERS["json"],
            RegisterOptions(invoke="roundrobin"),
            CallOptions(),
            count,
            callees=8,
        ),
        measure(
            "json, of a prefix, caller disclosed",
            SERIALIZERS["json"],
            SERIALIZERS["json"],
            RegisterOptions(match="prefix", disclose_caller=True),
            CallOptions(),
            count,
        ),
        measure_router(count),
    ]


def join(number: int, serializer: Serializer) -> SilentPeer:
    """A session with the usual features of callees."""
    roles = {"caller": Role(), "callee": Role(features=dict.fromkeys(FEATURES, True))}
    return SilentPeer(number, "authid", "authrole", roles, serializer, 2**24)


def measure(
    name: str,
    calling: Serializer,
    called: Serializer,
    register: RegisterOptions,
    options: CallOptions,
    count: int,
    callees: int = 1,
) -> Result:
    """Calls one after another, each answered before the next."""
    dealer = Dealer(now_us, random.randrange)
    caller = join(1, calling)
    peers = [join(number, called) for number in range(2, callees + 2)]
    for peer in peers:
        dealer.register(peer, Register(1, register, PROCEDURE))
    asked = payload_of(calling, ["Hello, world!", 3])
    answered = payload_of(called, ["Hello, world!", 3])
    best_s = encoding_s = float("inf")
    first = 1
    for _ in range(ROUNDS):
        calls = [Call(1 + each, options, PROCEDURE, asked) for each in range(count)]
        yields = [
            Yield(each // callees, YieldOptions(), answered)
            for each in range(first * callees, first * callees + count)
        ]
        turns = list(islice(cycle(peers), count))
        first += count // callees
        start_s = time.perf_counter()
        for call, turn, result in zip(calls, turns, yields, strict=True):
            dealer.call(caller, call)
            dealer.yield_result(turn, result)
        best_s = min(best_s, time.perf_counter() - start_s)
        start_s = time.perf_counter()
        for number in range(count):
            called.encode_invocation(number, 1, None, asked)
            calling.encode_result(number, None, answered)
        encoding_s = min(encoding_s, time.perf_counter() - start_s)
    return _result(name, best_s / count * 1e6, encoding_s / count * 1e6)


def measure_router(count: int) -> Result:
    """Calls that the router answers at once without looking at them."""
    serializer = SERIALIZERS["json"]
    dealer = Dealer(now_us, random.randrange)
    dealer.provide(PROCEDURE, RouterCall.result)
    caller = join(1, serializer)
    payload: Any = payload_of(serializer, ["Hello, world!", 3])
    call = Call(1, CallOptions(), PROCEDURE, payload)
    best_s = float("inf")
    for _ in range(ROUNDS):
        start_s = time.perf_counter()
        for _number in range(count):
            dealer.call(caller, call)
        best_s = min(best_s, time.perf_counter() - start_s)
    return Result("calls: json, answered by the router", "", best_s / count * 1e6, "µs")


def _result(name: str, call_us: float, encoding_us: float) -> Result:
    own_us = call_us - encoding_us
    return Result(
        f"calls: {name}",
        f"{TARGET_US:.0f} µs of the dealer's own" if "plain" in name else "",
        call_us,
        "µs",
        ok=own_us <= TARGET_US if "plain" in name else None,
        note=f"writing {encoding_us:.2f} µs, own {own_us:.2f} µs",
    )
