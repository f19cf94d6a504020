"""examples/weather_project, the Django project of sections 8.4 and 8.5, as its reader runs it."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from tests.database_servers import PASSWORD, USER, run_folder, shared_server

PROJECT = Path(__file__).parents[3] / "examples" / "weather_project"
RUN_S_MAX = 60


def run(folder: Path, *words: str, **environment: str) -> str:
    done = subprocess.run(
        [sys.executable, "-W", "error", *words],
        cwd=folder,
        env={**os.environ, "DJANGO_SETTINGS_MODULE": "", **environment},
        capture_output=True,
        text=True,
        timeout=RUN_S_MAX,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "weather_project"
    shutil.copytree(PROJECT, folder, ignore=shutil.ignore_patterns("__pycache__", "db.sqlite3"))
    return folder


def test_its_own_tests_pass_and_its_tables_are_made(project: Path) -> None:
    settings = {"DJANGO_SETTINGS_MODULE": "weatherstation.settings"}
    assert "Ran 3 tests" in run(project, "manage.py", "test", **settings)
    assert "myapp.0001_initial... OK" in run(project, "manage.py", "migrate", **settings)
    asked = run(project, "manage.py", "makemigrations", "--check", "--dry-run", **settings)
    assert "No changes detected" in asked


def test_it_has_the_files_that_django_makes(tmp_path: Path) -> None:
    run(tmp_path, "-m", "django", "startproject", "weatherstation", ".")
    run(tmp_path, "-m", "django", "startapp", "myapp")
    made = {path.relative_to(tmp_path) for path in tmp_path.rglob("*.py")}
    of_servers = {Path("weatherstation/asgi.py"), Path("weatherstation/wsgi.py")}
    assert {path for path in made - of_servers if not (PROJECT / path).exists()} == set()


def test_it_may_keep_its_data_in_mysql(project: Path) -> None:
    code = "from weatherstation.settings import DATABASES; print(DATABASES['default'])"
    place = {"DB_NAME": "weather", "DB_USER": "root", "DB_PASSWORD": "mypassword"}
    printed = run(project, "-c", code, WEATHER_DATABASE="mysql", **place)
    for said in ("'django.db.backends.mysql'", "'weather'", "'root'", "'mypassword'"):
        assert said in printed


def test_its_own_tests_pass_and_its_tables_are_made_in_mariadb(
    project: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    with shared_server("mariadb", run_folder(tmp_path_factory)) as server:
        settings = {
            "DJANGO_SETTINGS_MODULE": "weatherstation.settings",
            "WEATHER_DATABASE": "mysql",
            "DB_NAME": server.new_database(),
            "DB_USER": USER,
            "DB_PASSWORD": PASSWORD,
            "DB_HOST": "127.0.0.1",
            "DB_PORT": str(server.port),
        }
        assert "Ran 3 tests" in run(project, "manage.py", "test", **settings)
        assert "myapp.0001_initial... OK" in run(project, "manage.py", "migrate", **settings)
