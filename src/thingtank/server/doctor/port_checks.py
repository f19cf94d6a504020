"""Ports: whether the doors can have them, or who has."""

import contextlib
import errno
import os
import socket
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

from thingtank.server.config import Config
from thingtank.server.doctor.findings import Finding, Patient, ok, problem
from thingtank.server.doctor.settings_checks import ports_of

CONNECT_S_MAX = 3.0
_LISTENS = "0A"  # a state in /proc/net/tcp


def check_ports(patient: Patient) -> Iterator[Finding]:
    """Those of the server that runs, or those that one would open."""
    if patient.addresses is not None:
        yield from _answering(patient.addresses)
        return
    found = [*_taken(patient.config)]
    yield from found
    if not found:
        ports = ", ".join(str(port) for port in sorted({*ports_of(patient.config).values()}))
        yield ok(
            "ports", f"free: {ports}" if ports else "all doors are off, or choose for themselves"
        )


def _answering(addresses: tuple[str, ...]) -> Iterator[Finding]:
    silent = [address for address in addresses if not _answers(address)]
    for address in silent:
        yield problem("ports", f"the server's {address} takes no connection",
                      "see its log; start it anew")  # fmt: skip
    if not silent:
        yield ok("ports", f"all {len(addresses)} doors take connections")


def _answers(address: str) -> bool:
    parts = urlsplit(address)
    if not parts.hostname or not parts.port:
        return True  # a Unix socket
    try:
        socket.create_connection((parts.hostname, parts.port), CONNECT_S_MAX).close()
    except OSError:
        return False
    return True


def _taken(config: Config) -> Iterator[Finding]:
    host = config.server.host
    for name, port in ports_of(config).items():
        why = _why_not(host, port)
        if why:
            other = f"choose another: --set {name}=PORT"
            remedy = "choose an address of this machine with --host" if "address" in why else other
            yield problem("ports", f"{name} {port}: {why}", remedy)


def _why_not(host: str, port: int) -> str:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        socket.create_server((host, port), family=family).close()
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            return f"in use by {_owner_of(port) or 'another program'}"
        if error.errno in (errno.EACCES, errno.EPERM):
            return "not allowed to this user"
        if error.errno == errno.EADDRNOTAVAIL or isinstance(error, socket.gaierror):
            return f"{host} is no address of this machine"
        return str(error.strerror or error)
    return ""


def _owner_of(port: int) -> str:
    """The program that listens on a port, as far as this user may see."""
    inodes = {f"socket:[{inode}]" for inode in _listening_inodes(port)}
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):  # another user's, or gone
            if any(_target(link) in inodes for link in (folder / "fd").iterdir()):
                name = (folder / "comm").read_text().strip()
                return f"{name} (process {folder.name})"
    return ""


def _target(link: Path) -> str:
    try:
        return os.readlink(link)
    except OSError:  # closed meanwhile
        return ""


def _listening_inodes(port: int) -> Iterator[str]:
    for table in ("tcp", "tcp6"):
        try:
            lines = Path("/proc/net", table).read_text().splitlines()[1:]
        except OSError:
            continue
        for line in lines:
            _, local, _, state, _, _, _, _, _, inode, *_ = line.split()
            if state == _LISTENS and int(local.rpartition(":")[2], 16) == port:
                yield inode
