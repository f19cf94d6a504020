"""python-eeml 4.1.0 of 2013, the XML client of PyPI, unmodified, and lxml as the reader of answers.

The package is written for Python 2 and asks in its own `setup.py` to be converted when it is
installed; only setuptools up to 57 does so, and only on Python 3.11. `tools/setup.sh` installs both
into `.venv-eeml`. `Cosm.host` says where to go.
"""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import requests
from tests.interop.conftest import OpenDoor
from tests.needed import needed_file

pytestmark = pytest.mark.skipif(
    sys.version_info[:2] != (3, 11), reason="python-eeml's own installation needs Python 3.11"
)
WAIT_S_MAX = 30.0
ROOT = Path(__file__).parents[2]
FOLDER = Path(__file__).parent / "eeml"


def run(*words: str, document: bytes = b"") -> dict[str, Any]:
    python = needed_file(ROOT / ".venv-eeml" / "bin" / "python")
    needed_file(ROOT / ".venv-eeml" / ".installed")
    command = [str(python), str(FOLDER / "client.py"), *words]
    done = subprocess.run(
        command, input=document, capture_output=True, timeout=WAIT_S_MAX, check=False
    )
    assert done.returncode == 0, done.stderr.decode()
    printed: dict[str, Any] = json.loads(done.stdout)
    return printed


def put(door: OpenDoor, url: str = "", key: str = "", **plan: object) -> dict[str, Any]:
    url = url or str(door.feed_id)
    return run("put", door.address, key or door.device_key, url, json.dumps(plan))


def read(door: OpenDoor, path: str = "", extension: str = "json", query: str = "") -> bytes:
    url = f"http://{door.address}/v2/feeds/{door.feed_id}{path}.{extension}{query}"
    return requests.get(url, headers={"X-ApiKey": door.device_key}, timeout=10).content


ENVIRONMENT = {
    "title": "Büro <&> “Nord”",
    "description": "On the roof",
    "website": "http://example.org/?a=1&b=2",
    "email": "a@example.org",
    "private": False,
    "status": "live",
    "creator": "somebody else",
    "id_": 7,
}
LOCATION = {
    "domain": "physical", "name": "roof", "lat": 32.4, "lon": -22.7, "ele": 0.2,
    "exposure": "indoor", "disposition": "fixed",
}  # fmt: skip
DATA = [
    {"id_": 0, "value": 36.2, "unit": "Celsius", "tags": ["a", "b"], "at": "2026-11-26T13:00:00", "minValue": 1, "maxValue": 50.5},
    {"id_": 1, "value": "48", "unit": "RH"},
    {"id_": 2, "points": [(1, "2026-11-26T12:00:00"), ("two", "2026-11-26T12:01:00.25")]},
]  # fmt: skip


def test_a_whole_environment_is_put_and_read_as_json(xively_door: OpenDoor) -> None:
    done = put(xively_door, environment=ENVIRONMENT, location=LOCATION, data=DATA)
    assert done["error"] is None
    feed = json.loads(read(xively_door))
    assert feed["id"] == xively_door.feed_id  # what the document says of the id does not count
    for name in ("title", "description", "website", "email"):
        assert feed[name] == ENVIRONMENT[name]
    assert feed["private"] == "false"
    assert feed["location"] == {**LOCATION, "ele": "0.2"}
    zero, one, two = feed["datastreams"]
    assert zero == {
        "id": "0", "current_value": "36.2", "at": "2026-11-26T13:00:00.000000Z",
        "max_value": "50.5", "min_value": "1.0", "tags": ["a", "b"],
        "unit": {"type": "derivedSI", "symbol": "°C", "label": "Celsius"},
    }  # fmt: skip
    assert (one["current_value"], one["unit"]["label"]) == ("48", "Relative Humidity")
    assert (two["current_value"], two["at"]) == ("two", "2026-11-26T12:01:00.250000Z")


def test_values_without_a_time_are_from_now_and_the_rest_of_the_feed_stays(
    xively_door: OpenDoor,
) -> None:
    put(xively_door, environment=ENVIRONMENT, location=LOCATION, data=DATA)
    assert put(xively_door, data=[{"id_": 1, "value": 49}])["error"] is None
    feed = json.loads(read(xively_door))
    assert (feed["title"], feed["location"]["name"]) == (ENVIRONMENT["title"], "roof")
    assert [stream["current_value"] for stream in feed["datastreams"]] == ["36.2", "49", "two"]
    assert feed["status"] == "live"


def test_the_api_v1_replaces_the_datastreams(xively_door: OpenDoor) -> None:
    put(xively_door, data=DATA)
    url = f"/v1/feeds/{xively_door.feed_id}.xml"
    assert put(xively_door, url, data=[{"id_": 5, "value": 7}])["error"] is None
    feed = json.loads(read(xively_door))
    assert [stream["id"] for stream in feed["datastreams"]] == ["5"]


REFUSED = [
    ("a wrong key", {"key": "wrong"}, "Unauthorized: You must supply a valid API key"),
    ("no such feed", {"url": "99999999"}, "Not found: There is no feed 99999999"),
    ("a value too long", {"data": [{"id_": 0, "value": "x" * 256}]}, "Unprocessable Entity: Current value is too long (maximum is 255 characters)"),
    ("a blank title", {"environment": {"title": ""}}, "Unprocessable Entity: Title can't be blank"),
]  # fmt: skip


@pytest.mark.parametrize(("plan", "message"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED])  # fmt: skip
def test_the_client_shows_title_and_text_of_a_refusal(
    xively_door: OpenDoor, plan: dict[str, Any], message: str
) -> None:
    assert put(xively_door, **plan)["error"] == message


ANSWERS = [
    ("a feed", "", ""),
    ("a feed with its user", "", "?show_user=true"),
    ("history of a feed", "", "?start=2026-11-26T11:30:00Z&duration=2hours"),
    ("a datastream", "/datastreams/0", ""),
    ("history of a datastream", "/datastreams/2", "?start=2026-11-26T11:30:00Z&duration=1hour&function=sum"),
]  # fmt: skip


@pytest.mark.parametrize(("path", "query"), [row[1:] for row in ANSWERS], ids=[row[0] for row in ANSWERS])  # fmt: skip
def test_answers_are_valid_eeml_to_lxml(xively_door: OpenDoor, path: str, query: str) -> None:
    put(xively_door, environment=ENVIRONMENT, location=LOCATION, data=DATA)
    document = read(xively_door, path, "xml", query)
    found = run("validate", str(FOLDER / "eeml-0.5.1.rng"), document=document)
    assert found["problems"] == []
    if not path:
        assert found["texts"]["environment/title"] == ENVIRONMENT["title"]
        assert found["texts"]["environment/location/lon"] == "-22.7"
        assert found["texts"]["environment/data[1]/unit"] == "Celsius"


def test_bare_and_listed_feeds_are_valid_eeml_to_lxml(xively_door: OpenDoor) -> None:
    url = f"http://{xively_door.address}/v2/feeds"
    headers = {"X-ApiKey": xively_door.master_key}
    # A provisioned feed also says its product, which the schema does not know yet: one without.
    feed = {"title": "Bare", "tags": ["eeml"], "datastreams": [{"id": "t", "current_value": "1"}]}
    made = requests.post(url, json=feed, headers=headers, timeout=10).headers["Location"]
    for address in (f"{made}.xml", f"{url}.xml?tag=eeml"):
        document = requests.get(address, headers=headers, timeout=10).content
        assert b"Bare" in document
        found = run("validate", str(FOLDER / "eeml-0.5.1.rng"), document=document)
        assert found["problems"] == []


def test_what_is_no_eeml_is_not_valid() -> None:
    """The check above can fail."""
    document = b'<eeml xmlns="http://www.eeml.org/xsd/0.5.1" version="0.5.1"><environment/></eeml>'
    assert run("validate", str(FOLDER / "eeml-0.5.1.rng"), document=document)["problems"]
