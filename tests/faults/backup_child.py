"""A backup or a restore that kills itself when it has come so far.

python backup_child.py backup DATA TARGET PART     PART: of all bytes
python backup_child.py restore FILE TARGET PART    or `moving N`: before the Nth thing gets its place
"""

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path


def kill() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def killing_after(count_max: float) -> Callable[[int], None]:
    done = 0

    def progress(count: int) -> None:
        nonlocal done
        done += count
        if done >= count_max:
            kill()

    return progress


def back_up(data: Path, target: Path, part: float) -> None:
    from thingtank.cli.session import Session
    from thingtank.server.backup.making import make_manifest, pack
    from thingtank.server.backup.parts import Copied, parts_of

    with Session(data) as session, parts_of(data) as parts:
        session.call("backup.copy")
        manifest = make_manifest(parts, Copied(), lambda count: None)
        pack(parts, manifest, target, killing_after(part * manifest.bytes))


def restore_some(file: Path, target: Path, part: str) -> None:
    from thingtank.server.backup.package import Package
    from thingtank.server.backup.restoring import restore

    word, _, number = part.rpartition(" ")
    with file.open("rb") as source:
        package = Package(source)
        if word == "moving":
            kill_at_rename(int(number))
            restore(package, target, lambda count: None)
        else:
            restore(package, target, killing_after(float(number) * package.manifest.bytes))


def kill_at_rename(number: int) -> None:
    real, left = Path.rename, number

    def rename(self: Path, target: Path) -> Path:
        nonlocal left
        left -= 1
        if not left:
            kill()
        return real(self, target)

    Path.rename = rename  # type: ignore[method-assign] # to see each step


if __name__ == "__main__":
    what, first, second, part = sys.argv[1:]
    if what == "backup":
        back_up(Path(first), Path(second), float(part))
    else:
        restore_some(Path(first), Path(second), part)
