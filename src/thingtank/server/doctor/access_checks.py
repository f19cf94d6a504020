"""Who may come in that perhaps should not, and who may read what is secret."""

import os
import shlex
import stat
from collections.abc import Iterator
from pathlib import Path

from thingtank.net.identity.secret_sources import SecretSource, UnreadableSecret
from thingtank.server.config import setting
from thingtank.server.doctor.findings import Finding, Patient, ok, problem, warning
from thingtank.server.secret import FILE_NAME as SECRET
from thingtank.server.secret import SECRET_BYTES, is_in_use

_PRIVATE = stat.S_IRWXG | stat.S_IRWXO
_TRAVERSABLE = stat.S_IXGRP | stat.S_IXOTH
# What documents and examples have, and what is tried first.
_KNOWN_SECRETS = frozenset(
    (
        "12345678",
        "123456789",
        "changeme",
        "changethis",
        "iloveyou",
        "letmein1",
        "password",
        "password1",
        "secret12",
        "secretsecret",
        "thingtank",
        "topsecret",
    )
)


def check_openness(patient: Patient) -> Iterator[Finding]:
    """What strangers may do from other machines."""
    config = patient.config
    if not patient.is_public:
        yield ok("access.open", f"doors listen on {config.server.host}, for this machine only")
        return
    found = [*_open_doors(patient)]
    yield from found
    if not found:
        yield ok("access.open", f"doors listen on {config.server.host}, and strangers may not in")


def _open_doors(patient: Patient) -> Iterator[Finding]:
    config, host = patient.config, patient.config.server.host
    if config.skynet.port != "off" and config.skynet.open_access == "always":
        yield problem(
            "access.skynet",
            f"anybody who reaches {host} may register devices, find them and write to them",
            "set skynet.open_access to never, or to loopback",
        )
    if config.mqtt.port != "off" and config.mqtt.anonymous == "everyone":
        yield problem(
            "access.mqtt",
            f"anybody who reaches {host} may publish and subscribe by MQTT",
            "set mqtt.anonymous to nobody, loopback or with_key",
        )
    for realm in config.wamp.realms:
        if config.wamp.port != "off" and realm.anonymous_rule == "everybody":
            yield problem(
                "access.wamp",
                f"anybody who reaches {host} may join the WAMP realm {realm.name}",
                "set the realm's anonymous to loopback or off",
            )
    if config.mqtt.port != "off" and config.mqtt.tls_port == "off":
        yield warning(
            "access.tls",
            f"MQTT listens on {host} without TLS: passwords and keys travel in the clear",
            "set mqtt.tls_port and server.tls_certificate; let mqtt.port be off or behind a VPN",
        )


def check_secrets(patient: Patient) -> Iterator[Finding]:
    """Secrets that are none, cannot be read, or are left open."""
    yield from _instance_secret(patient.folder)
    yield from _settings_file(patient)
    weak = [*_weak_secrets(patient)]
    yield from weak
    if not weak:
        yield ok("secrets.settings", "no secret of the settings is a well-known one")


def _instance_secret(folder: Path) -> Iterator[Finding]:
    path = folder / SECRET
    try:
        secret = path.read_bytes()
    except FileNotFoundError:
        if is_in_use(folder):
            yield problem(
                "secrets.instance",
                f"{path} is missing: no key in the directory works without it",
                "restore it from a backup",
            )
        return
    except OSError as error:
        yield problem("secrets.instance", f"{path} cannot be read: {error.strerror}",
                      "give it to the user that runs the server")  # fmt: skip
        return
    if len(secret) != SECRET_BYTES:
        yield problem("secrets.instance", f"{path} holds {len(secret)} bytes, not {SECRET_BYTES}",
                      "restore it from a backup")  # fmt: skip
    elif len(set(secret)) < 8:  # of random ones: never
        yield problem("secrets.instance", f"{path} is not random, so that anybody may guess it",
                      "begin a new folder; keys of this one are not safe")  # fmt: skip
    else:
        yield ok("secrets.instance", f"{SECRET} is there")


def _settings_file(patient: Patient) -> Iterator[Finding]:
    """A file of settings that holds secrets is one."""
    file, config = str(patient.file), patient.config
    values = {name: setting(config, name) for name, at in patient.sources.items() if at == file}
    named = [name for name, value in values.items() if _holds_secret(value)]
    text = _open_to_others(patient.file)
    if named and text and patient.file.absolute().parent.stat().st_mode & _TRAVERSABLE:
        yield problem(
            "secrets.file",
            f"{text}, and holds secrets: {', '.join(named)}",
            f"chmod 600 {shlex.quote(file)}",
        )


def _holds_secret(value: object) -> bool:
    """Whether a setting has a secret in it, and not only the place of one."""
    return "…" in repr(value)  # what stands for one wherever settings are shown


def _weak_secrets(patient: Patient) -> Iterator[Finding]:
    config = patient.config
    sources: list[tuple[str, str | SecretSource | None]] = [
        (f"the password of MQTT's user {user.name}", user.password) for user in config.mqtt.users
    ]
    for realm in config.wamp.realms:
        for principal in realm.principals:
            sources.append((f"the ticket of WAMP's {principal.authid}", principal.ticket))
            sources.append((f"the secret of WAMP's {principal.authid}", principal.secret))
    if config.database.file:
        sources.append(("the URL of the database", config.database))
    metrics = config.metrics
    if metrics.token_file or metrics.token_variable:
        token = SecretSource(file=metrics.token_file, environment=metrics.token_variable)
        sources.append(("the token of metrics", token))
    for name, source in sources:
        if not isinstance(source, SecretSource):
            continue
        try:
            secret = source.read(patient.environment)
        except UnreadableSecret as error:
            yield problem("secrets.settings", f"{name} {error}", "put it there, or name its place")
            continue
        if secret.lower() in _KNOWN_SECRETS:
            yield problem(
                "secrets.settings",
                f"{name} is one that everybody knows",
                "choose another: python3 -c 'import secrets; print(secrets.token_urlsafe())'",
            )
        if source.file and (text := _open_to_others(Path(source.file))):
            yield warning("secrets.settings", text, f"chmod 600 {shlex.quote(source.file)}")


def check_permissions(patient: Patient) -> Iterator[Finding]:
    """Who else on this machine may read the data folder."""
    folder = patient.folder
    if not folder.exists():
        yield ok("permissions", f"{folder} is not there yet; the server makes it for its user only")
        return
    if not folder.is_dir():
        yield problem("permissions", f"{folder} is no folder", "choose another with --data")
        return
    status = folder.stat()
    if status.st_uid != os.geteuid():
        yield warning(
            "permissions.owner",
            f"{folder} is of user {status.st_uid}, and you are {os.geteuid()}",
            "run this, and the server, as the folder's user",
        )
    if not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
        yield problem("permissions.write", f"you may not write to {folder}",
                      "run this, and the server, as the folder's user")  # fmt: skip
    found = [path for path in _private_files(folder) if _open_to_others(path)]
    for path in found:
        remedy = f"chmod 600 {shlex.quote(str(path))}"
        yield problem("permissions.secret", _open_to_others(path), remedy)
    if status.st_mode & _PRIVATE:
        yield warning(
            "permissions.folder",
            f"others on this machine may look into {folder}",
            f"chmod 700 {shlex.quote(str(folder))}",
        )
    elif not found:
        yield ok("permissions", f"only its user may look into {folder}")


def _private_files(folder: Path) -> list[Path]:
    names = (SECRET, "hook_signing_key.pem", "outbox.sqlite3", "mqtt.sqlite3")
    return [folder / name for name in names if (folder / name).exists()]


def _open_to_others(path: Path) -> str:
    """What is wrong with a secret file's permissions; blank for nothing."""
    try:
        mode = path.stat().st_mode
    except OSError:
        return ""
    return f"{path} may be read by others on this machine" if mode & _PRIVATE else ""
