"""The disk: whether there is room on it, and whether it keeps what it says it has."""

import os
import shutil
import statistics
import time
from collections.abc import Iterator
from pathlib import Path

from thingtank.server.doctor.findings import Finding, Patient, ok, problem, warning

ROOM_BYTES_MIN = 200 * 2**20  # the journal and the head of an archive that cannot move
ROOM_BYTES_LOW = 2 * 2**30
ROOM_SHARE_LOW = 0.05
SYNC_COUNT = 8
SYNC_S_SLOW = 0.05
SYNC_S_MAX = 20.0  # in all, on a disk that is at its end
_VOLATILE = frozenset({"tmpfs", "ramfs"})
_REMOTE = frozenset({"nfs", "nfs4", "cifs", "smb3", "9p", "fuse.sshfs", "afs"})


def check_disk(patient: Patient) -> Iterator[Finding]:
    """Room, syncs and the kind of file system."""
    place = _existing(patient.folder)
    yield _room(place)
    yield from _kind(place)
    if patient.folder.is_dir():
        yield _syncs(patient.folder)


def _existing(folder: Path) -> Path:
    place = folder.absolute()
    while not place.exists():
        place = place.parent
    return place


def _room(place: Path) -> Finding:
    usage = shutil.disk_usage(place)
    text = f"{usage.free / 2**30:.1f} GB of {usage.total / 2**30:.1f} GB are free at {place}"
    remedy = "make room, or keep less: `thingtank archive retention`"
    if usage.free < ROOM_BYTES_MIN:
        return problem("disk.room", text, remedy)
    files = os.statvfs(place)
    if files.f_files and files.f_ffree < 1000:
        return problem("disk.room", f"{place} has room for {files.f_ffree} more files only", remedy)
    if usage.free < ROOM_BYTES_LOW and usage.free < usage.total * ROOM_SHARE_LOW:
        return warning("disk.room", text, remedy)
    return ok("disk.room", text)


def _kind(place: Path) -> Iterator[Finding]:
    kind = _file_system_of(place)
    if kind in _VOLATILE:
        yield warning("disk.kind", f"{place} is in memory ({kind}): all is lost with the power",
                      "choose a folder on a disk with --data")  # fmt: skip
    elif kind in _REMOTE:
        yield warning(
            "disk.kind",
            f"{place} is on another machine ({kind}), where locks and syncs may not hold",
            "choose a folder on a disk of this machine with --data",
        )
    elif kind:
        yield ok("disk.kind", f"{place} is on {kind}")


def _file_system_of(place: Path) -> str:
    """The kind of file system, as /proc/mounts says; blank where nobody says."""
    try:
        lines = Path("/proc/mounts").read_text(errors="replace").splitlines()
    except OSError:
        return ""
    best, kind = -1, ""
    resolved = place.resolve()
    for line in lines:
        _, mount, name, *_ = line.split(" ")
        path = Path(mount.replace("\\040", " "))
        if resolved.is_relative_to(path) and len(path.parts) >= best:
            best, kind = len(path.parts), name
    return kind


def _syncs(folder: Path) -> Finding:
    path = folder / ".doctor"
    try:
        median_s = statistics.median(_sync_times_s(path))
    except OSError as error:
        return problem(
            "disk.sync",
            f"{folder} cannot be written to: {error.strerror}",
            "mount it for writing, or see what the kernel's log says of the disk",
        )
    finally:
        path.unlink(missing_ok=True) if os.access(folder, os.W_OK) else None
    text = f"a write is on disk in {median_s * 1000:.1f} ms (fdatasync, the median of some)"
    if median_s > SYNC_S_SLOW:
        return warning("disk.sync", f"{text}; each device waits for that",
                       "choose a faster disk: an SSD takes a millisecond")  # fmt: skip
    return ok("disk.sync", text)


def _sync_times_s(path: Path) -> Iterator[float]:
    end_s = time.monotonic() + SYNC_S_MAX
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        for _ in range(SYNC_COUNT):
            began_s = time.monotonic()
            os.write(descriptor, bytes(4096))
            os.fdatasync(descriptor)
            yield time.monotonic() - began_s
            if time.monotonic() > end_s:
                return
    finally:
        os.close(descriptor)
