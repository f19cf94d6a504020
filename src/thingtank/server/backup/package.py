"""The file of a backup: a compressed tar whose first member, `manifest.json`, tells of the others.

tar and gzip, so that one can look into it with what every system has.
"""

import gzip
import hashlib
import io
import re
import tarfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

import msgspec

FORMAT = 1
MANIFEST = "manifest.json"
MANIFEST_BYTES_MAX = 64 * 2**20  # some hundred thousand files
CHUNK_BYTES = 2**20
GZIP_LEVEL = 1  # most of a large archive is compressed already

_NAME = r"[^./\\\x00-\x1f\x7f][^/\\\x00-\x1f\x7f]*"
_PATH = re.compile(rf"(?:{_NAME}/){{0,4}}{_NAME}")

Progress = Callable[[int], None]  # told of bytes that are done


class DamagedBackup(Exception):
    """A file is no backup, not a whole one, or not what it was. The message says which."""


class NewerBackup(DamagedBackup):
    """A backup of a format that is not known yet."""


class PackedFile(msgspec.Struct, frozen=True):
    """One file.

    Attributes:
        path: below the data folder.
        sha256: of what is in it, in hexadecimal.
    """

    path: str
    bytes: int
    sha256: str


class Manifest(msgspec.Struct, frozen=True):
    """What is in a backup.

    Attributes:
        format: of the backup, FORMAT or less.
        version: of the Thing Tank that made it.
        made_at: ISO 8601 in UTC.
        database: the kind of the database outside of the folder that kept the directory, which is
            not in the backup; blank where the directory is.
        cold: the bucket that has files of the archive which are not in the backup; blank without.
    """

    format: int
    version: str
    made_at: str
    files: tuple[PackedFile, ...]
    database: str = ""
    cold: str = ""

    @property
    def bytes(self) -> int:
        """Of all files."""
        return sum(file.bytes for file in self.files)


def may_hold(path: str) -> bool:
    """Whether a file may be in a backup; one that hides, or leads elsewhere, may not."""
    return _PATH.fullmatch(path) is not None


def packed_files(folder: Path, progress: Progress) -> Iterator[PackedFile]:
    """All files of a folder with their sizes and sums."""
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        digest, size_bytes = hashlib.sha256(), 0
        with path.open("rb") as file:
            while chunk := file.read(CHUNK_BYTES):
                digest.update(chunk)
                size_bytes += len(chunk)
                progress(len(chunk))
        name = path.relative_to(folder).as_posix()
        yield PackedFile(name, size_bytes, digest.hexdigest())


def write_package(folder: Path, manifest: Manifest, to: BinaryIO, progress: Progress) -> None:
    """Write the files that a manifest names.

    Raises:
        OSError: of the disk.
    """
    content = msgspec.json.format(msgspec.json.encode(manifest), indent=1)
    with (
        gzip.GzipFile("", "wb", GZIP_LEVEL, to, mtime=0) as zipped,
        tarfile.open(fileobj=zipped, mode="w|") as tar,
    ):
        tar.addfile(_member(MANIFEST, len(content)), io.BytesIO(content))
        for file in manifest.files:
            with (folder / file.path).open("rb") as source:
                tar.addfile(_member(file.path, file.bytes), _Counted(source, progress))


def _member(name: str, size_bytes: int) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.size = size_bytes
    member.mode = 0o600
    return member


class _Counted(io.RawIOBase):
    """Tells how much was read of a file."""

    def __init__(self, file: BinaryIO, progress: Progress) -> None:
        self._file = file
        self._progress = progress

    def read(self, size: int = -1) -> bytes:
        data = self._file.read(size)
        self._progress(len(data))
        return data


class Package:
    """A backup as it is read, from its beginning to its end.

    Attributes:
        manifest: read already.
    """

    def __init__(self, file: BinaryIO) -> None:
        """Read the manifest.

        Raises:
            DamagedBackup.
        """
        try:
            self._zipped = gzip.GzipFile(fileobj=file, mode="rb")
            self._tar = tarfile.open(fileobj=self._zipped, mode="r|")  # noqa: SIM115 - read on later
        except _UNREADABLE as error:
            raise DamagedBackup("it is no backup of Thing Tank") from error
        self.manifest = self._read_manifest()

    def _read_manifest(self) -> Manifest:
        try:
            member = self._tar.next()
            if member is None or member.name != MANIFEST or member.size > MANIFEST_BYTES_MAX:
                raise DamagedBackup("it is no backup of Thing Tank")
            file = self._tar.extractfile(member)
            content = file.read() if file is not None else b""
        except _UNREADABLE as error:
            raise DamagedBackup(f"it is damaged: {error}") from error
        try:
            form = msgspec.json.decode(content, type=_Form)
            if form.format > FORMAT:
                raise NewerBackup(
                    f"Thing Tank {form.version} has made it, in a newer format ({form.format});"
                    " use that version or a newer one"
                )
            manifest = msgspec.json.decode(content, type=Manifest)
        except msgspec.DecodeError as error:
            raise DamagedBackup(f"its manifest is damaged: {error}") from error
        for packed in manifest.files:
            if not may_hold(packed.path):
                raise DamagedBackup(f"it names a file that no backup has: {packed.path!r}")
        return manifest

    def read(self, open_target: Callable[[str], BinaryIO], progress: Progress) -> None:
        """Read all files to the end, and compare them with the manifest.

        Args:
            open_target: opens what takes a file's content, by the file's path.

        Raises:
            DamagedBackup: something is missing, or not what it was.
            OSError: of the targets.
        """
        for packed in self.manifest.files:
            self._read_file(packed, open_target, progress)
        try:
            if self._tar.next() is not None:
                raise DamagedBackup("it has more files than its manifest names")
            while self._zipped.read(CHUNK_BYTES):  # what is behind, up to the last sum
                pass
        except _UNREADABLE as error:
            raise DamagedBackup(f"it is damaged at its end: {error}") from error

    def _read_file(
        self, packed: PackedFile, open_target: Callable[[str], BinaryIO], progress: Progress
    ) -> None:
        digest = hashlib.sha256()
        with open_target(packed.path) as target:
            for chunk in self._chunks(packed):
                digest.update(chunk)
                target.write(chunk)
                progress(len(chunk))
        if digest.hexdigest() != packed.sha256:
            raise DamagedBackup(f"{packed.path} in it is damaged: its sum is another")

    def _chunks(self, packed: PackedFile) -> Iterator[bytes]:
        try:
            member = self._tar.next()
            if member is None:
                raise DamagedBackup(f"it is not whole: {packed.path} is missing")
            if member.name == packed.path and member.size != packed.bytes:
                raise DamagedBackup(
                    f"{packed.path} in it has {member.size} bytes,"
                    f" and by its manifest {packed.bytes}"
                )
            if not member.isreg() or member.name != packed.path:
                raise DamagedBackup(f"it has {member.name} in place of {packed.path}")
            file = self._tar.extractfile(member)
            assert file is not None, "a regular file"
            while chunk := file.read(CHUNK_BYTES):
                yield chunk
        except _UNREADABLE as error:
            raise DamagedBackup(f"it is damaged at {packed.path}: {error}") from error


class _Form(msgspec.Struct):
    """What manifests of all formats have."""

    format: int
    version: str = ""


_UNREADABLE = (EOFError, gzip.BadGzipFile, tarfile.TarError, zlib.error)
