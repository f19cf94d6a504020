"""Drive skynet_load.c, the load generator for SkyNet servers, and read what a server costs meanwhile."""

import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import msgspec
from tests.bench import c_program
from tests.bench.c_program import spent, wait_for
from tests.bench.load import resident_bytes

SOURCE = Path(__file__).with_name("skynet_load.c")
WIRE_0_9, WIRE_4 = "0.9", "4"


class Device(NamedTuple):
    """Who speaks to a server.

    Attributes:
        feed_id: where its data is; 0 of other servers.
    """

    uuid: str
    token: str
    feed_id: int = 0


class Work(NamedTuple):
    """What to do.

    Attributes:
        mode: `sockets`, or `http`: the senders are keep-alive connections with one request each under
            way, the receivers are sockets.
        senders, receivers: each is a device; with `self` the receivers are the senders.
        topology: `pairs` (sender n to receiver n, or to the only one), `self` (each to itself), `out`
            (the first sender's broadcasts to all receivers, who have subscribed to it).
        wire: of the sockets: `0.9`, or `4` for Engine.IO 4.
        target: of requests: `messages` or `data`.
        window: messages of one socket that may be under way.
        rate: messages a second by the clock, all senders together; 0 as fast as the windows let.
    """

    mode: str
    senders: int
    receivers: int
    topology: str = "pairs"
    wire: str = WIRE_4
    target: str = "messages"
    window: int = 4
    rate: int = 0

    @property
    def devices(self) -> int:
        """How many it takes."""
        return self.senders + (0 if self.topology == "self" else self.receivers)


class SkynetLoad(msgspec.Struct, frozen=True):
    """What one run saw, and what the server spent.

    Attributes:
        took_s: the measured span.
        cpu_s: processor time of the load generator in that span.
        sent, delivered, answered: in that span.
        total: sent in all.
        lost: deliveries and answers that never came; negative when too many did.
        bad: deliveries out of order, changed, or with another sender.
        heartbeats: of the server, that were answered.
        p50_us, p99_us, max_us: of answers over HTTP, else of deliveries, from when each was due.
        server_cpu_s: processor time of all the server's processes in the span.
        others_cpu_s: of all but the server, the generator and this process.
    """

    took_s: float
    cpu_s: float
    sent: int
    delivered: int
    answered: int
    total: int
    lost: int
    bad: int
    heartbeats: int
    p50_us: float
    p99_us: float
    max_us: float
    server_cpu_s: float = 0.0
    others_cpu_s: float = 0.0

    @property
    def done(self) -> int:
        """Answers over HTTP, else deliveries."""
        return self.answered or self.delivered

    @property
    def per_second(self) -> float:
        """Done a second by the clock."""
        return self.done / self.took_s

    @property
    def per_cpu_second(self) -> float:
        """Done for each second of processor time of the server."""
        return self.done / self.server_cpu_s if self.server_cpu_s else 0.0

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


class Sockets(NamedTuple):
    """What idle sockets cost.

    Attributes:
        opened_a_second: one after the other, each identified as a device of its own.
        bytes_each: resident memory of the server for one.
        heartbeats: of the server, that were answered meanwhile.
    """

    opened_a_second: float
    bytes_each: float
    heartbeats: int


def run_load(
    port: int,
    work: Work,
    devices: Sequence[Device],
    pids: Callable[[], list[int]],
    *,
    warm_s: float,
    run_s: float,
    settle_s: float = 3.0,
) -> SkynetLoad:
    """Load a server for a while.

    Args:
        devices: at least as many as the work takes, the senders first.
        pids: the server's processes.
        settle_s: what has not come by the end is lost when nothing has come for so long.

    Raises:
        LoadRefused, CompilerMissing
    """
    times = {"warm_s": warm_s, "run_s": run_s, "settle_s": settle_s}
    with _clients(devices) as clients:
        options = {"port": port, "clients": clients, **work._asdict(), **times}
        with c_program.running(SOURCE, options) as (process, output):
            wait_for(output, "begin", process)
            before = spent(pids(), process.pid)
            wait_for(output, "end", process)
            after = spent(pids(), process.pid)
            load = msgspec.json.decode(wait_for(output, "{", process), type=SkynetLoad)
    server_s, busy_s = after[0] - before[0], after[1] - before[1]
    return msgspec.structs.replace(
        load, server_cpu_s=server_s, others_cpu_s=max(busy_s - server_s, 0.0)
    )


def hold_sockets(
    port: int, wire: str, devices: Sequence[Device], pids: Callable[[], list[int]], *, hold_s: float
) -> Sockets:
    """Open a socket of each device, keep them for a while, and see what memory they take.

    Raises:
        LoadRefused, CompilerMissing
    """
    before_bytes = sum(resident_bytes(pid) for pid in pids())
    with _clients(devices) as clients:
        options = {"port": port, "clients": clients, "mode": "idle", "wire": wire}
        more = {"receivers": len(devices), "hold_s": hold_s}
        with c_program.running(SOURCE, {**options, **more}) as (process, output):
            wait_for(output, "end", process)
            added_bytes = sum(resident_bytes(pid) for pid in pids()) - before_bytes
            assert process.stdin is not None
            process.stdin.write("\n")
            process.stdin.flush()
            report = msgspec.json.decode(wait_for(output, "{", process))
    count = len(devices)
    return Sockets(count / report["took_s"], added_bytes / count, report["heartbeats"])


def compiled() -> Path:
    """The load generator, compiled again when its source has changed.

    Raises:
        CompilerMissing: install a C compiler.
    """
    return c_program.compiled(SOURCE)


@contextmanager
def _clients(devices: Sequence[Device]) -> Iterator[str]:
    """A file with what the devices say of themselves."""
    with tempfile.NamedTemporaryFile("w") as file:
        file.writelines(f"{device.uuid} {device.token}\n" for device in devices)
        file.flush()
        yield file.name
