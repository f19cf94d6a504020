"""Drive wrk, the neutral load generator, and read what a process costs meanwhile.

wrk is a Debian package. It is written in C, takes a tenth of a core where a Python client would
take more than the server, and knows nothing of the product.
"""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

import msgspec

# wrk calls `done` once with the totals; one line of JSON is safer to read than its report.
_DONE = """
done = function(summary, latency, requests)
  local e = summary.errors
  io.write(string.format(
    '\\nRESULT {"requests":%d,"duration_us":%d,"p50_us":%d,"p99_us":%d,"max_us":%d,' ..
    '"refused":%d,"broken":%d}\\n',
    summary.requests, summary.duration, latency:percentile(50), latency:percentile(99),
    latency.max, e.status, e.connect + e.read + e.write + e.timeout))
end
"""


class Request(NamedTuple):
    """What wrk sends."""

    method: str
    path: str
    body: bytes


class WrkMissing(RuntimeError):
    """The load generator is not installed."""


class Load(msgspec.Struct, frozen=True):
    """What one run of wrk saw, and what the server spent.

    Attributes:
        requests: answered, refusals included.
        refused: answers of 400 and above. broken: connections or reads that failed.
        server_cpu_s: processor time of the server, all its threads, during the run.
        others_cpu_s: likewise of all but the server, wrk and this process: what disturbed the run.
    """

    requests: int
    duration_us: int
    p50_us: int
    p99_us: int
    max_us: int
    refused: int
    broken: int
    server_cpu_s: float = 0.0
    others_cpu_s: float = 0.0

    @property
    def per_second(self) -> float:
        """Requests a second."""
        return self.requests * 1e6 / self.duration_us

    @property
    def per_cpu_second(self) -> float:
        """Requests for each second of processor time that the server spent."""
        return self.requests / self.server_cpu_s if self.server_cpu_s else 0.0

    @property
    def others_share(self) -> float:
        """How many processors were kept busy by others, on average."""
        return self.others_cpu_s * 1e6 / self.duration_us


def fixed_request(request: Request, headers: Mapping[str, str]) -> str:
    """Lua for wrk that sends one request again and again, built once."""
    return f"""
wrk.method, wrk.path = {_lua(request.method)}, {_lua(request.path)}
wrk.body = {_lua(request.body.decode())}
{_headers("wrk.headers", headers)}
{_DONE}"""


def cycled_requests(requests: Iterable[Request], headers: Mapping[str, str], folder: Path) -> str:
    """Lua for wrk that sends many requests in turn, each built ahead of the run.

    Args:
        folder: bodies are kept here, as wrk reads them; made if it is not there.
    """
    folder.mkdir(exist_ok=True)
    lines = []
    for count, request in enumerate(requests):
        path = folder / f"{count:06}"
        path.write_bytes(request.body)
        lines.append(f"add({_lua(request.method)}, {_lua(request.path)}, {_lua(str(path))})")
    prepared = "\n".join(lines)
    return f"""
local ready, turn, headers = {{}}, 0, {{}}
{_headers("headers", headers)}
local function add(method, path, name)
  local file = io.open(name, "rb")
  ready[#ready + 1] = wrk.format(method, path, headers, file:read("*a"))
  file:close()
end
function init(args)
  {prepared}
end
function request()
  turn = turn % #ready + 1
  return ready[turn]
end
{_DONE}"""


def _headers(table: str, headers: Mapping[str, str]) -> str:
    return "\n".join(f"{table}[{_lua(name)}] = {_lua(value)}" for name, value in headers.items())


def _lua(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'


def run_wrk(
    port: int, script: str, *, connections: int, duration_s: int, server_pid: int, threads: int = 1
) -> Load:
    """Load a server on loopback for a while; its processor time is read from /proc.

    Raises:
        WrkMissing: install Debian's package wrk.
    """
    program = shutil.which("wrk")
    if program is None:
        raise WrkMissing("wrk is not installed; on Debian: apt-get install wrk")
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as file:
        file.write(script)
        file.flush()
        before_s, others_before_s = cpu_s(server_pid), _others_cpu_s(server_pid)
        command = [program, f"-t{threads}", f"-c{connections}", f"-d{duration_s}s"]
        command += ["--timeout", "10s", "-s", file.name, f"http://127.0.0.1:{port}/"]
        finished = subprocess.run(
            command,
            capture_output=True,
            text=True,
            timeout=duration_s + 30,
            check=True,
        )
        spent_s = cpu_s(server_pid) - before_s
        others_s = _others_cpu_s(server_pid) - others_before_s
    _, found, line = finished.stdout.rpartition("RESULT ")
    if not found:
        raise RuntimeError(f"wrk said nothing: {finished.stdout}{finished.stderr}")
    load = msgspec.json.decode(line, type=Load)
    return msgspec.structs.replace(load, server_cpu_s=spent_s, others_cpu_s=max(others_s, 0.0))


def cpu_s(pid: int) -> float:
    """Processor time that a process has spent, user and system, all threads."""
    # The command name in brackets may hold spaces; the fields count from behind it (proc(5)).
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _others_cpu_s(server_pid: int) -> float:
    """Processor time of the machine but for a server, this process, and what this one has run."""
    ticks = [int(text) for text in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]]
    busy_s = (sum(ticks) - ticks[3] - ticks[4]) / os.sysconf(
        "SC_CLK_TCK"
    )  # idle, waiting for disks
    return busy_s - cpu_s(server_pid) - sum(os.times()[:4])


def resident_bytes(pid: int) -> int:
    """Resident memory of a process now."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")
