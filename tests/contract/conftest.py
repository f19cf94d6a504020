"""One database for all contract tests: Django can be set up only once in a process."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from thingtank.web.setup import configure, migrate
from thingtank.web.web_settings import WebSettings

SECRET = bytes(range(32))


@pytest.fixture(scope="session")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a database with all tables; each test empties those it uses."""
    folder = tmp_path_factory.mktemp("directory")
    configure(WebSettings(), folder, SECRET)
    migrate()
    return folder


@pytest.fixture
def blocking_calls(database: Path) -> Iterator[None]:
    """Lets a test use Django's tables in the loop's thread, which Django refuses by default."""
    from django.db import connection

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "1")
        yield
        connection.close()
