"""What is heavy and rare is not loaded with the first page."""

import subprocess
import sys
from pathlib import Path

LINKS = """
import sys
from pathlib import Path
from thingtank.web.setup import configure
from thingtank.web.web_settings import WebSettings

configure(WebSettings(), Path(sys.argv[1]), bytes(32))

from django.template.loader import get_template
from django.urls import Resolver404, resolve, reverse

assert reverse("accounts:sign_in") == "/sign-in"
assert resolve("/weather/").view_name == "weather:home"
try:
    resolve("/stations-elsewhere")
except Resolver404:
    pass
get_template("weather/index.html")
import thingtank.server.assemble
import thingtank.web.api.bulk
assert "rest_framework" not in sys.modules
assert "drf_spectacular" not in sys.modules
assert resolve("/station/5/").view_name == "rest:station-detail"
assert reverse("rest:station-detail", args=[5]) == "/station/5/"
assert resolve("/station.json").view_name == "rest:station-list"
assert "drf_spectacular" not in sys.modules
assert resolve("/api/devices/5").view_name == "api:device"
assert reverse("api:device", args=[5]) == "/api/devices/5"
assert resolve("/home/").view_name == "rest:home"
"""


def test_rest_framework_is_loaded_with_its_first_page(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", LINKS, tmp_path], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
