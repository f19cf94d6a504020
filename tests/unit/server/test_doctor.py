"""The doctor: each finding made real, and what it says of it."""

import datetime
import os
import resource
import shutil
import socket
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

import msgspec
import numpy as np
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from thingtank.server.backup.last import LastBackup, note_last
from thingtank.server.doctor import disk_checks, machine_checks
from thingtank.server.doctor.examination import examine, is_well
from thingtank.server.doctor.findings import Finding, Level
from thingtank.server.rule_troubles import RuleTrouble
from thingtank.stores.archive_settings import ArchiveSettings
from thingtank.stores.history.store import HistoryStore
from thingtank.stores.rows import Rows
from thingtank.tank.tank import SystemClock

OFF = tuple(
    f"{name}=off"
    for name in ("web.port", "wamp.port", "socket.port", "socket.sockjs_port", "mqtt.port", "skynet.port")
)  # fmt: skip


class Case(NamedTuple):
    """What is made so, and what the doctor says of it."""

    make: Callable[[Path, pytest.MonkeyPatch], object]
    name: str
    level: Level
    words: str
    sets: tuple[str, ...] = ()
    toml: str = ""


OK, WARNING, PROBLEM = Level.OK, Level.WARNING, Level.PROBLEM


def nothing(folder: Path, patch: pytest.MonkeyPatch) -> None:
    pass


def free_bytes(count: int) -> Callable[[Path, pytest.MonkeyPatch], object]:
    def make(folder: Path, patch: pytest.MonkeyPatch) -> None:
        usage = shutil.disk_usage(folder)._replace(total=10**12, free=count)
        patch.setattr(shutil, "disk_usage", lambda _: usage)

    return make


def on_file_system(kind: str) -> Callable[[Path, pytest.MonkeyPatch], object]:
    return lambda _, patch: patch.setattr(disk_checks, "_file_system_of", lambda _: kind)


def slow_disk(folder: Path, patch: pytest.MonkeyPatch) -> None:
    patch.setattr(os, "fdatasync", lambda _: time.sleep(0.06))


def disk_that_fails(folder: Path, patch: pytest.MonkeyPatch) -> None:
    def fail(_: int) -> None:
        raise OSError(30, "Read-only file system")

    patch.setattr(os, "fdatasync", fail)


def open_file_limit(folder: Path, patch: pytest.MonkeyPatch) -> None:
    patch.setattr(resource, "getrlimit", lambda _: (1024, 1024))


def file_of_tomorrow(folder: Path, patch: pytest.MonkeyPatch) -> None:
    (folder / "journal.sqlite3-wal").touch()
    os.utime(folder / "journal.sqlite3-wal", (time.time() + 86_400,) * 2)


def jumping_clock(folder: Path, patch: pytest.MonkeyPatch) -> None:
    patch.setattr(machine_checks, "_jump_s", lambda: -3.0)


def long_past(folder: Path, patch: pytest.MonkeyPatch) -> None:
    class Datetime(datetime.datetime):
        @classmethod
        def now(cls, tz: datetime.tzinfo | None = None) -> "Datetime":
            return cls(1970, 1, 1, tzinfo=tz)

    patch.setattr(machine_checks.datetime, "datetime", Datetime)


def mode(name: str, bits: int) -> Callable[[Path, pytest.MonkeyPatch], object]:
    return lambda folder, _: (folder / name).chmod(bits)


def readable_settings(folder: Path, patch: pytest.MonkeyPatch) -> None:
    folder.chmod(0o755)
    (folder / "thingtank.toml").chmod(0o644)


def secret(content: bytes) -> Callable[[Path, pytest.MonkeyPatch], object]:
    return lambda folder, _: (folder / "secret.key").write_bytes(content)


def without_secret(folder: Path, patch: pytest.MonkeyPatch) -> None:
    (folder / "secret.key").unlink()


def of_another_user(folder: Path, patch: pytest.MonkeyPatch) -> None:
    patch.setattr(os, "geteuid", lambda: folder.stat().st_uid + 1)


def not_mine_to_write(folder: Path, patch: pytest.MonkeyPatch) -> None:
    patch.setattr(os, "access", lambda *_: False)


def damaged_file(folder: Path, patch: pytest.MonkeyPatch) -> None:
    path = folder / "outbox.sqlite3"
    path.write_bytes(b"SQLite format 3\0" + b"\xff" * 5000)
    path.chmod(0o600)


def archive(break_it: Callable[[Path], object]) -> Callable[[Path, pytest.MonkeyPatch], object]:
    """An archive with a file in the cold tier, and what then happens to it."""

    def make(folder: Path, patch: pytest.MonkeyPatch) -> None:
        with closing(HistoryStore.open(folder, ArchiveSettings(), SystemClock())) as store:
            stream_ids, at_us = np.array([1], np.int32), np.array([86_400_000_000], np.int64)
            store.apply([Rows(stream_ids, at_us, np.array([21.5]), {})], 1)
            store.compact(SystemClock().now_us())
        break_it(folder)

    return make


def cold_file(folder: Path, pattern: str = "*/*.parquet") -> Path:
    return sorted((folder / "cold").glob(pattern), key=lambda path: "rollup" in path.name)[0]


def unfinished_restore(folder: Path, patch: pytest.MonkeyPatch) -> None:
    (folder / "restoring").mkdir()


def backup_of(days: int, is_there: bool = True) -> Callable[[Path, pytest.MonkeyPatch], object]:
    def make(folder: Path, patch: pytest.MonkeyPatch) -> None:
        at = datetime.datetime.now(datetime.UTC) - datetime.timedelta(days=days, minutes=1)
        file = folder / "secret.key" if is_there else folder / "gone.tar.gz"
        note_last(folder, LastBackup(at.isoformat(timespec="seconds"), str(file), 7))

    return make


def variable(name: str) -> Callable[[Path, pytest.MonkeyPatch], object]:
    return lambda _, patch: patch.setenv(name, "1")


def certificate(
    begin_days: int = -1, end_days: int = 365, is_own: bool = True, bits: int = 0o600
) -> Callable[[Path, pytest.MonkeyPatch], object]:
    def make(folder: Path, patch: pytest.MonkeyPatch) -> None:
        key, other = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
        name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "tank.example")])
        now = datetime.datetime.now(datetime.UTC)
        made = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(key.public_key())
            .serial_number(1)
            .not_valid_before(now + datetime.timedelta(days=begin_days))
            .not_valid_after(now + datetime.timedelta(days=end_days, minutes=1))
            .sign(key, hashes.SHA256())
        )
        pem = serialization.Encoding.PEM
        (folder / "certificate.pem").write_bytes(made.public_bytes(pem))
        private = (key if is_own else other).private_bytes(
            pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        (folder / "key.pem").write_bytes(private)
        (folder / "key.pem").chmod(bits)
        patch.chdir(folder)

    return make


TLS = ("server.tls_certificate=certificate.pem", "server.tls_key=key.pem", "mqtt.tls_port=8883")
EVERYWHERE = "server.host=0.0.0.0"
WEAK_USER = '[[mqtt.users]]\nname = "lamp"\npassword = "changeme"\n'
GOOD_USER = '[[mqtt.users]]\nname = "lamp"\npassword = "correct horse battery"\n'
OPEN_REALM = '[[wamp.realms]]\nname = "realm1"\nanonymous = "everybody"\n'
FILED_USER = '[[mqtt.users]]\nname = "lamp"\npassword = {file = "/nowhere/secret"}\n'

CASES = {
    "all is well": Case(nothing, "settings", OK, "fit together"),
    "little room": Case(free_bytes(10**8), "disk.room", PROBLEM, "0.1 GB of"),
    "less room": Case(free_bytes(10**9), "disk.room", WARNING, "0.9 GB of"),
    "memory": Case(on_file_system("tmpfs"), "disk.kind", WARNING, "in memory"),
    "network": Case(on_file_system("nfs4"), "disk.kind", WARNING, "another machine"),
    "slow disk": Case(slow_disk, "disk.sync", WARNING, "each device waits"),
    "failing disk": Case(disk_that_fails, "disk.sync", PROBLEM, "Read-only file system"),
    "few files": Case(open_file_limit, "machine.open_files", WARNING, "1,024 files"),
    "future file": Case(file_of_tomorrow, "clock", PROBLEM, "journal.sqlite3-wal is 86,"),
    "clock jumps": Case(jumping_clock, "clock", WARNING, "jumped by -3.0 s"),
    "clock lost": Case(long_past, "clock", PROBLEM, "1970-01-01"),
    "open secret": Case(mode("secret.key", 0o644), "permissions.secret", PROBLEM, "secret.key may be read"),
    "open folder": Case(mode(".", 0o755), "permissions.folder", WARNING, "may look into"),
    "other user": Case(of_another_user, "permissions.owner", WARNING, "is of user"),
    "no rights": Case(not_mine_to_write, "permissions.write", PROBLEM, "may not write"),
    "no secret": Case(without_secret, "secrets.instance", PROBLEM, "is missing"),
    "short secret": Case(secret(b"short"), "secrets.instance", PROBLEM, "5 bytes, not 32"),
    "zero secret": Case(secret(bytes(32)), "secrets.instance", PROBLEM, "not random"),
    "known password": Case(nothing, "secrets.settings", PROBLEM, "MQTT's user lamp is one that everybody knows", toml=WEAK_USER),
    "open settings": Case(readable_settings, "secrets.file", PROBLEM, "thingtank.toml may be read by others on this machine, and holds secrets: mqtt.users", toml=GOOD_USER),
    "lost token": Case(nothing, "secrets.settings", PROBLEM, "/nowhere/token cannot be read", sets=("metrics.token_file=/nowhere/token",)),
    "lost password": Case(nothing, "settings.values", PROBLEM, "/nowhere/secret cannot be read", toml=FILED_USER),
    "unknown setting": Case(nothing, "settings.values", PROBLEM, "prot", toml="[mqtt]\nprot = 1883\n"),
    "wrong kind": Case(nothing, "settings.values", PROBLEM, "web.port", sets=("web.port=many",)),
    "unread variable": Case(variable("THINGTANK_WEBB_PORT"), "settings.environment", WARNING, "THINGTANK_WEBB_PORT"),
    "same port": Case(nothing, "settings.ports", PROBLEM, "wamp.port and mqtt.port are both 1883", sets=("wamp.port=1883", "mqtt.port=1883")),
    "half of TLS": Case(nothing, "settings.tls", PROBLEM, "tls_key is set", sets=("server.tls_key=key.pem",)),
    "TLS without": Case(nothing, "settings.tls", PROBLEM, "no certificate", sets=("mqtt.tls_port=8883",)),
    "TLS for nobody": Case(certificate(), "settings.tls", WARNING, "no door speaks TLS", sets=TLS[:2]),
    "URL of no port": Case(nothing, "settings.web", WARNING, "web port is off", sets=("web.public_url=https://tank.example", "web.port=off")),
    "URL in the clear": Case(nothing, "settings.web", WARNING, "in the clear", sets=("web.public_url=http://tank.example",)),
    "all are proxies": Case(nothing, "settings.web", PROBLEM, "names everybody", sets=("web.trusted_proxies=0.0.0.0/0",)),
    "all may watch": Case(nothing, "settings.metrics", WARNING, "names everybody", sets=("metrics.allowed_networks=::/0",)),
    "open SkyNet": Case(nothing, "access.skynet", PROBLEM, "anybody who reaches 0.0.0.0", sets=(EVERYWHERE, "skynet.open_access=always", "skynet.port=0")),
    "open MQTT": Case(nothing, "access.mqtt", PROBLEM, "publish and subscribe", sets=(EVERYWHERE, "mqtt.anonymous=everyone", "mqtt.port=0")),
    "open WAMP": Case(nothing, "access.wamp", PROBLEM, "realm realm1", sets=(EVERYWHERE, "wamp.port=0"), toml=OPEN_REALM),
    "clear MQTT": Case(nothing, "access.tls", WARNING, "without TLS", sets=(EVERYWHERE, "mqtt.port=0")),
    "closed": Case(nothing, "access.open", OK, "strangers may not in", sets=(EVERYWHERE,)),
    "good certificate": Case(certificate(), "certificate", OK, "(365 days)", sets=TLS),
    "late certificate": Case(certificate(end_days=5), "certificate", WARNING, "(5 days)", sets=TLS),
    "expired": Case(certificate(-10, -2), "certificate", PROBLEM, "has expired", sets=TLS),
    "not yet valid": Case(certificate(begin_days=2), "certificate", PROBLEM, "valid from", sets=TLS),
    "another's key": Case(certificate(is_own=False), "certificate", PROBLEM, "is not the key of", sets=TLS),
    "open key": Case(certificate(bits=0o644), "certificate.key", WARNING, "may be read", sets=TLS),
    "no certificate file": Case(nothing, "certificate", PROBLEM, "cannot be read", sets=("server.tls_certificate=/nowhere/a", "server.tls_key=/nowhere/b")),
    "no PEM": Case(nothing, "certificate", PROBLEM, "no PEM file", sets=(f"server.tls_certificate={__file__}", f"server.tls_key={__file__}")),
    "damaged file": Case(damaged_file, "data", PROBLEM, "outbox.sqlite3 cannot be read"),
    "archive": Case(archive(lambda _: None), "data", OK, "its files are there and can be read"),
    "damaged hot tier": Case(archive(lambda folder: (folder / "hot.duckdb").write_bytes(b"nonsense" * 1000)), "data", PROBLEM, "hot.duckdb cannot be read"),
    "lost hot tier": Case(archive(lambda folder: (folder / "hot.duckdb").unlink()), "data", PROBLEM, "hot.duckdb is missing or empty"),
    "cut cold file": Case(archive(lambda folder: os.truncate(cold_file(folder), 100)), "data", PROBLEM, ".parquet is damaged"),
    "overwritten cold file": Case(archive(lambda folder: cold_file(folder).write_bytes(bytes(cold_file(folder).stat().st_size))), "data", PROBLEM, ".parquet is damaged"),
    "lost cold file": Case(archive(lambda folder: cold_file(folder).unlink()), "data", PROBLEM, ".parquet is missing"),
    "lost roll-ups": Case(archive(lambda folder: cold_file(folder, "*/*rollup*").unlink()), "data", PROBLEM, "rollup.parquet is missing"),
    "lost directory": Case(archive(lambda folder: (folder / "directory.sqlite3").write_bytes(b"")), "database", PROBLEM, "directory.sqlite3 is missing or empty"),
    "half restored": Case(unfinished_restore, "data", PROBLEM, "did not come to its end"),
    "no backup": Case(nothing, "backup", WARNING, "none was made"),
    "old backup": Case(backup_of(30), "backup", WARNING, "30 days ago"),
    "lost backup": Case(backup_of(1, is_there=False), "backup", WARNING, "not there any more"),
    "backup": Case(backup_of(1), "backup", OK, "the last was made"),
    "no such address": Case(nothing, "ports", PROBLEM, "no address of this machine", sets=("server.host=192.0.2.7", "web.port=8000")),
}  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A data folder that all is well with."""
    made = tmp_path / "data"
    made.mkdir(0o700)
    (made / "secret.key").write_bytes(bytes(range(32)))
    (made / "secret.key").chmod(0o600)
    sqlite3.connect(made / "directory.sqlite3").close()
    return made


def found(folder: Path, *sets: str) -> list[Finding]:
    return list(examine(folder, sets=[*OFF, *sets], environment=os.environ))


@pytest.mark.parametrize("case", CASES)
def test_each_finding(case: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = CASES[case]
    (folder / "thingtank.toml").write_text(made.toml)
    made.make(folder, monkeypatch)
    monkeypatch.setattr(machine_checks, "LOOK_S", 0.0)
    findings = found(folder, *made.sets)
    monkeypatch.undo()
    said = [each for each in findings if each.name == made.name]
    (finding,) = [each for each in said if made.words in each.text] or said
    assert (finding.level, made.words in finding.text) == (made.level, True), said
    assert (finding.remedy == "") is (made.level is OK), "what is wrong has a remedy"
    if made.level is PROBLEM:
        assert not is_well(findings)


def test_a_remedy_is_a_line_that_a_shell_takes(folder: Path) -> None:
    spaced = folder.rename(folder.with_name("my data"))
    (spaced / "secret.key").chmod(0o644)
    (finding,) = [each for each in found(spaced) if each.name == "permissions.secret"]
    assert finding.remedy == f"chmod 600 '{spaced}/secret.key'"


def test_a_well_folder_has_no_problem(folder: Path) -> None:
    findings = found(folder)
    assert [each for each in findings if each.level is PROBLEM] == []


def test_settings_without_secrets_may_be_read(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "thingtank.toml").write_text("[web]\nport = 8000\n")
    readable_settings(folder, monkeypatch)
    assert "secrets.file" not in [each.name for each in found(folder)]
    (folder / "thingtank.toml").write_text(GOOD_USER)
    folder.chmod(0o700)  # which keeps others from what is in it
    assert "secrets.file" not in [each.name for each in found(folder)]


def test_a_taken_port_is_told_with_who_has_it(folder: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        findings = found(folder, f"mqtt.port={port}")
    (finding,) = [each for each in findings if each.name == "ports"]
    assert finding.level is PROBLEM
    assert f"mqtt.port {port}: in use by " in finding.text
    assert f"(process {os.getpid()})" in finding.text


def test_a_folder_that_is_none_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    findings = found(tmp_path / "file")
    assert "permissions" in [each.name for each in findings if each.level is PROBLEM]


def test_a_folder_that_is_not_there_yet_is_no_problem(tmp_path: Path) -> None:
    assert is_well(found(tmp_path / "new"))
    assert not (tmp_path / "new").exists()


def test_it_leaves_nothing_behind(folder: Path) -> None:
    before = sorted(folder.iterdir())
    found(folder)
    assert sorted(folder.iterdir()) == before


def test_the_running_servers_checks_are_told(folder: Path) -> None:
    checks = {"journal": True, "database": False}
    findings = list(examine(folder, sets=OFF, addresses=(), checks=checks))
    (finding,) = [each for each in findings if each.name == "server"]
    assert (finding.level, "database" in finding.text) == (PROBLEM, True)


def test_rules_of_the_running_server_that_do_not_work_are_warned_of_by_name(folder: Path) -> None:
    rules = [
        RuleTrouble("sinks", "lake", "stuck", "No such bucket"),
        RuleTrouble("sinks", "orders", "full", "no room"),
        RuleTrouble("sources", "weather", "failing", "It does not answer"),
    ]
    findings = list(examine(folder, sets=OFF, addresses=(), rules=rules))
    said = [each for each in findings if each.name in ("sinks", "sources")]
    assert [(each.name, each.level) for each in said] == [
        ("sinks", WARNING), ("sinks", WARNING), ("sources", WARNING)
    ]  # fmt: skip
    assert "the rule lake of sinks does not work: No such bucket" in said[0].text
    assert "dead letters" in said[1].remedy
    assert "weather" in said[2].text


def test_a_door_that_takes_no_connection_is_told(folder: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as gone:
        port = gone.getsockname()[1]
    address = f"tcp://127.0.0.1:{port}"
    findings = list(examine(folder, sets=OFF, addresses=(address,), checks={"doors": True}))
    (finding,) = [each for each in findings if each.name == "ports"]
    assert (finding.level, address in finding.text) == (PROBLEM, True)


def test_findings_are_plain_values(folder: Path) -> None:
    rows = msgspec.json.decode(msgspec.json.encode(found(folder)))
    assert {"name", "level", "text", "remedy"} == set(rows[0])


def test_a_folder_that_is_none_of_a_thing_tank_is_not_called_sound(tmp_path: Path) -> None:
    for folder, words in ((tmp_path / "nowhere", "no such folder"), (tmp_path, "no Thing Tank in")):
        (finding,) = [each for each in found(folder) if each.name == "data"]
        assert finding.level is WARNING
        assert words in finding.text
        assert "--data" in finding.remedy
