"""What the doctor finds, and what its checks look at."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from enum import StrEnum
from pathlib import Path

import msgspec

from thingtank.net.origins import is_loopback
from thingtank.server.config import Config
from thingtank.server.rule_troubles import RuleTrouble


class Level(StrEnum):
    """How bad it is."""

    OK = "ok"
    WARNING = "warning"
    PROBLEM = "problem"


class Finding(msgspec.Struct, frozen=True):
    """One line of the doctor's.

    Attributes:
        name: what was looked at, such as `disk.room`; the same from one version to the next.
        text: what is so.
        remedy: what to do about it; blank where all is well.
    """

    name: str
    level: Level
    text: str
    remedy: str = ""


class Patient(msgspec.Struct, frozen=True):
    """What is looked at.

    Attributes:
        folder: the data folder, which may not be there yet.
        file: of settings, which need not be there.
        sources: where settings that are no defaults came from, by name.
        addresses: of the doors of the server that runs on the folder; None while none does.
        checks: that server's own checks of its readiness.
        damage: what it finds wrong with its archive's files.
        rules: its rules of sinks and sources that do not work.
    """

    folder: Path
    file: Path
    config: Config
    sources: Mapping[str, str] = {}
    environment: Mapping[str, str] = {}
    addresses: tuple[str, ...] | None = None
    checks: Mapping[str, bool] = {}
    damage: Sequence[str] = ()
    rules: Sequence[RuleTrouble] = ()

    @property
    def is_running(self) -> bool:
        """Whether a server runs on the folder."""
        return self.addresses is not None

    @property
    def is_public(self) -> bool:
        """Whether other machines may reach its doors."""
        return not is_loopback(self.config.server.host)


Check = Callable[[Patient], Iterator[Finding]]


def ok(name: str, text: str) -> Finding:
    """All is well."""
    return Finding(name, Level.OK, text)


def warning(name: str, text: str, remedy: str) -> Finding:
    """It works, and may not always, or not as well."""
    return Finding(name, Level.WARNING, text, remedy)


def problem(name: str, text: str, remedy: str) -> Finding:
    """It does not work, or is not safe."""
    return Finding(name, Level.PROBLEM, text, remedy)
