"""The file of a backup: what is read is what was written, or is refused by name."""

import contextlib
import gzip
import hashlib
import io
import json
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from thingtank.server.backup.package import (
    FORMAT,
    DamagedBackup,
    Manifest,
    NewerBackup,
    Package,
    packed_files,
    write_package,
)

FILES = {
    "secret.key": b"\x01" * 32,
    "directory.sqlite3": b"rows" * 50_000,
    "cold/day=2026-11-23/day-2026-11-23-1.parquet": b"PAR1" + bytes(3_000_000),
    "empty": b"",
}


def nothing(_count: int) -> None:
    pass


class Kept(io.BytesIO):
    """Remembers what was written to it, also when it is closed."""

    content = b""

    def close(self) -> None:
        self.content = self.getvalue()
        super().close()


def written(folder: Path) -> bytes:
    for name, content in FILES.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    manifest = Manifest(FORMAT, "1.2.3", "2026-11-27T06:00:00Z", tuple(packed_files(folder, nothing)))  # fmt: skip
    to = io.BytesIO()
    write_package(folder, manifest, to, nothing)
    return to.getvalue()


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return written(tmp_path_factory.mktemp("parts"))


def read(content: bytes) -> dict[str, bytes]:
    package = Package(io.BytesIO(content))
    targets: dict[str, Kept] = {}

    def open_target(path: str) -> BinaryIO:
        targets[path] = Kept()
        return targets[path]

    package.read(open_target, nothing)
    return {path: target.content for path, target in targets.items()}


def test_what_is_read_is_what_was_written(whole: bytes) -> None:
    assert read(whole) == FILES


def test_any_tar_program_lists_it(whole: bytes) -> None:
    with tarfile.open(fileobj=io.BytesIO(whole)) as tar:
        assert tar.getnames() == ["manifest.json", *sorted(FILES)]
        assert {member.mode for member in tar} == {0o600}


def test_progress_counts_each_byte_once_in_each_pass(tmp_path: Path) -> None:
    total = sum(map(len, FILES.values()))
    content = written(tmp_path)
    counts: list[int] = []
    Package(io.BytesIO(content)).read(lambda _: Kept(), counts.append)
    assert sum(counts) == total


@given(st.floats(0, 1, exclude_max=True))
def test_a_file_that_is_cut_anywhere_is_refused(whole: bytes, part: float) -> None:
    with pytest.raises(DamagedBackup):
        read(whole[: int(len(whole) * part)])


@given(st.floats(0, 1, exclude_max=True), st.integers(1, 255))
def test_a_changed_byte_is_found_or_changes_nothing(whole: bytes, part: float, by: int) -> None:
    changed = bytearray(whole)
    changed[int(len(whole) * part)] ^= by
    with contextlib.suppress(DamagedBackup):
        assert read(bytes(changed)) == FILES  # in gzip's head there is room for what nobody reads


@given(st.binary(max_size=2000))
def test_what_is_no_backup_is_refused(content: bytes) -> None:
    with pytest.raises(DamagedBackup):
        read(content)


def packed(manifest: dict[str, Any] | bytes, members: dict[str, bytes | tarfile.TarInfo]) -> bytes:
    """A file that somebody else has made."""
    to = io.BytesIO()
    head = manifest if isinstance(manifest, bytes) else json.dumps(manifest).encode()
    with gzip.GzipFile(fileobj=to, mode="wb") as zipped, tarfile.open(fileobj=zipped, mode="w|") as tar:  # fmt: skip
        for name, content in {"manifest.json": head, **members}.items():
            if isinstance(content, tarfile.TarInfo):
                tar.addfile(content)
                continue
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return to.getvalue()


def manifest_of(**files: bytes) -> dict[str, Any]:
    listed = [
        {"path": name, "bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
        for name, content in files.items()
    ]
    return {"format": FORMAT, "version": "1", "made_at": "then", "files": listed}


def link(name: str) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.type = tarfile.SYMTYPE
    member.linkname = "/etc/passwd"
    return member


CASES: dict[str, tuple[Callable[[], bytes], str]] = {
    "another sum": (lambda: packed(manifest_of(a=b"one"), {"a": b"two"}), "a in it is damaged"),
    "missing": (lambda: packed(manifest_of(a=b"one"), {}), "a is missing"),
    "one more": (lambda: packed(manifest_of(a=b"one"), {"a": b"one", "b": b"x"}), "more files"),
    "another size": (lambda: packed(manifest_of(a=b"one"), {"a": b"ones"}), "a in it has 4 bytes, and by its manifest 3"),
    "another name": (lambda: packed(manifest_of(a=b"one"), {"b": b"one"}), "has b in place of a"),
    "a link": (lambda: packed(manifest_of(a=b""), {"a": link("a")}), "in place of a"),
    "no manifest": (lambda: packed(b"{}", {}), "its manifest is damaged"),
    "no JSON": (lambda: packed(b"\xff", {}), "its manifest is damaged"),
    **{
        f"to {path}": (lambda path=path: packed(manifest_of(**{path: b"x"}), {path: b"x"}), "names a file")  # type: ignore[misc] # each its own
        for path in ("../x", "/etc/x", "a/../../x", "a//b", ".ssh", "a/.", "a\nb", "")
    },
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_a_backup_that_was_tampered_with_is_refused(case: str) -> None:
    make, words = CASES[case]
    with pytest.raises(DamagedBackup, match=words):
        read(make())


def test_a_newer_format_is_named_with_who_made_it() -> None:
    newer = {"format": FORMAT + 1, "version": "9.8", "something": "else"}
    with pytest.raises(NewerBackup, match=r"9\.8.*use that version or a newer one"):
        read(packed(newer, {}))
