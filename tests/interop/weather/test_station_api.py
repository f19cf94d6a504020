"""The Station REST API answers the book's own curl lines (box 8.22)."""

import re
import shlex
import subprocess

from tests.interop.weather.conftest import PASSWORD, READING, Weather
from tests.needed import needed_program

# Box 8.22, with the braces and quotes that the print has lost.
POST = """curl -i -H "Content-Type: application/json" -H "Accept:application/json; indent=4" -X POST -d '{"name": "CityName", "timestamp": "1393926310", "temperature": "28", "lat": "30.733315", "lon": "76.779418"}' -u arshdeep http://127.0.0.1:8000/station/"""
GET_ALL = (
    """curl -i -H "Accept: application/json; indent=4" -u arshdeep http://127.0.0.1:8000/station/"""
)
GET_ONE = """curl -i -H "Accept: application/json; indent=4" -u arshdeep http://127.0.0.1:8000/station/1/"""
PUT = """curl -i -H "Content-Type: application/json" -H "Accept: application/json; indent=4" -X PUT -d '{"name": "CityName", "timestamp": "1393926310", "temperature": "29", "lat": "30.733315", "lon": "76.779418"}' -u arshdeep http://127.0.0.1:8000/station/1/"""
DELETE = """curl -i -X DELETE -H "Accept: application/json; indent=4" -u arshdeep http://127.0.0.1:8000/station/2/"""


def curl(line: str, weather: Weather) -> tuple[str, dict[str, str], str]:
    """Run a line as a shell would; curl asks for the password. Status line, headers, body."""
    needed_program("curl")
    words = shlex.split(line.replace("http://127.0.0.1:8000", weather.url))
    done = subprocess.run(
        words,
        input=PASSWORD + "\n",
        capture_output=True,
        text=True,
        timeout=20,
        check=True,
        start_new_session=True,  # without a terminal it reads the password from here
    )
    assert "Enter host password for user 'arshdeep':" in done.stderr
    head, _, body = done.stdout.replace("\r\n", "\n").partition("\n\n")
    status, *lines = head.split("\n")
    return status, dict(line.lower().split(": ", 1) for line in lines), body


def indented(url: str, **changes: str) -> str:
    values = {"url": url, **READING, **changes}
    lines = ",\n".join(f'    "{name}": "{value}"' for name, value in values.items())
    return f"{{\n{lines}\n}}"


def test_the_books_curl_lines_are_answered_as_in_the_book(weather: Weather) -> None:
    status, headers, body = curl(POST, weather)
    assert status == "HTTP/1.1 201 Created"
    assert headers["content-type"] == "application/json; indent=4"
    assert headers["allow"] == "get, post, head, options"
    assert headers["vary"] == "accept, cookie"
    first, second = headers["location"], curl(POST, weather)[1]["location"]
    assert re.fullmatch(rf"{weather.url}/station/\d+/", first)
    assert body == indented(first)
    status, _, body = curl(GET_ALL, weather)
    assert status == "HTTP/1.1 200 OK"
    start = r'\{\n    "count": \d+,\n    "next": .*,\n    "previous": null,\n    "results": \[\n'
    assert re.match(start, body)
    first_path, second_path = (url.removeprefix(weather.url) for url in (first, second))
    get_one, put = (line.replace("/station/1/", first_path) for line in (GET_ONE, PUT))
    assert curl(get_one, weather)[2] == indented(first)
    status, headers, body = curl(put, weather)
    assert (status, body) == ("HTTP/1.1 200 OK", indented(first, temperature="29"))
    assert headers["allow"] == "get, put, patch, delete, head, options"
    status, headers, body = curl(DELETE.replace("/station/2/", second_path), weather)
    assert (status, body) == ("HTTP/1.1 204 No Content", "")
