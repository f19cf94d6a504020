"""Which ports `thingtank serve` opens when flags and settings speak of the same door."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from thingtank.cli.main import main
from thingtank.server import serve as serving
from thingtank.server.config import Config


@pytest.mark.parametrize(
    ("flags", "ports"),
    [
        ((), (8081, 8082)),
        (("--socket", "0"), (0, 0)),
        (("--socket", "off"), ("off", "off")),
        (("--socket", "9000"), (9000, 8082)),
        (("--socket", "0", "--set", "socket.sockjs_port=off"), (0, "off")),
        (("--socket", "off", "--set", "socket.sockjs_port=9001"), ("off", 9001)),
    ],
)
def test_the_sockjs_port_follows_the_socket_flag_unless_it_is_set(
    flags: tuple[str, ...],
    ports: tuple[int | str, int | str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[Config] = []

    def run(config: Config, _data: Path, _ready_file: Path | None) -> int:
        asked.append(config)
        return 0

    monkeypatch.setattr(serving, "serve", run)
    done = CliRunner().invoke(main, ["serve", "--data", str(tmp_path), *flags])
    assert done.exit_code == 0, done.output
    assert (asked[0].socket.port, asked[0].socket.sockjs_port) == ports
