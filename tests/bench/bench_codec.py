"""What WAMP's codec costs a message: what comes in, and what goes out for it.

Beside each stands the plain reading of the same octets into Python values: json of the standard
library, msgspec's MessagePack, cbor2. The figures are the best of several rounds: others' load
makes them longer, nothing makes them shorter.
"""

import json
import timeit
from collections.abc import Callable
from typing import Any

import cbor2
import msgspec
from tests.bench.report import Result

from thingtank.protocols.wamp.messages import Call, Publish, Yield
from thingtank.protocols.wamp.serializer import Serializer
from thingtank.protocols.wamp.serializers import SERIALIZERS

MICROSECONDS_MAX = 1.5
ID = 5_512_315_355
PUBLICATION_ID = 4_429_313_566_777_123
TEXT = "x" * 64
READINGS = {f"sensor{number}": number * 1.5 for number in range(10)}

INCOMING: dict[str, list[Any]] = {
    "PUBLISH": [16, 239_714_735, {}, "com.example.topic1", [TEXT]],
    "PUBLISH of 10 readings": [16, 239_714_735, {"acknowledge": True}, "com.t", [], READINGS],
    "CALL": [48, 7_814_135, {}, "com.example.procedure1", [TEXT]],
    "YIELD": [70, 6_131_533, {}, [TEXT]],
    "SUBSCRIBE": [32, 713_845_233, {"match": "prefix"}, "com.example.topic1"],
}
PLAIN: dict[str, tuple[Callable[[Any], bytes], Callable[[bytes], Any]]] = {
    "json": (msgspec.json.encode, json.loads),
    "msgpack": (msgspec.msgpack.encode, msgspec.msgpack.decode),
    "cbor": (cbor2.dumps, cbor2.loads),
}


def run(quick: bool) -> list[Result]:
    """Measure each message in each serializer."""
    rounds = 3 if quick else 25
    results = []
    for name, serializer in SERIALIZERS.items():
        write, read_plainly = PLAIN[name]
        for case, message in INCOMING.items():
            octets = write(message)
            plain_us = best_us(lambda data=octets, read=read_plainly: read(data), rounds)
            results.append(decoding(serializer, case, octets, plain_us, rounds))
            results += encoding(serializer, octets, rounds)
    return results


def decoding(
    serializer: Serializer, case: str, octets: bytes, plain_us: float, rounds: int
) -> Result:
    """What a message that comes in costs."""
    took_us = best_us(lambda: serializer.decode(octets), rounds)
    is_hot = case in ("PUBLISH", "CALL", "YIELD") and serializer.name != "cbor"
    return Result(
        f"codec: {case} in, {serializer.name}",
        f"≤ {MICROSECONDS_MAX} µs" if is_hot else "",
        took_us,
        "µs",
        ratio=took_us / plain_us,
        ok=took_us <= MICROSECONDS_MAX if is_hot else None,
        note=f"{len(octets)} bytes; read plainly {plain_us:.2f} µs",
    )


def encoding(serializer: Serializer, octets: bytes, rounds: int) -> list[Result]:
    """What goes out for a message that came in: to the same serializer, and to the others."""
    message = serializer.decode(octets)
    writes: list[tuple[str, Callable[[Serializer], bytes]]] = []
    if isinstance(message, Publish):
        payload = message.payload
        kind = "EVENT of 10 readings" if payload.count == 2 else "EVENT"
        writes.append((kind, lambda to: to.encode_event(ID, PUBLICATION_ID, None, payload)))
    elif isinstance(message, Call):
        payload = message.payload
        writes.append(("INVOCATION", lambda to: to.encode_invocation(ID, ID, None, payload)))
    elif isinstance(message, Yield):
        payload = message.payload
        writes.append(("RESULT", lambda to: to.encode_result(ID, None, payload)))
    results = []
    for kind, write in writes:
        for target in SERIALIZERS.values():
            is_copied = target is serializer
            case = f"codec: {kind} out, {serializer.name}"
            if not is_copied:
                case += f" to {target.name}"
            took_us = best_us(lambda to=target, run=write: run(to), rounds)
            note = "payload copied" if is_copied else "payload converted"
            is_ok = took_us <= MICROSECONDS_MAX if is_copied else None
            bound = f"≤ {MICROSECONDS_MAX} µs" if is_copied else ""
            results.append(Result(case, bound, took_us, "µs", ok=is_ok, note=note))
    return results


def best_us(run_once: Callable[[], Any], rounds: int) -> float:
    """Microseconds that one run takes, in the best round."""
    count = 2000
    return min(timeit.repeat(run_once, number=count, repeat=rounds)) / count * 1e6
