"""WAMP's ways in, on a running server: its own port, the web port, TLS, a Unix socket."""

import json
import re
import socket
import ssl
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.certificates import make_certificate
from tests.interop.wamp.clients import CLIENTS, ClientProcess, Failed
from tests.interop.wamp.test_authentication import KEY, LOCKED, LOCKED_REALM
from tests.live_server import LiveServer, start_server
from websockets.asyncio.client import ClientConnection, connect, unix_connect
from websockets.exceptions import InvalidStatus

ROLES = {role: {} for role in ("publisher", "subscriber", "caller", "callee")}
HELLO = json.dumps([1, "realm1", {"roles": ROLES}])


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    folder = tmp_path_factory.mktemp("wamp")
    make_certificate(folder, "localhost")
    settings = (
        "wamp.tls_port=0",
        f"wamp.unix_socket={folder / 'wamp.sock'}",
        f"server.tls_certificate={folder / 'ca.pem'}",
        f"server.tls_key={folder / 'key.pem'}",
    )
    (folder / "data").mkdir()
    (folder / "data" / "thingtank.toml").write_text(LOCKED)
    sets = [word for each in settings for word in ("--set", each)]
    with start_server(folder / "data", *sets) as running:
        yield running


async def join(connection: ClientConnection) -> list[object]:
    await connection.send(HELLO)
    answer: list[object] = json.loads(await connection.recv())
    return answer


def ways(server: LiveServer) -> dict[str, Callable[..., connect]]:
    sockets = server.sockets
    trusting = ssl.create_default_context(cafile=Path(sockets["wamp_unix"]).with_name("ca.pem"))
    web = server.url.replace("http", "ws", 1)

    def tls(**options: object) -> connect:
        url = sockets["wamp_tls"].replace("127.0.0.1", "localhost")
        return connect(url, ssl=trusting, **options)

    return {
        "own port": lambda **options: connect(sockets["wamp"], **options),
        "web port": lambda **options: connect(f"{web}/ws", **options),
        "tls": tls,
        "unix": lambda **options: unix_connect(
            sockets["wamp_unix"], uri="ws://localhost/ws", **options
        ),
    }


@pytest.mark.parametrize("way", ["own port", "web port", "tls", "unix"])
async def test_websocket_clients_meet_whichever_way_they_come(server: LiveServer, way: str) -> None:
    async with (
        ways(server)["own port"](subprotocols=["wamp.2.json"]) as listener,
        ways(server)[way](subprotocols=["wamp.2.json"]) as publisher,
    ):
        assert (await join(listener))[0] == (await join(publisher))[0] == 2
        await listener.send(json.dumps([32, 1, {}, "com.example.way"]))
        assert json.loads(await listener.recv())[0] == 33
        large = "x" * 300_000
        for number in (1, 2):
            await publisher.send(json.dumps([16, number, {}, "com.example.way", [large, number]]))
        for number in (1, 2):
            assert json.loads(await listener.recv())[4] == [large, number]


@pytest.mark.parametrize("way", ["own port", "tls", "unix"])
def test_rawsocket_shares_the_port_of_websocket(server: LiveServer, way: str) -> None:
    sockets = server.sockets
    if way == "unix":
        connection = socket.socket(socket.AF_UNIX)
        connection.connect(sockets["wamp_unix"])
    else:
        port = int(
            re.sub(r".*:(\d+)/ws", r"\1", sockets["wamp" if way == "own port" else "wamp_tls"])
        )
        connection = socket.create_connection(("localhost", port))
    if way == "tls":
        ca = Path(sockets["wamp_unix"]).with_name("ca.pem")
        connection = ssl.create_default_context(cafile=ca).wrap_socket(
            connection, server_hostname="localhost"
        )
    with connection:
        connection.settimeout(10)
        connection.sendall(
            bytes([0x7F, 0xF1, 0, 0]) + len(HELLO).to_bytes(4, "big") + HELLO.encode()
        )
        received = b""
        while b"roles" not in received:
            received += connection.recv(65_536)
    assert received[:4] == bytes([0x7F, 0xB1, 0, 0])  # up to 2^20
    assert received[8:].startswith(b"[2,")


@pytest.fixture(scope="module")
def autobahn() -> Iterator[ClientProcess]:
    process = ClientProcess(CLIENTS["autobahn-asyncio"])
    yield process
    process.close()


def join_bound(
    server: LiveServer, autobahn: ClientProcess, transport: str, tls: str
) -> dict[str, object]:
    """Join by Autobahn's `cryptosign`, bound to a channel of this version; its WELCOME."""
    url = server.sockets["wamp_tls"].replace("127.0.0.1", "localhost")
    if transport == "rawsocket":
        url = re.sub(r"wss(.*)/ws", r"rss\1", url)
    ca = Path(server.sockets["wamp_unix"]).with_name("ca.pem")
    proof = {"method": "cryptosign", "secret": KEY, "channel_binding": "tls-unique"}
    auth = {**proof, "tls": tls, "ca": str(ca)}
    session = autobahn.join(url, LOCKED_REALM, "json", auth)
    session.do("leave")
    return session.welcome


@pytest.mark.parametrize("transport", ["websocket", "rawsocket"])
def test_autobahn_binds_its_signature_to_the_channel(
    server: LiveServer, autobahn: ClientProcess, transport: str
) -> None:
    welcome = join_bound(server, autobahn, transport, "TLSv1_2")
    assert (welcome["authid"], welcome["authmethod"]) == ("lamp", "cryptosign")


def test_who_asks_for_a_binding_that_is_not_sound_is_told_so(
    server: LiveServer, autobahn: ClientProcess
) -> None:
    # RFC 9266, 3: tls-unique is not for TLS 1.3.
    with pytest.raises(Failed) as refused:
        join_bound(server, autobahn, "websocket", "TLSv1_3")
    assert refused.value.uri == "wamp.error.no_matching_auth_method"
    assert "channel_binding" in refused.value.values[0]


@pytest.mark.parametrize("way", ["own port", "web port"])
@pytest.mark.parametrize("origin", [None, "http://localhost:9999", "http://127.0.0.1:8000"])
async def test_programs_and_pages_of_this_machine_may_connect(
    server: LiveServer, way: str, origin: str | None
) -> None:
    async with ways(server)[way](subprotocols=["wamp.2.json"], origin=origin) as connection:
        assert (await join(connection))[0] == 2


@pytest.mark.parametrize("way", ["own port", "web port"])
@pytest.mark.parametrize("origin", ["https://elsewhere.example", "null", "http://["])
async def test_pages_from_elsewhere_may_not_connect(
    server: LiveServer, way: str, origin: str
) -> None:
    with pytest.raises(InvalidStatus) as refused:
        await ways(server)[way](subprotocols=["wamp.2.json"], origin=origin)
    assert refused.value.response.status_code == 403
    assert b"wamp.allowed_origins" in refused.value.response.body


async def test_a_page_is_not_let_in_for_asking_by_its_own_name(server: LiveServer) -> None:
    """A name may be made to point at this machine after its page was loaded: DNS rebinding."""
    with pytest.raises(InvalidStatus):
        await ways(server)["own port"](
            subprotocols=["wamp.2.json"],
            origin="http://rebound.example:8080",
            additional_headers={"Host": "rebound.example:8080"},
        )


@pytest.mark.parametrize("offered", [[], ["wamp.2.flatbuffers"]])
async def test_who_offers_no_known_subprotocol_is_told_them(
    server: LiveServer, offered: list[str]
) -> None:
    for way in ("own port", "web port"):
        with pytest.raises(InvalidStatus) as refused:
            await ways(server)[way](subprotocols=offered or None)
        assert refused.value.response.status_code == 400
        assert b"wamp.2.json" in refused.value.response.body


async def test_with_its_own_port_off_wamp_is_said_to_be_on_the_web_port(tmp_path: Path) -> None:
    with start_server(tmp_path, "--wamp", "off") as server:
        url = server.url.replace("http", "ws", 1) + "/ws"
        assert server.sockets["wamp"] == url
        async with connect(url, subprotocols=["wamp.2.json"]) as connection:
            assert (await join(connection))[0] == 2
        heard = server.command("wamp", "call", "wamp.session.count")
    assert heard["args"] == [1]


def test_only_this_user_may_open_the_unix_socket(server: LiveServer) -> None:
    mode = Path(server.sockets["wamp_unix"]).stat().st_mode
    assert stat.S_IMODE(mode) == 0o600


async def test_a_path_of_the_web_port_that_is_no_websocket_stays_a_page(server: LiveServer) -> None:
    web = server.url.replace("http", "ws", 1)
    with pytest.raises(InvalidStatus) as refused:
        await connect(f"{web}/elsewhere", subprotocols=["wamp.2.json"])
    assert refused.value.response.status_code == 404


COMPONENT = """
from autobahn.asyncio.wamp import Session

class Brief(Session):
    def on_join(self, details):
        print("joined", flush=True)
        self.leave()
"""


def commanded(*words: str, folder: Path | None = None) -> tuple[int, str]:
    """What `thingtank wamp` ends with and says."""
    command = [sys.executable, "-m", "thingtank.cli.main", "wamp", *words]
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=60, check=False, cwd=folder
    )
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize("way", ["tls", "unix"])
def test_the_command_line_comes_by_tls_and_by_a_unix_socket(
    server: LiveServer, tmp_path: Path, way: str
) -> None:
    (tmp_path / "brief.py").write_text(COMPONENT)
    path = server.sockets["wamp_unix"]
    options = {
        "unix": ("--url", f"unix:{path}"),
        "tls": (
            "--url", server.sockets["wamp_tls"].replace("127.0.0.1", "localhost"),
            "--ca", str(Path(path).with_name("ca.pem")),
        ),
    }[way]  # fmt: skip
    code, said = commanded("publish", "com.example.way", *options)
    assert (code, said[:10]) == (0, "Published "), said
    code, said = commanded("run", "brief:Brief", *options, folder=tmp_path)
    assert (code, "joined\n" in said) == (0, True), said


def test_a_certificate_that_is_not_believed_is_said_to_be_the_trouble(
    server: LiveServer, tmp_path: Path
) -> None:
    (tmp_path / "brief.py").write_text(COMPONENT)
    url = ("--url", server.sockets["wamp_tls"])
    for words in (("publish", "com.example.way"), ("run", "brief:Brief")):
        code, said = commanded(*words, *url, folder=tmp_path)
        assert code == 1
        assert "certificate" in said
        assert "--ca FILE" in said
        assert len(said.splitlines()) == 1
