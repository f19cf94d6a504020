"""A running server as its operator's programs see it: readiness and metrics."""

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from paho.mqtt import publish
from paho.mqtt.client import MQTTv5
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families
from tests.live_server import LiveServer, start_server
from tests.prepared_commands import run_prepared
from tests.waiting import wait_until

from thingtank.server.monitoring.families import FAMILIES


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    with start_server(tmp_path_factory.mktemp("data")) as server:
        yield server


def metrics(server: LiveServer) -> dict[str, float]:
    """Every sample by name and labels, `name{label="value"}`."""
    reply = requests.get(f"{server.url}/metrics", timeout=10)
    assert reply.status_code == 200, reply.text
    assert reply.headers["content-type"].startswith("text/plain; version=")
    found = {}
    for family in text_string_to_metric_families(reply.text):
        for sample in family.samples:
            labels = ",".join(f'{name}="{value}"' for name, value in sorted(sample.labels.items()))
            found[f"{sample.name}{{{labels}}}" if labels else sample.name] = sample.value
    return found


def test_a_ready_server_names_all_its_checks(server: LiveServer) -> None:
    reply = requests.get(f"{server.url}/readyz", timeout=10)
    checks = dict.fromkeys(["journal", "archive", "outbox", "database", "doors"], "ok")
    assert (reply.status_code, reply.json()) == (200, {"status": "ready", "checks": checks})


def test_what_devices_do_is_counted_by_door(server: LiveServer) -> None:
    before = metrics(server)
    feed = f"{server.url}/v2/feeds/{server.feed_id}.json"
    body = {"datastreams": [{"id": "temperature", "current_value": "21.5"}]}
    headers = {"X-ApiKey": server.api_key}
    assert requests.put(feed, json=body, headers=headers, timeout=10).status_code == 200
    assert requests.put(feed, json={"x": "?"}, headers=headers, timeout=10).status_code != 500
    publish.single(
        "com/example/lights", b"on", qos=1, retain=True, hostname="127.0.0.1",
        port=int(server.sockets["mqtt"].rsplit(":", 1)[1]),
        auth={"username": "key", "password": server.master_key()}, protocol=MQTTv5,
    )  # fmt: skip
    after = metrics(server)

    def grown(name: str) -> float:
        return after[name] - before.get(name, 0.0)

    assert grown('thingtank_requests_total{door="xively_http",outcome="ok"}') >= 1
    assert grown("thingtank_datapoints_written_total") >= 1
    assert grown('thingtank_messages_total{direction="in",door="mqtt"}') == 1
    assert grown('thingtank_connections_opened_total{door="mqtt"}') == 1
    assert grown("thingtank_mqtt_retained_messages") == 1
    assert grown("thingtank_write_wait_seconds_count") >= 1
    assert after["thingtank_ready"] == 1
    assert after['thingtank_connections{door="web"}'] >= 1
    assert after["thingtank_devices"] >= 1


def test_what_is_exported_is_what_is_documented(server: LiveServer) -> None:
    reply = requests.get(f"{server.url}/metrics", timeout=10)
    exported = {
        family.name: (family.type, family.documentation)
        for family in text_string_to_metric_families(reply.text)
        if family.name.startswith("thingtank")
    }
    told = {
        family.name + ("_info" if family.kind == "info" else ""): (
            "gauge" if family.kind == "info" else family.kind,
            family.meaning,
        )
        for family in FAMILIES.values()
        if not family.only
    }
    # Requests are told by door from the first one on, which may be another test's.
    told.pop("thingtank_requests")
    exported.pop("thingtank_requests", None)
    assert exported == told


def test_labels_hold_nothing_that_people_choose(server: LiveServer) -> None:
    reply = requests.get(f"{server.url}/metrics", timeout=10)
    for family in text_string_to_metric_families(reply.text):
        if family.name in FAMILIES:
            known = FAMILIES[family.name].labels
            for sample in family.samples:
                assert set(sample.labels) - {"le"} == set(known)
    assert server.api_key not in reply.text


def test_open_metrics_is_spoken_to_who_prefers_it(server: LiveServer) -> None:
    accept = "application/openmetrics-text; version=1.0.0"
    reply = requests.get(f"{server.url}/metrics", headers={"Accept": accept}, timeout=10)
    assert reply.headers["content-type"].startswith("application/openmetrics-text")
    names = {family.name for family in parse_openmetrics(reply.text)}
    assert {"thingtank_datapoints_written", "process_cpu_seconds"} <= names


def test_a_server_that_stops_says_so_before_its_doors_close(tmp_path: Path) -> None:
    path = f"/tmp/thingtank-notify-{os.getpid()}"  # a socket's path may not be long
    with contextlib.closing(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)) as manager:
        manager.bind(path)
        manager.settimeout(10)
        try:
            stops_in_time(tmp_path, manager, path)
        finally:
            os.unlink(path)


def stops_in_time(folder: Path, manager: socket.socket, path: str) -> None:
    environment = {"NOTIFY_SOCKET": path}
    with start_server(folder, "--set", "server.drain_s=1", env=environment) as server:
        assert manager.recv(1000).decode().splitlines()[0] == "READY=1"
        assert requests.get(f"{server.url}/readyz", timeout=10).status_code == 200
        server.process.send_signal(signal.SIGTERM)
        assert manager.recv(1000) == b"STOPPING=1"
        deadline_s = time.monotonic() + 5
        while (reply := requests.get(f"{server.url}/readyz", timeout=10)).status_code == 200:
            assert time.monotonic() < deadline_s
        assert (reply.status_code, reply.json()) == (503, {"status": "stopping"})
        assert server.process.wait(15) == 0


ROOT = Path(__file__).parents[2]


def test_the_dashboard_asks_for_metrics_that_there_are() -> None:
    dashboard = json.loads((ROOT / "examples/grafana-dashboard.json").read_text())
    text = json.dumps(dashboard)
    asked = set(re.findall(r"thingtank_\w+", text))
    suffixes = ("", "_total", "_bucket", "_sum", "_count")
    known = {f"{name}{suffix}" for name in FAMILIES for suffix in suffixes}
    assert asked
    assert asked <= known


def examined(folder: Path) -> tuple[int, dict[str, dict[str, str]]]:
    """The exit code of the doctor beside a running server, and what it finds, by name."""
    done = run_prepared("doctor", "--json", "--data", str(folder))
    return done.returncode, {each["name"]: each for each in json.loads(done.stdout)["findings"]}


def test_the_doctor_looks_at_the_port_and_not_at_a_proxy_in_front(tmp_path: Path) -> None:
    url = "http://127.0.0.1:9"  # where nobody listens
    with start_server(tmp_path, "--set", f"web.public_url={url}") as server:
        assert server.url == url
        assert examined(tmp_path)[1]["ports"]["level"] == "ok"


def test_the_doctor_looks_at_a_running_server(server: LiveServer) -> None:
    exit_code, found = examined(server.folder)
    assert found["server"]["level"] == "ok", found["server"]
    assert "database" in found["server"]["text"]
    assert found["ports"]["level"] == "ok", found["ports"]
    problems = [each for each in found.values() if each["level"] == "problem"]
    assert exit_code == (1 if problems else 0)


def test_the_doctor_names_a_rule_that_does_not_work(tmp_path: Path) -> None:
    (tmp_path / "sinks").mkdir()
    (tmp_path / "sinks" / "queues.sqlite3").write_bytes(b"no database" * 100)
    rule = '[{name = "orders", engine = "queue", queue = "work"}]'
    with start_server(tmp_path, "--set", f"sources.rules={rule}"):

        def looked_at() -> dict[str, dict[str, str]]:
            found = examined(tmp_path)[1]
            return found if "sources" in found else {}

        found = wait_until(looked_at)  # it may not have tried yet
    assert found["sources"]["level"] == "warning"
    assert "the rule orders of sources does not work: " in found["sources"]["text"]
    assert "page Sinks" in found["sources"]["remedy"]


def test_the_doctor_prints_a_line_for_each_thing_and_says_by_its_exit_code(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "thingtank.cli.main", "doctor", "--data", str(tmp_path / "new")]  # fmt: skip
    command += ["--set", "mqtt.tls_port=8883"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1, done.stdout
    assert re.search(r"^problem +settings\.tls +\S", done.stdout, re.MULTILINE)
    assert re.search(r"^ok +machine\.versions +Python", done.stdout, re.MULTILINE)
