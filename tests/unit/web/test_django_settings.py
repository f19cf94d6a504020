"""Pages may load what the settings name, and nothing else."""

import pytest

from thingtank.web.database.url import SQLITE, Database
from thingtank.web.django_settings import django_settings_of
from thingtank.web.web_settings import WebSettings

DATABASE = Database(SQLITE, "", {})


@pytest.mark.parametrize(
    ("tiles_url", "sources"),
    [
        ("", ["'self'", "data:"]),
        ("https://tiles.example/{z}/{x}/{y}.png", ["'self'", "data:", "https://tiles.example"]),
        ("http://127.0.0.1:8070/{z}/{x}/{y}", ["'self'", "data:", "http://127.0.0.1:8070"]),
    ],
)
def test_pictures_may_also_come_from_the_tile_server(tiles_url: str, sources: list[str]) -> None:
    settings = WebSettings(map_tiles_url=tiles_url)
    policy = django_settings_of(settings, DATABASE, bytes(32))["CONTENT_SECURITY_POLICY"]
    assert policy["DIRECTIVES"]["img-src"] == sources
    assert policy["DIRECTIVES"]["default-src"] == ["'self'"]
