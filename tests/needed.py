"""What tests need from outside the project: skipped without it, and failed in CI."""

import os
import shutil
from pathlib import Path

import pytest

NODE = Path(__file__).parent / "interop" / "node"


def needed_program(name: str) -> str:
    """Where a program is; Debian has servers where only root's PATH goes."""
    found = shutil.which(name, path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin")
    if found is None:
        _miss(f"{name} is not installed")
    assert found is not None, "missing it does not return"
    return found


def find_chromium() -> str | None:
    """Where Chromium is: what CHROMIUM names, or without windows, which is twice as quick, or whole."""
    names = ("chromium-headless-shell", "chromium", "chromium-browser")
    return os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, names)), None)


def needed_file(path: Path) -> Path:
    """A file that `make dev` (`tools/setup.sh`) puts where it is."""
    if not path.exists():
        _miss(f"{path.name} is missing; run: make test")
    return path


def node_package(name: str) -> Path:
    """The folder of a package that `npm ci` has installed."""
    return needed_file(NODE / "node_modules" / name / "package.json").parent


def _miss(reason: str) -> None:
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


def run_folder(factory: pytest.TempPathFactory) -> Path:
    """A folder that all workers of this run have in common."""
    own = factory.getbasetemp()
    return own.parent if "PYTEST_XDIST_WORKER" in os.environ else own
