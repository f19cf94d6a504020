"""Drive mqtt_load.c, the load generator for MQTT brokers, and read what a broker costs meanwhile."""

from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

import msgspec
from tests.bench import c_program
from tests.bench.c_program import spent, wait_for
from tests.bench.load import resident_bytes

SOURCE = Path(__file__).with_name("mqtt_load.c")
PAYLOAD_BYTES = 64
VERSION_3_1_1, VERSION_5 = 4, 5
IDLE_KEEP_ALIVE_S = 600
ABSENT_S_MAX = 60.0
_NOTHING_MORE: Mapping[str, object] = MappingProxyType({})


class Line(NamedTuple):
    """Where a broker is, and who speaks to it.

    Attributes:
        user, password: of each client; blank for none.
    """

    port: int
    user: str = ""
    password: str = ""
    host: str = "127.0.0.1"


class Work(NamedTuple):
    """What to do.

    Attributes:
        topology: `in` (each subscriber has all publishers' topics through one wildcard), `pairs`
            (publisher n to subscriber n), `out` (all subscribers have the first publisher's topic).
        window: messages of one publisher that may be under way: not acknowledged (QoS 1 and 2), or not
            arrived at all receivers.
        batch: as many are sent together at least.
        rate: messages a second by the clock, all publishers together; 0 as fast as the windows let.
        is_persistent: the subscribers have sessions that outlive their connections.
        version: of the protocol, as CONNECT says it: 4 is MQTT 3.1.1.
    """

    topology: str
    publishers: int
    subscribers: int
    qos: int
    window: int = 20
    batch: int = 4
    rate: int = 0
    is_persistent: bool = False
    version: int = VERSION_3_1_1
    payload_bytes: int = PAYLOAD_BYTES


class MqttLoad(msgspec.Struct, frozen=True):
    """What one run saw, and what the broker spent.

    Attributes:
        took_s: the measured span.
        cpu_s: processor time of the load generator in that span.
        sent, delivered, acknowledged: in that span.
        total: sent in all.
        lost: deliveries and acknowledgements that never came; negative when too many did.
        bad: deliveries out of order, changed, with another topic or QoS; acknowledgements of nothing.
        p50_us, p99_us, max_us: one way, of messages at a rate; 0 without.
        drain_s: until a persistent subscriber that came back had all that was queued.
        broker_cpu_s: processor time of all the broker's processes in the span.
        drain_cpu_s: likewise while it drained.
        others_cpu_s: of all but the broker, the generator and this process.
    """

    took_s: float
    cpu_s: float
    sent: int
    delivered: int
    acknowledged: int
    total: int
    lost: int
    bad: int
    p50_us: float
    p99_us: float
    max_us: float
    drain_s: float
    broker_cpu_s: float = 0.0
    drain_cpu_s: float = 0.0
    others_cpu_s: float = 0.0

    @property
    def done(self) -> int:
        """Deliveries; acknowledgements where nobody subscribes."""
        return self.delivered or self.acknowledged

    @property
    def per_second(self) -> float:
        """Done a second by the clock."""
        return self.done / self.took_s

    @property
    def per_cpu_second(self) -> float:
        """Done for each second of processor time of the broker."""
        return self.done / self.broker_cpu_s if self.broker_cpu_s else 0.0

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


class Connections(NamedTuple):
    """What idle connections cost.

    Attributes:
        opened_a_second: one after the other, each with a subscription.
        bytes_each: resident memory of the broker for one.
    """

    opened_a_second: float
    bytes_each: float


def run_load(
    line: Line,
    work: Work,
    pids: Callable[[], list[int]],
    *,
    warm_s: float,
    run_s: float,
    settle_s: float = 3.0,
    more: Mapping[str, object] = _NOTHING_MORE,
) -> MqttLoad:
    """Load a broker for a while.

    Args:
        pids: the broker's processes.
        settle_s: what has not come by the end is lost when nothing has come for so long.
        more: options of the program besides.

    Raises:
        LoadRefused, CompilerMissing
    """
    times = {"warm_s": warm_s, "run_s": run_s, "settle_s": settle_s}
    options = {"mode": "load", **_options(line, work), **times, **more}
    with c_program.running(SOURCE, options) as (process, output):
        wait_for(output, "begin", process)
        before = spent(pids(), process.pid)
        wait_for(output, "end", process)
        broker_s, busy_s = _since(before, spent(pids(), process.pid))
        load = msgspec.json.decode(wait_for(output, "{", process), type=MqttLoad)
    others_s = max(busy_s - broker_s, 0.0)
    return msgspec.structs.replace(load, broker_cpu_s=broker_s, others_cpu_s=others_s)


def publish_to_absent(
    line: Line, work: Work, messages: int, pids: Callable[[], list[int]], *, settle_s: float = 3.0
) -> MqttLoad:
    """Subscribers with persistent sessions go away, messages are published, they come back.

    Raises:
        LoadRefused, CompilerMissing
    """
    limits = {"messages": messages, "run_s": ABSENT_S_MAX, "settle_s": settle_s}
    options = {"mode": "absent", **_options(line, work), **limits}
    with c_program.running(SOURCE, options) as (process, output):
        wait_for(output, "begin", process)
        before = spent(pids(), process.pid)
        wait_for(output, "end", process)
        published = spent(pids(), process.pid)
        wait_for(output, "drained", process)
        drain_s, _ = _since(published, spent(pids(), process.pid))
        load = msgspec.json.decode(wait_for(output, "{", process), type=MqttLoad)
    broker_s, busy_s = _since(before, published)
    return msgspec.structs.replace(
        load,
        broker_cpu_s=broker_s,
        drain_cpu_s=drain_s,
        others_cpu_s=max(busy_s - broker_s, 0.0),
    )


def hold_connections(
    line: Line, count: int, pids: Callable[[], list[int]], *, hold_s: float
) -> Connections:
    """Open clean sessions with a subscription each, keep them, and see what memory they take.

    Raises:
        LoadRefused, CompilerMissing
    """
    before_bytes = sum(resident_bytes(pid) for pid in pids())
    work = Work("pairs", 0, 0, 0)
    options = {"mode": "idle", **_options(line, work), "connections": count, "hold_s": hold_s}
    options["keep_alive_s"] = IDLE_KEEP_ALIVE_S
    with c_program.running(SOURCE, options) as (process, output):
        wait_for(output, "end", process)
        added_bytes = sum(resident_bytes(pid) for pid in pids()) - before_bytes
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
        report = msgspec.json.decode(wait_for(output, "{", process))
    return Connections(count / report["took_s"], added_bytes / count)


def compiled() -> Path:
    """The load generator, compiled again when its source has changed.

    Raises:
        CompilerMissing: install a C compiler.
    """
    return c_program.compiled(SOURCE)


def _since(before: tuple[float, float], after: tuple[float, float]) -> tuple[float, float]:
    return after[0] - before[0], after[1] - before[1]


def _options(line: Line, work: Work) -> dict[str, object]:
    return {
        "host": line.host,
        "port": line.port,
        "user": line.user,
        "password": line.password,
        "topology": work.topology,
        "publishers": work.publishers,
        "subscribers": work.subscribers,
        "qos": work.qos,
        "window": work.window,
        "batch": work.batch,
        "rate": work.rate,
        "persistent": int(work.is_persistent),
        "version": work.version,
        "payload_bytes": work.payload_bytes,
    }
