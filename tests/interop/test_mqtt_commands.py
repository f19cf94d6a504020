"""`thingtank mqtt pub` and `sub` do with each flag what mosquitto_pub and mosquitto_sub do."""

import json
import re
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

import pytest
from tests.interop.mqtt_broker import (
    PASSWORD,
    RUN_S_MAX,
    USERNAME,
    Broker,
    ours,
    run,
    running_broker,
    theirs,
)

AT_ONCE = 4
ALL = "%t|%q|%r|%l|%x|%A|%C|%D|%E|%F|%P|%R|%S"
PROPERTIES = [
    "-D",
    "publish",
    "content-type",
    "text/plain",
    "-D",
    "publish",
    "correlation-data",
    "c1",
    "-D",
    "publish",
    "payload-format-indicator",
    "1",
    "-D",
    "publish",
    "response-topic",
    "re/to",
    "-D",
    "publish",
    "user-property",
    "a",
    "b",
    "-D",
    "publish",
    "user-property",
    "a",
    "c",
]


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    with running_broker(tmp_path_factory.mktemp("broker")) as found:
        here = ("-p", str(found.port), "-r", "-q", "1", "-t")
        for command in (
            (*here, "kept/a", "-m", 'a"b'),
            (*here, "kept/b", "-m", '{"x": [1, {"y": null}]}', "-V", "mqttv5", *PROPERTIES),
            (*here, "kept/c", "-m", "é\n\\"),
        ):
            assert run(theirs("pub", *command)).returncode == 0
        yield found


def at_once(jobs: list[list[str]], stdin: bytes = b"") -> list[subprocess.CompletedProcess[bytes]]:
    with ThreadPoolExecutor(AT_ONCE) as pool:
        return list(pool.map(lambda job: run(job, stdin), jobs))


@contextmanager
def running(command: list[str]) -> Iterator[subprocess.Popen[bytes]]:
    """A process, ended at the end if it has not."""
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


KEPT = ("-t", "kept/#", "-C", "3")
PRINTED = {
    "payload": KEPT,
    "several topics": ("-t", "kept/a", "--topic", "kept/b", "-C", "2"),
    "-v": (*KEPT, "-v"),
    "--verbose -N": (*KEPT, "--verbose", "-N"),
    "-N": (*KEPT, "-N"),
    "-T": ("-t", "kept/#", "-T", "kept/b", "-C", "2"),
    "--filter-out": ("-t", "kept/#", "--filter-out", "kept/+", "-W", "1"),
    "-q 1": (*KEPT, "-q", "1", "-F", "%q %m %p"),
    "-q 2": (*KEPT, "--qos", "2", "-F", "%q %m %p"),
    "-F all": (*KEPT, "-F", f"{ALL}|%p|%X|%%"),
    "-F all, MQTT 5": (*KEPT, "-V", "mqttv5", "-F", f"{ALL}|%p|%X"),
    "-F all, MQTT 3.1": (*KEPT, "-V", "mqttv31", "-F", ALL),
    "-F widths": (*KEPT, "-V", "5", "-F", "%10t|%-10t|%3.2t|%05l|%-5l|%-05l|%20C|%.4C|%09F|"),
    "-F escapes": (*KEPT, "-F", r"a\tb\\\e[0m\0\a\r\v\n@@ %t"),
    "-F %j": (*KEPT, "-F", "%j"),
    "-F %j, MQTT 5": (*KEPT, "-V", "5", "-q", "1", "-F", "%j"),
    "-F %J": ("-t", "kept/b", "-C", "1", "-F", "%J"),
    "--pretty": (*KEPT, "-V", "5", "-F", "%j", "--pretty"),
    "--pretty %J": ("-t", "kept/b", "-C", "1", "-F", "%J", "--pretty"),
    "%S": ("-t", "kept/b", "-D", "subscribe", "subscription-identifier", "7", "-C", "1", "-F",
           "%S|%03S|%P"),
    "-D": ("-t", "kept/a", "-C", "1", "-D", "connect", "receive-maximum", "1", "-D", "connect",
           "user-property", "a", "b", "-D", "disconnect", "session-expiry-interval", "0",
           "-x", "5"),
    "-W": ("-t", "nothing", "-W", "1"),
    "-E": ("-t", "kept/a", "-E"),
    "-i -k": ("-t", "kept/a", "-C", "1", "-i", "fixed", "-k", "5", "--nodelay"),
    "-I": ("-t", "kept/a", "-C", "1", "--id-prefix", "lamp", "--keepalive", "30"),
    "--retain-as-published": ("-t", "kept/a", "-C", "1", "-V", "5", "--retain-as-published",
                              "-F", "%r"),
    "--will": ("-t", "kept/a", "-C", "1", "--will-topic", "w", "--will-payload", "x",
               "--will-qos", "1", "--will-retain", "-D", "will", "will-delay-interval", "1"),
    "-c": ("-t", "kept/a", "-C", "1", "-c", "-i", "persistent"),
    "-x": ("-t", "kept/a", "-C", "1", "-x", "∞", "-i", "lasting"),
    "-A": ("-t", "kept/a", "-C", "1", "-A", "127.0.0.1"),
}  # fmt: skip


def test_what_is_printed_is_what_mosquitto_sub_prints(broker: Broker) -> None:
    here = ("-h", "127.0.0.1", "-p", str(broker.port))
    jobs = [make("sub", *here, *flags) for flags in PRINTED.values() for make in (ours, theirs)]
    done = at_once(jobs)
    for name, mine, other in zip(PRINTED, done[::2], done[1::2], strict=True):
        assert (name, comparable(mine.stdout)) == (name, comparable(other.stdout))
        assert (name, mine.returncode) == (name, other.returncode), mine.stderr
        assert b"Traceback" not in mine.stderr


def comparable(printed: bytes) -> object:
    """JSON in parts, in any order, as mosquitto_sub tells properties in that of the packet.

    Without the time: mosquitto 2.0 writes a Z before its offset from UTC.
    """
    if not printed.startswith(b"{"):
        return printed
    return sorted(re.split(rb"[,{}\n]+", re.sub(rb'("tst":\t?")[-0-9T:.]+Z?', rb"\1", printed)))


PUBLISHED = {
    "-m": ("-m", "a message"),
    "--message empty": ("--message", ""),
    "-n": ("-n",),
    "-q 1": ("-q", "1", "-m", "x"),
    "-q 2": ("--qos", "2", "-m", "x"),
    "-r": ("-r", "-m", "x"),
    "a number below zero": ("-m", "-5"),
    "-s": ("-s",),
    "--stdin-file": ("--stdin-file", "-q", "1"),
    "-l": ("-l",),
    "-l -q 2 -M": ("--stdin-line", "-q", "2", "-M", "1"),
    "-f": ("-f", str(Path(__file__).with_name("conftest.py"))),
    "--repeat": ("-m", "x", "--repeat", "3", "--repeat-delay", "0.01", "-q", "1"),
    "-V mqttv31": ("-V", "mqttv31", "-m", "x"),
    "-V mqttv5": ("-V", "mqttv5", "-m", "x"),
    "-D": ("-m", "x", *PROPERTIES, "-D", "PUBLISH", "message-expiry-interval", "1000"),
    "topic-alias": ("-m", "x", "-D", "publish", "topic-alias", "3", "--repeat", "2"),
    "-x -c -i": ("-m", "x", "-x", "10", "-i", "some-{}", "-c"),
    "will": ("-m", "x", "--will-topic", "w", "-k", "10", "--quiet"),
    "+": ("-m", "x", "-A", "127.0.0.1", "-I", "prefix"),
}
LINES = b"one\n\ntwo\r\n  three\xff\nlast"


def test_what_is_published_is_what_mosquitto_pub_publishes(broker: Broker) -> None:
    here = ("-p", str(broker.port))
    collector = theirs(
        "sub", *here, "-V", "5", "-q", "2", "--retain-as-published", "-F", ALL, "-t", "pub/#"
    )
    with running(collector) as process:
        assert process.stdout is not None
        wait_until_printed(process.stdout, [*theirs("pub", *here), "-t", "pub/", "-m", "x"])
        jobs = [
            make("pub", *here, "-t", f"pub/{number}/{make.__name__}",
                 *(flag.format(make.__name__) for flag in flags))
            for number, flags in enumerate(PUBLISHED.values())
            for make in (ours, theirs)
        ]  # fmt: skip
        for done in at_once(jobs, LINES):
            assert done.returncode == 0, (done.args, done.stderr)
            assert (done.stdout, done.stderr) == (b"", b"")
        run(theirs("pub", *here, "-t", "pub/end", "-q", "1", "-m", "x"))
        found: dict[str, list[bytes]] = {}
        for line in process.stdout:
            topic, _, rest = line.partition(b"|")
            if topic == b"pub/end":
                break
            found.setdefault(topic.decode(), []).append(rest)
    for number, name in enumerate(PUBLISHED):
        assert found[f"pub/{number}/ours"], name
        mine, other = (found[f"pub/{number}/{who}"] for who in ("ours", "theirs"))
        assert (name, mine) == (name, other)


def wait_until_printed(printed: IO[bytes], publish: list[str]) -> None:
    """Publish until a subscriber, which is starting, prints it; then the rest that it prints."""
    stop = threading.Event()

    def again() -> None:
        while not stop.is_set():
            run(publish)
            stop.wait(0.02)

    publisher = threading.Thread(target=again)
    publisher.start()
    try:
        assert printed.readline()
    finally:
        stop.set()
        publisher.join()


@pytest.mark.parametrize("version", ["mqttv311", "mqttv5"])
def test_a_refused_connection_ends_with_the_code_that_mosquitto_ends_with(
    broker: Broker, version: str
) -> None:
    here = ("-p", str(broker.port), "-V", version, "-t", "a")
    pub, sub = ("pub", *here, "-m", "x"), ("sub", *here)
    unknown, wrong = ("-u", "cellar", "-P", PASSWORD), ("-u", USERNAME, "-P", "wrong")
    jobs = [make(*flags) for flags in ((*pub, *unknown), (*sub, *wrong)) for make in (ours, theirs)]
    done = at_once(jobs)
    for mine, other in zip(done[::2], done[1::2], strict=True):
        assert mine.returncode == other.returncode
        said, _, words = mine.stderr.decode().partition(" (")
        assert said.strip() == "Error: connection refused: bad user name or password"
        assert bool(words) is (version == "mqttv5"), "the server's words"
    quiet = run(ours(*pub, *unknown, "--quiet"))
    assert (quiet.returncode, quiet.stderr) == (done[0].returncode, b"")


def test_a_name_and_a_password_let_in_from_flags_a_url_and_the_environment(
    broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = f"127.0.0.1:{broker.port}"
    message = ("-m", "x", "-q", "1")
    here = ("-p", str(broker.port), "-t", "a", *message)
    url = f"mqtt://{USERNAME}:{PASSWORD.replace(' ', '%20')}@{place}/a"
    let_in = [
        ours("pub", *here, "-u", USERNAME, "-P", PASSWORD),
        ours("pub", *here, "--username", USERNAME, "--pw", PASSWORD),
        ours("pub", "-L", url, *message),
        ours("sub", "--url", url, "-E", "-t", "b"),
        theirs("pub", *here, "-u", USERNAME, "-P", PASSWORD),
    ]
    assert [done.returncode for done in at_once(let_in)] == [0] * len(let_in)
    monkeypatch.setenv("THINGTANK_MQTT_USERNAME", USERNAME)
    monkeypatch.setenv("THINGTANK_MQTT_PASSWORD", PASSWORD)
    assert run(ours("pub", *here)).returncode == 0


def test_tls_websockets_and_unix_sockets_are_ways_to_go(broker: Broker) -> None:
    localhost = ("-h", "localhost", "-p", str(broker.tls_port), "--cafile", str(broker.ca))
    by_address = ("-h", "127.0.0.1", *localhost[2:])
    ways = [
        (*localhost, "--tls-version", "tlsv1.3"),
        ("-L", f"mqtts://localhost:{broker.tls_port}/a", "--cafile", str(broker.ca)),
        (*by_address, "--insecure"),
        ("-p", str(broker.websocket_port), "--ws"),
        ("-L", f"ws://127.0.0.1:{broker.websocket_port}"),
        ("--unix", str(broker.path)),
    ]
    message = ("-t", "a", "-q", "2", "-m", "x")
    jobs = [ours("pub", *way, *message) for way in ways]
    jobs += [theirs("pub", *way, *message) for way in (localhost, ("--unix", str(broker.path)))]
    assert [(each.returncode, each.stderr) for each in at_once(jobs)] == [(0, b"")] * len(jobs)
    (mismatch,) = at_once([ours("pub", *by_address, *message)])
    assert b"is not believed: IP address mismatch" in mismatch.stderr
    assert mismatch.returncode == 1


def test_what_cannot_be_done_is_said_in_words(broker: Broker) -> None:
    here, free = ("-p", str(broker.port)), unused_port()
    message = ("-t", "denied/a", "-m", "x")
    with scripted_server(b"HTTP/1.1 400 Bad Request\r\n\r\n") as http:
        cases = {
            "connection refused: nothing listens at mqtt://127.0.0.1:": (
                "pub", "-p", str(free), *message,
            ),
            "nowhere.invalid: ": ("pub", "-h", "nowhere.invalid", *message),
            "denied/a: not authorised": ("pub", *here, *message, "-V", "5", "-q", "1"),
            "subscription refused: denied/a: ": ("sub", *here, "-t", "denied/a"),
            "refused: denied/b: not authorised": ("sub", *here, "-t", "denied/b", "-V", "5"),
            "no-such-file: No such file": ("pub", *here, "-t", "a", "-f", "no-such-file"),
            "no TLS at mqtts://127.0.0.1:": ("pub", *here, "--tls-use-os-certs", *message),
            f"no MQTT at mqtt://127.0.0.1:{http}": ("pub", "-p", str(http), *message),
            "certificates, key or ciphers cannot be used": (
                "pub", *here, "--ciphers", "none", "--tls-use-os-certs", *message,
            ),
        }  # fmt: skip
        done = at_once([ours(*case) for case in cases.values()])
    for said, each in zip(cases, done, strict=True):
        assert said in each.stderr.decode()
        assert (each.returncode, len(each.stderr.splitlines())) == (1, 1), each.stderr


def unused_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return int(taken.getsockname()[1])


@contextmanager
def scripted_server(*answers: bytes) -> Iterator[int]:
    """A port where the first to come is answered so, each time it says something, and left."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            connection, _ = listening.accept()
            with connection:
                for answer in answers:
                    connection.recv(1000)
                    connection.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        yield listening.getsockname()[1]
        thread.join(RUN_S_MAX)


def test_retained_messages_are_skipped_alone_printed_or_removed(broker: Broker) -> None:
    here = ("-p", str(broker.port))

    def keep(tree: str) -> None:
        for leaf in ("a", "b"):
            run(theirs("pub", *here, "-t", f"{tree}/{leaf}", "-m", leaf, "-r", "-q", "1"))

    keep("r1")
    keep("r2")
    fresh = [*theirs("pub", *here), "-m", "fresh", "-t"]
    with (
        running(ours("sub", *here, "-t", "r1/#", "-t", "r1x", "-R", "-C", "1")) as skipping,
        running(ours("sub", *here, "-t", "r1/#", "-t", "r1x", "--retained-only")) as alone,
    ):
        assert skipping.stdout is not None
        deadline_s = time.monotonic() + RUN_S_MAX
        while None in (skipping.poll(), alone.poll()):
            run([*fresh, "r1x"])
            assert time.monotonic() < deadline_s
        assert skipping.communicate()[0] == b"fresh\n"
        assert alone.communicate()[0] == b"a\nb\n"
        assert (skipping.returncode, alone.returncode) == (0, 0)
    removing = ("-t", "r2/#", "-T", "r2/b", "--remove-retained", "-C", "1")
    assert run(ours("sub", *here, *removing)).stdout == b"a\n"
    assert run(ours("sub", *here, "-t", "r2/#", "-C", "1")).stdout == b"b\n"


def test_a_session_is_kept_and_its_subscriptions_left(broker: Broker) -> None:
    here = ("-p", str(broker.port), "-i", "keeper", "-c", "-q", "1")
    assert run(ours("sub", *here, "-t", "kept-for/me", "-E")).returncode == 0
    for word in ("m1", "m2"):
        run(theirs("pub", *here[:2], "-t", "kept-for/me", "-m", word, "-q", "1"))
    assert run(ours("sub", *here, "-t", "kept-for/me", "-C", "2")).stdout == b"m1\nm2\n"
    gone = run(ours("sub", *here, "-U", "kept-for/me", "-W", "1"))
    assert (gone.returncode, gone.stderr) == (27, b"Error: timed out\n")
    run(theirs("pub", *here[:2], "-t", "kept-for/me", "-m", "m3", "-q", "1"))
    assert run(ours("sub", *here, "-t", "other", "-W", "1")).stdout == b""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_ends_a_subscriber_quietly_and_no_will_is_published(
    broker: Broker, number: int
) -> None:
    here = ("-p", str(broker.port))
    will = ("--will-topic", f"will/{number}", "--will-payload", "gone", "--will-retain")
    with running(ours("sub", *here, "-t", "ctrl/c", "-v", *will)) as process:
        assert process.stdout is not None
        # Each line is there at once, although it is a pipe.
        wait_until_printed(process.stdout, theirs("pub", *here, "-t", "ctrl/c", "-m", "x"))
        process.send_signal(number)
        _, errors = process.communicate(timeout=RUN_S_MAX)
        assert (process.returncode, errors) == (0, b"")
    assert run(theirs("sub", *here, "-t", f"will/{number}", "-W", "1")).stdout == b""


def test_a_killed_subscriber_leaves_its_will(broker: Broker) -> None:
    here = ("-p", str(broker.port))
    will = [
        "--will-topic",
        "will/killed",
        "--will-payload",
        "gone",
        "--will-qos",
        "1",
        "--will-retain",
    ]
    with running(ours("sub", *here, "-t", "killed", *will)) as process:
        assert process.stdout is not None
        wait_until_printed(process.stdout, theirs("pub", *here, "-t", "killed", "-m", "x"))
        process.kill()
        assert run(theirs("sub", *here, "-t", "will/killed", "-C", "1")).stdout == b"gone\n"


def test_ctrl_c_ends_a_publisher_of_lines_quietly_and_each_line_goes_at_once(
    broker: Broker,
) -> None:
    here = ("-p", str(broker.port), "-t", "lines/slowly")
    publisher = subprocess.Popen(
        ours("pub", *here, "-l", "-r"), stdin=subprocess.PIPE, stderr=subprocess.PIPE
    )
    try:
        assert publisher.stdin is not None
        publisher.stdin.write(b"one\n")
        publisher.stdin.flush()
        assert run(theirs("sub", *here, "-C", "1")).stdout == b"one\n"
        publisher.send_signal(signal.SIGINT)
        _, errors = publisher.communicate(timeout=RUN_S_MAX)
        assert (publisher.returncode, errors) == (0, b"")
    finally:
        publisher.kill()


def test_a_reader_that_goes_ends_a_subscriber_quietly(broker: Broker) -> None:
    command = ours("sub", "-p", str(broker.port), "-t", "kept/#", "-t", "more")
    with running(command) as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.stdout.close()
        deadline_s = time.monotonic() + RUN_S_MAX
        while process.poll() is None:
            run(theirs("pub", "-p", str(broker.port), "-t", "more", "-m", "x"))
            assert time.monotonic() < deadline_s
        assert process.stderr is not None
        assert (process.returncode, process.stderr.read()) == (0, b"")


def test_a_subscriber_connects_again_after_a_loss(broker: Broker) -> None:
    with (
        relay(broker.port) as (port, cut),
        running(ours("sub", "-p", str(port), "-t", "kept/a", "-C", "2", "-v")) as process,
    ):
        assert process.stdout is not None
        assert process.stdout.readline() == b'kept/a a"b\n'
        cut()
        printed, errors = process.communicate(timeout=RUN_S_MAX)
    assert (process.returncode, printed) == (0, b'kept/a a"b\n')
    assert (
        errors
        == f"the connection to mqtt://127.0.0.1:{port} was lost; connecting again.\n".encode()
    )


@contextmanager
def relay(target: int) -> Iterator[tuple[int, Callable[[], None]]]:
    """A port before another one, and what cuts all its connections."""
    ends: list[socket.socket] = []

    def carry(source: socket.socket, sink: socket.socket) -> None:
        with suppress(OSError):
            while octets := source.recv(10_000):
                sink.sendall(octets)

    def accept() -> None:
        with suppress(OSError):
            while True:
                near, _ = listening.accept()
                far = socket.create_connection(("127.0.0.1", target))
                ends.extend((near, far))
                for pair in ((near, far), (far, near)):
                    threading.Thread(target=carry, args=pair, daemon=True).start()

    def cut() -> None:
        while ends:
            end = ends.pop()
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()

    with socket.create_server(("127.0.0.1", 0)) as listening:
        threading.Thread(target=accept, daemon=True).start()
        try:
            yield listening.getsockname()[1], cut
        finally:
            cut()
            listening.shutdown(socket.SHUT_RDWR)


def test_a_subscriber_ends_when_another_client_has_its_id() -> None:
    connack, disconnect = bytes.fromhex("2003000000"), bytes.fromhex("e0018e")
    with scripted_server(connack + disconnect) as port:
        done = run(ours("sub", "-p", str(port), "-V", "5", "-i", "twin", "-t", "a"))
    assert (done.returncode, done.stderr) == (
        1,
        b"Error: the server ended the connection: another client has connected with this client"
        b" id\n",
    )


@pytest.mark.parametrize("nonsense", ["40050001000500", "f000", "e0"])
def test_a_server_that_talks_nonsense_is_given_up(nonsense: str) -> None:
    connack = bytes.fromhex("2003000000")
    for command in (("pub", "-t", "a", "-q", "1", "-m", "x"), ("sub", "-t", "a", "-W", "1")):
        with scripted_server(connack + bytes.fromhex(nonsense)) as port:
            done = run(ours(*command, "-p", str(port), "-V", "5"))
        assert done.returncode in (1, 27), done.stderr
        assert b"Traceback" not in done.stderr
        assert done.stderr.startswith((b"Error: ", b"the connection to")), done.stderr


REFUSALS = {
    "subscription refused: a: not authorised (not yours)": (
        ("sub", "-t", "a", "-V", "5"), ("2003000000", "901000010c1f00096e6f7420796f75727387"), 1,
    ),
    "a: a quota is used up": (
        ("pub", "-t", "a", "-m", "x", "-q", "1", "-V", "5"), ("2003000000", "4003000197"), 1,
    ),
    "connection refused: the server is unavailable": (
        ("pub", "-t", "a", "-m", "x", "-V", "311"), ("20020003",), 3,
    ),
    "connection refused: banned": (("pub", "-t", "a", "-m", "x", "-V", "5"), ("2003008a00",), 138),
    "or not of this version, which -V chooses": (
        ("pub", "-t", "a", "-m", "x", "-V", "311"), ("20020001",), 1,
    ),
    "the server does not speak this version of MQTT; -V names another": (("pub", "-t", "a", "-m", "x"), ("2003018400",), 132),
}  # fmt: skip


@pytest.mark.parametrize("said", REFUSALS)
def test_a_refusal_is_told_and_the_exit_code_says_so(said: str) -> None:
    command, answers, code = REFUSALS[said]
    with scripted_server(*map(bytes.fromhex, answers)) as port:
        done = run(ours(*command, "-p", str(port)))
    assert said in done.stderr.decode()
    assert (done.returncode, done.stderr.count(b"\n")) == (code, 1)


def test_debugging_tells_of_packets_and_of_no_password(broker: Broker) -> None:
    here = ("-p", str(broker.port), "-u", USERNAME, "-P", PASSWORD)
    done = run(ours("pub", *here, "-t", "a", "-m", "x", "-d", "-q", "1"))
    assert b"CONNECT" in done.stderr
    assert b"PUBACK" in done.stderr
    assert PASSWORD.encode() not in done.stderr
    assert done.stdout == b""


def test_json_has_the_time(broker: Broker) -> None:
    flags = ("-p", str(broker.port), "-t", "kept/a", "-C", "1", "-F", "%j\n%I %U @Y-@s.@N")
    before_s = time.time()
    printed, times = run(ours("sub", *flags)).stdout.decode().splitlines()
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}\+0000", json.loads(printed)["tst"])
    local, unix, other = times.split()
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[-+]\d{4}", local)
    assert before_s <= float(unix) <= time.time()
    assert other == f"{local[:4]}-{unix}"
