"""libxively, Xively's C library: its eight examples, built by its own makefiles.

Host and port are constants of the build, so that it is told them as its `xi_config.h` says, and
what is built goes to a folder of its own. An example ends with 0 whatever happened: what counts
is the reply that its debug output shows, what it prints, and what the server has then.
"""

import re
import shutil
import subprocess
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from tests.live_server import start_server
from tests.official_clients.checks import Check, Mismatch, Missing, expect, needed_files, run_checks
from tests.official_clients.tank import HOUR, Tank, at

BUILD_S_MAX = 120.0
EXAMPLE_S_MAX = 10.0
CLOCK_S_MAX = 60.0  # between an example's clock and the check; both are of one machine
EXAMPLES = (
    "datapoint_delete", "datapoint_delete_range", "datastream_create", "datastream_delete",
    "datastream_get", "datastream_update", "feed_get", "feed_update",
)  # fmt: skip
STATUS_LINE = re.compile(r"^HTTP/1\.1 (\d{3}) ", re.MULTILINE)


class Ran(NamedTuple):
    """What an example did."""

    status: int
    output: str


class Examples:
    """The examples that were built, and the server they were built for."""

    def __init__(self, tank: Tank, folder: Path) -> None:
        self.tank = tank
        self._folder = folder

    def run(self, name: str, feed: str, *words: object, key: str = "") -> Ran:
        """Run one to its end.

        Raises:
            Mismatch: it crashed, or shows no reply.
        """
        feed_id = feed.rpartition("/")[2]
        command = [str(self._folder / name), key or self.tank.key, feed_id, *map(str, words)]
        done = subprocess.run(
            command, capture_output=True, timeout=EXAMPLE_S_MAX, check=False, errors="replace"
        )
        output = done.stdout + done.stderr
        reply = STATUS_LINE.search(output)
        if done.returncode != 0 or reply is None:
            raise Mismatch(f"ended with {done.returncode}, and printed:\n{output}")
        return Ran(int(reply[1]), output)

    def succeed(self, name: str, feed: str, *words: object, status: int = 200) -> str:
        """What an example prints whose request is answered as it should be."""
        ran = self.run(name, feed, *words)
        if ran.status != status:
            raise Mismatch(f"was answered {ran.status}, expected {status}:\n{ran.output}")
        return ran.output


def run(path: Path) -> int:
    """Build the library of a checkout, run all checks and give the exit code."""
    needed_files(path / "src" / "examples", [f"{name}.c" for name in EXAMPLES], "xively/libxively")
    for program in ("make", "cc", "ar"):
        if shutil.which(program) is None:
            raise Missing(f"{program} is not installed; as root: apt-get install build-essential")
    with (
        tempfile.TemporaryDirectory(prefix="thingtank-libxively-") as folder,
        start_server(Path(folder, "data")) as server,
    ):
        tank = Tank(server)
        examples = build(path, Path(folder, "built"), tank.port("web"))
        return run_checks(CHECKS, Examples(tank, examples))


def build(path: Path, folder: Path, port: int) -> Path:
    """Build the examples for a server on loopback.

    Returns:
        The folder they are in.
    """
    command = ["make", "-C", str(path / "src"), "examples"]
    # The makefiles ask git for their folder, which an unpacked archive cannot answer.
    command += [f"LIBXIVELY={path}", f"XI_OUTPUT={folder}"]
    command += [f"XI_OVERRIDE_CONSTANTS=XI_HOST='\"127.0.0.1\"' XI_PORT={port}"]
    done = subprocess.run(
        command, capture_output=True, timeout=BUILD_S_MAX, check=False, errors="replace"
    )
    if done.returncode != 0:
        said = [
            line for line in done.stderr.splitlines() if not line.startswith("fatal: not a git")
        ]
        raise Missing(
            "\n".join([f"{path} cannot be built here; the end of what make says:", *said[-20:]])
        )
    return folder / "bin"


def printed(output: str, line: str) -> None:
    """Raise Mismatch unless this line is in what was printed."""
    if line not in (found.strip() for found in output.splitlines()):
        raise Mismatch(f"no line {line!r} in what it printed:\n{output}")


def seconds(second: int) -> int:
    """Seconds since the epoch of `at(second)`."""
    return int(HOUR.timestamp()) + second


def expect_now(stream: dict[str, str]) -> None:
    age_s = (datetime.now(UTC) - datetime.fromisoformat(stream["at"])).total_seconds()
    if abs(age_s) > CLOCK_S_MAX:
        raise Mismatch(f"the time is {stream['at']}, expected about now")


def datastream_create(examples: Examples) -> None:
    feed = examples.tank.new_feed()
    examples.succeed("datastream_create", feed, "temp", 21, status=201)
    stream = examples.tank.read(f"{feed}/datastreams/temp")
    expect("current value", stream.get("current_value"), "21")
    expect_now(stream)


def datastream_update(examples: Examples) -> None:
    feed = examples.tank.new_feed(hum="2")
    # The example's clock has whole seconds: a value of this very second would be the newer one.
    old = {"id": "temp", "current_value": "1", "at": at(0)}
    examples.tank.write("PUT", feed, {"datastreams": [old]})
    output = examples.succeed("datastream_update", feed, "temp", -22)
    printed(output, "err: 0 - XI_NO_ERR")
    expect("current values", examples.tank.values(feed), {"temp": "-22", "hum": "2"})
    expect_now(examples.tank.read(f"{feed}/datastreams/temp"))


def datastream_get(examples: Examples) -> None:
    feed = examples.tank.new_feed()
    stream = {"id": "temp", "current_value": "23", "at": at(7, 123)}
    examples.tank.write("PUT", feed, {"datastreams": [stream]})
    output = examples.succeed("datastream_get", feed, "temp")
    printed(output, f"timestamp = {seconds(7)}.123, value = 23")


def datastream_delete(examples: Examples) -> None:
    feed = examples.tank.new_feed(temp="1", hum="2")
    examples.succeed("datastream_delete", feed, "temp")
    examples.tank.expect_gone(f"{feed}/datastreams/temp")
    expect("current values", examples.tank.values(feed), {"hum": "2"})


def feed_update(examples: Examples) -> None:
    feed = examples.tank.new_feed(temp="1", hum="2", wind="3")
    examples.succeed("feed_update", feed, "temp", 24, "hum", -25, "rain", 0)
    values = {"temp": "24", "hum": "-25", "wind": "3", "rain": "0"}
    expect("current values", examples.tank.values(feed), values)


def feed_get(examples: Examples) -> None:
    feed = examples.tank.new_feed(unasked="0")
    values = {"temp": "26", "hum": "27.5", "sky": "some clouds"}
    streams = [{"id": name, "current_value": value, "at": at(n)} for n, (name, value) in enumerate(values.items())]  # fmt: skip
    examples.tank.write("PUT", feed, {"datastreams": streams})
    output = examples.succeed("feed_get", feed, "sky", "temp", "hum")
    lines = [line for line in output.splitlines() if line.startswith("datasream_id")]
    wanted = [
        f"datasream_id: sky  value: some clouds@{seconds(2)}",
        f"datasream_id: temp  value: 26@{seconds(0)}",
        f"datasream_id: hum  value: 27.500000@{seconds(1)}",
    ]
    expect("printed", lines, wanted)


def datapoint_delete(examples: Examples) -> None:
    feed = examples.tank.new_points(3)
    examples.tank.write(
        "POST", f"{feed}/datastreams/temp/datapoints",
        {"datapoints": [{"at": at(1, 123), "value": "x"}]},
    )  # fmt: skip
    examples.succeed("datapoint_delete", feed, "temp", seconds(1), 123)
    points = [(at(n), str(n)) for n in range(3)]
    expect("points", examples.tank.points(feed), points)
    examples.succeed("datapoint_delete", feed, "temp", seconds(1), 0)
    expect("points", examples.tank.points(feed), [points[0], points[2]])


def datapoint_delete_range(examples: Examples) -> None:
    feed = examples.tank.new_points(5)
    examples.succeed("datapoint_delete_range", feed, "temp", seconds(1), seconds(3))
    points = [(at(n), str(n)) for n in (0, 4)]
    expect("points", examples.tank.points(feed), points)


def refused_key(examples: Examples) -> None:
    feed = examples.tank.new_feed(temp="1")
    ran = examples.run("datastream_update", feed, "temp", 2, key="wrong")
    expect("status", ran.status, 401)
    printed(ran.output, "err: 0 - XI_NO_ERR")  # it could read the reply; it has no error for it
    expect("current values", examples.tank.values(feed), {"temp": "1"})


def missing_datastream(examples: Examples) -> None:
    feed = examples.tank.new_feed()
    expect("status of get", examples.run("datastream_get", feed, "none").status, 404)
    expect("status of update", examples.run("datastream_update", feed, "none", 1).status, 404)
    expect("status of delete", examples.run("datastream_delete", feed, "none").status, 404)
    expect("current values", examples.tank.values(feed), {})


CHECKS: list[Check[Examples]] = [
    ("datastream_create", datastream_create),
    ("datastream_get", datastream_get),
    ("datastream_update", datastream_update),
    ("datastream_delete", datastream_delete),
    ("feed_get", feed_get),
    ("feed_update", feed_update),
    ("datapoint_delete", datapoint_delete),
    ("datapoint_delete_range", datapoint_delete_range),
    ("refused: a wrong key", refused_key),
    ("refused: a datastream that is not there", missing_datastream),
]
