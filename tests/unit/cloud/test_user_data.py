"""What a machine runs at its first start."""

import os
import re
import subprocess
from pathlib import Path

import pytest

from thingtank.cloud.instances.user_data import BYTES_MAX, user_data
from thingtank.server.config import load_config

ROOT = Path(__file__).parents[3]


def test_unit_in_the_package_is_that_of_the_examples() -> None:
    own = ROOT / "src/thingtank/cloud/instances/thingtank.service"
    assert own.read_text() == (ROOT / "examples/thingtank.service").read_text()


def test_script_is_one_for_sh() -> None:
    script = user_data("thingtank==1; reboot")
    subprocess.run(["sh", "-n"], input=script, text=True, check=True, timeout=10)
    assert "pip install --disable-pip-version-check 'thingtank==1; reboot'" in script
    assert len(script.encode()) < BYTES_MAX


@pytest.mark.parametrize(("program", "python"), [("dnf", "python3.12"), ("apt-get", "python3")])
def test_script_installs_writes_and_starts(tmp_path: Path, program: str, python: str) -> None:
    """Run below another root, with programs that write down how they were called."""
    root, programs, calls = tmp_path / "root", tmp_path / "programs", tmp_path / "calls"
    programs.mkdir()
    for name in (program, python, "useradd", "systemctl", "chown", "install"):
        fake = programs / name
        fake.write_text(
            f'#!/bin/sh\necho {name} "$@" >> {calls}\n[ "$*" != "install -y python3.13" ]\n'
        )
        fake.chmod(0o755)
    pip = root / "opt/thingtank/bin/pip"
    pip.parent.mkdir(parents=True)
    pip.symlink_to(programs / "useradd")
    for name in ("mkdir", "cat", "chmod", "id"):
        (programs / name).symlink_to(f"/usr/bin/{name}")
    script = re.sub(
        r"(?<=[ \n])/(opt|etc|var/lib)/", rf"{root}/\1/", user_data("thingtank[aws]==1")
    )
    sh = ["/bin/sh"]
    subprocess.run(sh, input=script, text=True, check=True, timeout=10, env={"PATH": str(programs)})
    called = calls.read_text()
    assert f"{python} -m venv {root}/opt/thingtank" in called
    assert "install --disable-pip-version-check thingtank[aws]==1" in called
    assert called.endswith("systemctl daemon-reload\nsystemctl enable --now thingtank\n")
    unit = (root / "etc/systemd/system/thingtank.service").read_text().replace(str(root), "")
    assert unit == (ROOT / "examples/thingtank.service").read_text()
    config = load_config(root / "var/lib/thingtank/thingtank.toml", {}).config
    assert config.server.host not in ("", "127.0.0.1")
    names = root / "opt/thingtank/own-names"
    assert os.access(names, os.X_OK)
    assert names.read_text().startswith("#!/bin/sh\n")


@pytest.mark.parametrize("settings", ["#" * BYTES_MAX, "END_OF_FILE\nreboot\n"])
def test_settings_that_do_not_fit_are_refused(settings: str) -> None:
    with pytest.raises(ValueError, match="settings"):
        user_data("thingtank", settings)


def test_names_of_the_machine_become_a_setting(tmp_path: Path) -> None:
    """The helper that the script writes, with a `curl` that answers as EC2's metadata."""
    (helper,) = re.findall(r"/own-names <<'END_OF_FILE'\n(.*?)END_OF_FILE", user_data(), re.S)
    helper = helper.replace("/run/thingtank", str(tmp_path)).replace(
        "/var/lib/thingtank", str(tmp_path)
    )
    curl = tmp_path / "curl"
    curl.write_text(
        '#!/bin/sh\nfor url; do :; done\ncase "$url" in\n*/api/token) echo token;;\n'
        "*/public-ipv4) echo 198.51.100.7;;\n*/local-hostname) echo ip-10-0-0-1.ec2.internal;;\n"
        "*/public-hostname) echo;;\n*) exit 22;;\nesac\n"
    )
    curl.chmod(0o755)
    (tmp_path / "thingtank.toml").write_text('[server]\nhost = "0.0.0.0"\n')
    environment = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"}
    subprocess.run(["sh"], input=helper, text=True, check=True, timeout=10, env=environment)
    name, _, value = (tmp_path / "own-names").read_text().strip().partition("=")
    config = load_config(None, {name: value.strip("'")}).config
    assert config.web.allowed_hosts == ("198.51.100.7", "ip-10-0-0-1.ec2.internal")
