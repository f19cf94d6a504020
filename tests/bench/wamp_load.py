"""Drive wamp_load.c, the load generator for WAMP routers, and read what a router costs meanwhile.

It is compiled when first needed. All that depends on a serializer is encoded here, once; the
program only puts ids and sequence numbers between those octets.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import cbor2
import msgspec
from tests.bench import c_program
from tests.bench.c_program import LoadRefused, spent, wait_for
from tests.bench.load import resident_bytes

__all__ = ["Line", "LoadRefused", "WampLoad", "Work", "compiled", "hold_sessions", "run_load"]

SOURCE = Path(__file__).with_name("wamp_load.c")

REALM = "realm1"
TOPIC = PROCEDURE = "com.example.bench"
PAYLOAD_BYTES = 64
_SEQUENCE_DIGITS = 16
_FILLER = ("the rest of sixty-four octets of payload " * 2)[: PAYLOAD_BYTES - _SEQUENCE_DIGITS]
_ROLES = {"publisher": {}, "subscriber": {}, "caller": {}, "callee": {}}


class Line(NamedTuple):
    """How to speak to a router.

    Attributes:
        port: on loopback.
        transport: `ws` or `raw`.
        encoding: `json`, `msgpack` or `cbor`.
        is_batched: several messages may share a frame; not for JSON.
        path: of the WebSocket.
    """

    port: int
    transport: str = "ws"
    encoding: str = "json"
    is_batched: bool = False
    path: str = "/ws"

    @property
    def subprotocol(self) -> str:
        """WebSocket's name of the serializer."""
        return f"wamp.2.{self.encoding}" + (".batched" if self.is_batched else "")


class Work(NamedTuple):
    """What to do.

    Attributes:
        mode: `publish` or `call`.
        receivers: subscribers.
        window: publications or calls that may be under way.
        batch: as many are sent together at least.
        rate: calls a second by the clock; 0 as fast as the window lets.
    """

    mode: str
    receivers: int = 1
    window: int = 128
    batch: int = 1
    is_acknowledged: bool = False
    rate: int = 0


class WampLoad(msgspec.Struct, frozen=True):
    """What one run saw, and what the router spent.

    Attributes:
        took_s: the measured span; what follows but the last two is of that span.
        cpu_s: processor time of the load generator.
        lost: deliveries, acknowledgements or results that never came; negative when too many did.
        bad: events out of order or with another payload.
        p50_us, p99_us, max_us: of calls, 0 without.
        router_cpu_s: processor time of all the router's processes.
        others_cpu_s: of all but the router, the generator and this process.
    """

    took_s: float
    cpu_s: float
    sent: int
    events: int
    acknowledged: int
    results: int
    lost: int
    bad: int
    p50_us: float
    p99_us: float
    max_us: float
    router_cpu_s: float = 0.0
    others_cpu_s: float = 0.0

    @property
    def done(self) -> int:
        """Results, else acknowledgements, else deliveries: what the case counts."""
        return self.results or self.acknowledged or self.events

    @property
    def per_second(self) -> float:
        """Done a second by the clock."""
        return self.done / self.took_s

    @property
    def per_cpu_second(self) -> float:
        """Done for each second of processor time of the router."""
        return self.done / self.router_cpu_s if self.router_cpu_s else 0.0

    @property
    def failures(self) -> int:
        """What was lost, repeated or changed, or that nothing was done; such a run is not fast."""
        return abs(self.lost) + self.bad + (self.done == 0)

    @property
    def generator_share(self) -> float:
        """How much of a processor the load generator used."""
        return self.cpu_s / self.took_s

    @property
    def others_share(self) -> float:
        """How many processors were kept busy by others, on average."""
        return self.others_cpu_s / self.took_s


class Sessions(NamedTuple):
    """What idle sessions cost.

    Attributes:
        opened_a_second: sessions, one after the other.
        bytes_each: resident memory of the router for one.
        pings: keep-alives that were answered meanwhile.
    """

    opened_a_second: float
    bytes_each: float
    pings: int


def run_load(
    line: Line,
    work: Work,
    pids: Callable[[], list[int]],
    *,
    warm_s: float,
    run_s: float,
    settle_s: float = 3.0,
) -> WampLoad:
    """Load a router for a while.

    Args:
        pids: the router's processes.
        settle_s: what has not come by the end is lost when nothing has come for so long.

    Raises:
        LoadRefused, CompilerMissing
    """
    options = {
        "mode": work.mode,
        "receivers": work.receivers,
        "window": work.window,
        "batch": work.batch,
        "acknowledged": int(work.is_acknowledged),
        "rate": work.rate,
        "warm_s": warm_s,
        "run_s": run_s,
        "settle_s": settle_s,
        **_line_options(line),
        **_octets(line.encoding, work.is_acknowledged),
    }
    with c_program.running(SOURCE, options) as (process, output):
        wait_for(output, "begin", process)
        before = spent(pids(), process.pid)
        wait_for(output, "end", process)
        router_s, others_s = (
            after - earlier
            for after, earlier in zip(spent(pids(), process.pid), before, strict=True)
        )
        load = msgspec.json.decode(wait_for(output, "{", process), type=WampLoad)
    return msgspec.structs.replace(
        load, router_cpu_s=router_s, others_cpu_s=max(others_s - router_s, 0.0)
    )


def hold_sessions(
    line: Line, count: int, pids: Callable[[], list[int]], *, hold_s: float
) -> Sessions:
    """Open sessions, keep them for a while, and see what memory they take.

    Raises:
        LoadRefused, CompilerMissing
    """
    before_bytes = sum(resident_bytes(pid) for pid in pids())
    octets = {"hello": _octets(line.encoding, False)["hello"]}
    options = {"mode": "idle", "sessions": count, "hold_s": hold_s, **_line_options(line)}
    with c_program.running(SOURCE, {**options, **octets}) as (process, output):
        wait_for(output, "end", process)
        added_bytes = sum(resident_bytes(pid) for pid in pids()) - before_bytes
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
        report = msgspec.json.decode(wait_for(output, "{", process))
    return Sessions(count / report["took_s"], added_bytes / count, report["pings"])


def compiled() -> Path:
    """The load generator, compiled again when its source has changed.

    Raises:
        CompilerMissing: install a C compiler.
    """
    return c_program.compiled(SOURCE)


def _line_options(line: Line) -> dict[str, Any]:
    return {
        "port": line.port,
        "transport": line.transport,
        "encoding": line.encoding,
        "batched": int(line.is_batched),
        "path": line.path,
        "subprotocol": line.subprotocol,
    }


def _octets(encoding: str, is_acknowledged: bool) -> dict[str, str]:
    """Messages in hexadecimal, cut where the program puts an id or a sequence number."""
    encode, heads, between, end = _ENCODINGS[encoding]
    encoded_args = encode(["0" * _SEQUENCE_DIGITS + _FILLER])
    args_head, _, args_tail = encoded_args.partition(b"0" * _SEQUENCE_DIGITS)
    options = encode({"acknowledge": True} if is_acknowledged else {})
    topic = encode(TOPIC)
    hello = encode([1, REALM, {"roles": _ROLES, "agent": "bench"}])
    parts = {
        "hello": hello,
        "subscribe": encode([32, 1, {}, TOPIC]),
        "register": encode([64, 1, {}, PROCEDURE]),
        "publish0": heads(5, 16),
        "publish1": between + options + between + topic + between + args_head,
        "publish2": args_tail + end,
        "call0": heads(5, 48),
        "call1": between + encode({}) + between + topic + between + args_head,
        "call2": args_tail + end,
        "yield0": heads(4, 70),
        "yield1": between + encode({}) + between + encoded_args + end,
        "filler": _FILLER.encode(),
    }
    return {name: octets.hex() for name, octets in parts.items()}


def _json_head(_length: int, message_type: int) -> bytes:
    return b"[%d," % message_type


def _msgpack_head(length: int, message_type: int) -> bytes:
    return bytes([0x90 | length, message_type])


def _cbor_head(length: int, message_type: int) -> bytes:
    return bytes([0x80 | length]) + cbor2.dumps(message_type)


# By encoding: of a value; of a list's head with its first element; between elements; at the end.
_ENCODINGS: dict[str, tuple[Callable[[Any], bytes], Callable[[int, int], bytes], bytes, bytes]] = {
    "json": (msgspec.json.encode, _json_head, b",", b"]"),
    "msgpack": (msgspec.msgpack.encode, _msgpack_head, b"", b""),
    "cbor": (cbor2.dumps, _cbor_head, b"", b""),
}
