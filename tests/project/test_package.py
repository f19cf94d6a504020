"""What `pip install .` installs: the code with all that its pages need."""

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src"


@pytest.fixture(scope="module")
def names(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    folder = tmp_path_factory.mktemp("wheel")
    copy = folder / "copy"  # a build leaves its traces where the source is
    copy.mkdir()
    for name in ("pyproject.toml", "README.md"):
        shutil.copy(ROOT / name, copy)
    shutil.copytree(SOURCE, copy / "src", ignore=shutil.ignore_patterns("*.egg-info", "*.pyc"))
    command = [sys.executable, "-m", "pip", "wheel", str(copy), "--quiet", "--no-deps"]
    command += ["--no-build-isolation", "--no-index", "--wheel-dir", str(folder)]
    subprocess.run(command, check=True, timeout=120, capture_output=True)
    (wheel,) = folder.glob("thingtank-*.whl")
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


def test_the_wheel_holds_every_file_of_the_package(names: set[str]) -> None:
    files = {
        path.relative_to(SOURCE).as_posix()
        for path in (SOURCE / "thingtank").rglob("*")
        if path.is_file() and path.suffix not in (".pyc", ".pyo")
    }
    assert len(files) > 150
    assert files - names == set()


def test_the_wheel_makes_the_command(names: set[str]) -> None:
    assert any(name.endswith(".dist-info/entry_points.txt") for name in names)


def test_the_wheel_holds_nothing_else(names: set[str]) -> None:
    tops = {name.split("/")[0] for name in names}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"thingtank"}
