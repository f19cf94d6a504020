"""The whole server as its user meets it: started, written to by the line it prints, killed, started again."""

import json
import os
import pty
import re
import shlex
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
import requests
from tests.live_server import LiveServer, furnish, start_server
from tests.prepared_commands import run_prepared
from tests.waiting import wait_until


def start_new(folder: Path, *flags: str) -> LiveServer:
    """A server whose first start makes all itself."""
    return start_server(folder, *flags, is_furnished=False)


def printed_line(server: LiveServer) -> list[str]:
    """The curl line the server printed, as words of a shell."""
    (line,) = [line for line in server.output().splitlines() if line.strip().startswith("curl ")]
    return shlex.split(line)


def history(server: LiveServer) -> list[str]:
    reply = requests.get(
        f"{server.url}/v2/feeds/{server.feed_id}/datastreams/temperature.json?duration=1hour",
        headers={"X-ApiKey": server.api_key},
        timeout=10,
    )
    assert reply.status_code == 200
    return [point["value"] for point in reply.json()["datapoints"]]


def test_the_printed_curl_line_writes_a_value_that_outlives_a_power_cut(tmp_path: Path) -> None:
    first = start_new(tmp_path)
    try:
        command = [*printed_line(first), "-s", "-o", "/dev/null", "-w", "%{http_code}"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=True)
        assert done.stdout == "200"
    finally:
        first.kill()
    with start_new(tmp_path) as second:
        assert (second.feed_id, second.api_key) == (first.feed_id, first.api_key)
        assert history(second) == ["21.5"]


def test_a_second_server_on_the_same_folder_is_told_who_has_it(tmp_path: Path) -> None:
    with start_new(tmp_path) as server:
        said = refused_start(tmp_path, "--web", "0")
        check_sentence(said, f"process {server.process.pid}", "--data")


def test_the_link_is_kept_out_of_service_logs_once_there_is_a_password(tmp_path: Path) -> None:
    with start_new(tmp_path) as server:
        assert server.welcome_url in server.output()
    with start_new(tmp_path) as server:
        assert server.welcome_url in server.output()  # the only way in so far
        server.command("user", "password", "owner", "--password", "correct horse battery")
    with start_new(tmp_path) as server:
        assert "/welcome/" not in server.output()
        assert f"Sign in: {server.url}/sign-in" in server.output()
        assert requests.get(server.welcome_url, timeout=20).url == f"{server.url}/"


def test_what_strangers_ask_for_is_one_line_in_the_log(tmp_path: Path) -> None:
    with start_new(tmp_path) as server:
        browser = requests.Session()
        browser.get(server.welcome_url, timeout=20)
        before = len(server.output())
        upgrade = {"Connection": "Upgrade", "Upgrade": "websocket"}
        assert requests.get(f"{server.url}/nowhere", headers=upgrade, timeout=20).status_code == 404
        assert browser.get(f"{server.url}/admin/catalog/device/add/", timeout=20).status_code == 403
        assert browser.get(f"{server.url}/feeds/99999", timeout=20).status_code == 404
        time.sleep(0.2)
        logged = server.output()[before:]
    events = [json.loads(line)["event"] for line in logged.splitlines() if line.startswith("{")]
    assert [event.split(":")[0] for event in events][:3] == ["Not Found", "Forbidden (Permission denied)", "Not Found"]  # fmt: skip
    assert "Traceback" not in logged
    assert "uvicorn" not in logged


def test_signing_in_leaves_no_trace_and_guessing_one_line_with_the_address(tmp_path: Path) -> None:
    with start_new(tmp_path) as server:
        browser = requests.Session()
        browser.get(server.welcome_url, timeout=20)
        server.command("user", "password", "owner", "--password", "correct horse battery")
        before = len(server.output())
        assert sign_in(server, "correct horse battery") == f"{server.url}/"
        assert server.output()[before:] == ""
        assert sign_in(server, "a guess") == f"{server.url}/sign-in"
        (line,) = server.output()[before:].splitlines()
    assert "127.0.0.1" in line
    assert "a guess" not in line


def sign_in(server: LiveServer, password: str) -> str:
    """Where the sign-in form leads."""
    browser = requests.Session()
    page = browser.get(f"{server.url}/sign-in", timeout=20).text
    found = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', page)
    assert found
    fields = {"csrfmiddlewaretoken": found[1], "username": "owner", "password": password}
    return browser.post(f"{server.url}/sign-in", data=fields, timeout=20).url


def refused_start(folder: Path, *flags: str) -> str:
    """What `thingtank serve` says when it cannot start."""
    done = run_prepared("serve", "--data", str(folder), *flags)
    assert (done.returncode, done.stdout) == (1, ""), done.stderr
    return done.stderr


def check_sentence(said: str, *parts: str) -> None:
    assert said.startswith("Error: ")
    assert said.count("\n") == 1, said
    assert [part for part in parts if part not in said] == [], said


DOORS = [
    ("--web", "--web PORT"),
    ("--wamp", "--wamp PORT"),
    ("--socket", "--socket PORT"),
    ("--set=socket.sockjs_port", "--set socket.sockjs_port=PORT"),
    ("--mqtt", "--mqtt PORT"),
    ("--skynet", "--skynet PORT"),
]


@pytest.mark.parametrize(("flag", "remedy"), DOORS)
def test_a_port_in_use_is_said_with_the_flag_that_chooses_another(
    tmp_path: Path, flag: str, remedy: str
) -> None:
    names = [
        "web.port",
        "wamp.port",
        "socket.port",
        "socket.sockjs_port",
        "mqtt.port",
        "skynet.port",
    ]
    free = [f"--set={name}=0" for name in names]
    furnish(tmp_path)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        said = refused_start(tmp_path, *free, f"{flag}={port}")
    check_sentence(said, f"port {port} of 127.0.0.1 is in use", remedy, "another Thing Tank")


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ("webhooks.ca_file={}/none.pem", "webhooks.ca_file {}/none.pem cannot be used: No such file"),
        ("webhooks.ca_file={}/empty.pem", "webhooks.ca_file {}/empty.pem cannot be used: "),
        ("email.sender=nobody", "email.sender: "),
    ],
)  # fmt: skip
def test_a_setting_of_deliveries_that_is_no_good_is_said_by_its_name(
    tmp_path: Path, setting: str, words: str
) -> None:
    (tmp_path / "empty.pem").touch()
    free = [
        "--web=0",
        "--wamp=0",
        "--socket=0",
        "--mqtt=0",
        "--skynet=0",
        "--set=email.host=mail.example",
    ]
    furnish(tmp_path / "data")
    said = refused_start(tmp_path / "data", *free, f"--set={setting.format(tmp_path)}")
    check_sentence(said, words.format(tmp_path))
    assert "cannot be opened" not in said


@pytest.mark.parametrize("host", ["192.0.2.1", "no such host", "nowhere.invalid", "a" * 70])
def test_a_host_that_is_none_of_this_machine_is_said(tmp_path: Path, host: str) -> None:
    furnish(tmp_path)
    said = refused_start(tmp_path, "--web", "0", "--host", host)
    check_sentence(said, f"{host} is no address of this machine", "--host ADDRESS")


def test_a_folder_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    said = refused_start(tmp_path / "file" / "data", "--web", "0")
    check_sentence(said, f"{tmp_path}/file/data cannot be made: Not a directory", "--data DIR")


def test_a_folder_that_is_broken_is_said(tmp_path: Path) -> None:
    start_new(tmp_path).stop()
    (tmp_path / "directory.sqlite3").write_bytes(b"no database" * 1000)
    said = refused_start(tmp_path, "--web", "0")
    check_sentence(said, f"{tmp_path} cannot be opened: file is not a database")


def test_a_ready_file_that_cannot_be_written_is_said_before_the_start(tmp_path: Path) -> None:
    data = tmp_path / "data"
    said = refused_start(data, "--web", "0", "--ready-file", str(tmp_path / "none" / "ready"))
    check_sentence(said, f"{tmp_path}/none/ready cannot be written: No such file", "--ready-file")
    assert not data.exists()
    assert list(tmp_path.iterdir()) == []


def test_a_settings_file_that_cannot_be_read_is_said(tmp_path: Path) -> None:
    (tmp_path / "thingtank.toml").mkdir()
    command = [sys.executable, "-m", "thingtank.cli.main", "serve", "--data", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 2
    assert "thingtank.toml cannot be read: Is a directory" in done.stderr


def test_a_terminal_is_told_the_same_sentence(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "thingtank.cli.main", "serve", "--data", str(tmp_path)]
    command += ["--web", "0", "--host", "192.0.2.1"]
    outer, inner = pty.openpty()
    done = subprocess.run(command, stdout=inner, stderr=inner, timeout=30, check=False)
    os.close(inner)
    said = os.read(outer, 10_000).decode().replace("\r\n", "\n")
    os.close(outer)
    assert done.returncode == 1
    check_sentence(said, "192.0.2.1 is no address of this machine")


def test_a_terminal_that_is_closed_ends_it_as_ctrl_c_does(tmp_path: Path) -> None:
    outer, inner = pty.openpty()
    ready_file = tmp_path / "ready.json"
    words = serve_words(tmp_path / "data", "--ready-file", str(ready_file))
    terminal = {"stdin": inner, "stdout": inner, "stderr": inner}
    with subprocess.Popen(["setsid", "--ctty", *words], **terminal) as server:
        os.close(inner)
        while not ready_file.exists():
            os.read(outer, 10_000)  # raises when it ends
        os.close(outer)
        assert server.wait(30) == 0
    assert not list((tmp_path / "data").glob("*-wal")), "all is written"


def test_with_nohup_it_stays(tmp_path: Path) -> None:
    ready_file = tmp_path / "ready.json"
    words = serve_words(tmp_path / "data", "--ready-file", str(ready_file))
    quiet = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL}
    with subprocess.Popen(["nohup", *words], stderr=subprocess.DEVNULL, **quiet) as server:
        wait_until(ready_file.exists)
        server.send_signal(signal.SIGHUP)
        url = json.loads(ready_file.read_text())["url"]
        assert requests.get(f"{url}/healthz", timeout=10).ok
        server.terminate()
        assert server.wait(30) == 0


def serve_words(folder: Path, *flags: str) -> list[str]:
    ports = [
        word for door in ("web", "wamp", "socket", "mqtt", "skynet") for word in (f"--{door}", "0")
    ]
    serve = [sys.executable, "-m", "thingtank.cli.main", "serve", "--data", str(folder)]
    return [*serve, *ports, *flags]


def test_no_secret_reaches_the_log(tmp_path: Path) -> None:
    with start_new(tmp_path) as server:
        url = f"{server.url}/v2/feeds/{server.feed_id}.json?key={server.api_key}"
        assert requests.get(url, timeout=10).status_code == 200
        requests.get(f"{server.url}/nowhere?key={server.api_key}", timeout=10)
        logged = [line for line in server.output().splitlines() if line.startswith("{")]
    assert logged
    assert not any(server.api_key in line for line in logged)
    mode = (tmp_path / "secret.key").stat().st_mode & 0o777
    assert mode == 0o600
