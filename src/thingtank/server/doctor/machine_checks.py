"""The machine: clock, versions, limits."""

import datetime
import resource
import sqlite3
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from thingtank.server.doctor.findings import Finding, Patient, ok, problem, warning

PYTHON_MIN = (3, 11)
SQLITE_MIN = (3, 38, 0)  # json_each, RETURNING and UPDATE … FROM as the stores use them
OPEN_FILES_MIN = 4096
FUTURE_S_MAX = 60.0
JUMP_S_MAX = 0.1
LOOK_S = 0.2
_BUILT = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)  # nobody ran this program before


def check_versions(_: Patient) -> Iterator[Finding]:
    """Python and SQLite."""
    python, sqlite = sys.version_info[:3], sqlite3.sqlite_version_info
    text = f"Python {'.'.join(map(str, python))}, SQLite {sqlite3.sqlite_version}"
    if python < PYTHON_MIN:
        yield problem("machine.versions", text, "install Python 3.11 or newer")
    elif sqlite < SQLITE_MIN:
        yield problem("machine.versions", text, "use a Python with SQLite 3.38 or newer")
    else:
        yield ok("machine.versions", text)


def check_limits(_: Patient) -> Iterator[Finding]:
    """How many connections the system lets the server have."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    count = "any number of" if hard == resource.RLIM_INFINITY else f"{hard:,}"
    text = f"the server may have {count} files and connections open"
    if hard != resource.RLIM_INFINITY and hard < OPEN_FILES_MIN:
        remedy = "raise it: LimitNOFILE=65536 in its systemd unit, or `ulimit -Hn`"
        yield warning("machine.open_files", text, remedy)
    else:
        yield ok("machine.open_files", text)


def check_clock(patient: Patient) -> Iterator[Finding]:
    """Whether the clock is right, as far as files tell, and goes on evenly."""
    now = datetime.datetime.now(datetime.UTC)
    ahead_s, newest = _newest_file(patient.folder, now.timestamp())
    jump_s = _jump_s()
    remedy = "set the clock, and keep it so: timedatectl set-ntp true"
    if now < _BUILT:
        yield problem("clock", f"it says {now:%Y-%m-%d %H:%M} UTC, which is long past", remedy)
    elif ahead_s > FUTURE_S_MAX:
        yield problem(
            "clock",
            f"it says {now:%Y-%m-%d %H:%M} UTC, and {newest} is {ahead_s:,.0f} s younger",
            remedy,
        )
    elif abs(jump_s) > JUMP_S_MAX:
        yield warning("clock", f"it jumped by {jump_s:.1f} s while it was looked at", remedy)
    else:
        zone = time.strftime("%Z") or "unknown"
        yield ok("clock", f"it says {now:%Y-%m-%d %H:%M} UTC; this machine's zone is {zone}")


def _newest_file(folder: Path, now_s: float) -> tuple[float, str]:
    """By how much a file of the folder is ahead of the clock, and its name."""
    try:
        files = [(path.stat().st_mtime - now_s, path.name) for path in folder.iterdir()]
    except OSError:
        return 0.0, ""
    return max(files, default=(0.0, ""))


def _jump_s() -> float:
    before_s = time.time() - time.monotonic()
    time.sleep(LOOK_S)
    return time.time() - time.monotonic() - before_s
