"""The Station REST API of the book's boxes 8.17 to 8.22, with the book's own curl lines."""

import re
import shlex
import subprocess

import pytest
import requests
from tests.interop.weather.conftest import ADMIN, PASSWORD, READING, Weather, as_admin, csrf_of
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


def test_a_list_has_ten_a_page(weather: Weather) -> None:
    for number in range(12):
        made = as_admin(weather, "POST", "/station/", json={**READING, "temperature": str(number)})
        assert made.status_code == 201
    first = as_admin(weather, "GET", "/station/").json()
    assert len(first["results"]) == 10
    assert (first["next"], first["previous"]) == (f"{weather.url}/station/?page=2", None)
    second = as_admin(weather, "GET", "/station/?page=2").json()
    assert (second["next"], second["previous"]) == (None, f"{weather.url}/station/")
    assert second["results"][-1]["temperature"] == "11"
    assert as_admin(weather, "GET", "/station/?page=3").status_code == 404
    shown = weather.admin.get(f"{weather.url}/home/", timeout=20)
    assert '<p class="weather__temperature" id="temperature">11<' in shown.text
    assert "CityName" in shown.text


def test_a_part_is_changed_alone(weather: Weather) -> None:
    url = as_admin(weather, "POST", "/station/", json=READING).json()["url"]
    path = url.removeprefix(weather.url)
    changed = as_admin(weather, "PATCH", path, json={"temperature": -3.5})
    assert changed.json() == {"url": url, **READING, "temperature": "-3.5"}
    form = as_admin(weather, "PATCH", path, data={"name": "Elsewhere"})
    assert (form.status_code, form.json()["name"]) == (200, "Elsewhere")
    assert as_admin(weather, "PUT", path, json={"name": "x"}).status_code == 400


REFUSED = [
    ("temperature", "warm", "It must be a number."),
    ("temperature", "nan", "It must be a number."),
    ("temperature", "1e999", "It must be a number."),
    ("temperature", True, "Not a valid string."),
    ("lat", "90.1", "It must be within -90 and 90."),
    ("lon", -181, "It must be within -180 and 180."),
    ("timestamp", "yesterday", "It must be Unix seconds or a time such as 2014-03-04T09:45:10Z."),
    (
        "timestamp",
        "999999999999",
        "It must be Unix seconds or a time such as 2014-03-04T09:45:10Z.",
    ),
    ("name", "", "This field may not be blank."),
    ("name", "x" * 256, "Ensure this field has no more than 255 characters."),
    ("name", "a\x00b", "Null characters are not allowed."),
    ("name", "\ud800", "Surrogate characters are not allowed: U+D800."),
]


@pytest.mark.parametrize(("name", "value", "why"), REFUSED)
def test_nonsense_is_refused_by_name(weather: Weather, name: str, value: object, why: str) -> None:
    answer = as_admin(weather, "POST", "/station/", json={**READING, name: value})
    assert (answer.status_code, answer.json()) == (400, {name: [why]})


def test_what_is_no_json_and_what_is_not_there_is_refused(weather: Weather) -> None:
    headers = {"Content-Type": "application/json"}
    assert as_admin(weather, "POST", "/station/", data=b"{", headers=headers).status_code == 400
    headers = {"Content-Type": "application/xml"}
    assert as_admin(weather, "POST", "/station/", data=b"<a/>", headers=headers).status_code == 415
    assert as_admin(weather, "DELETE", "/station/").status_code == 405
    headers = {"Accept": "application/xml"}
    assert as_admin(weather, "GET", "/station/", headers=headers).status_code == 406
    for path in ("999999", "0", "999999999999999999", "9" * 30, "x", "-1"):
        assert as_admin(weather, "GET", f"/station/{path}/").status_code == 404


def test_only_admins_may_use_it(weather: Weather) -> None:
    url = f"{weather.url}/station/"
    stranger = requests.get(url, timeout=20)
    assert (stranger.status_code, stranger.headers["www-authenticate"]) == (
        401,
        'Basic realm="Thing Tank"',
    )
    assert requests.post(url, json=READING, timeout=20).status_code == 401
    assert requests.get(url, auth=(ADMIN, "wrong"), timeout=20).status_code == 401
    assert requests.get(url, auth=("reader", PASSWORD), timeout=20).status_code == 403
    assert weather.other.get(url, timeout=20).status_code == 403
    assert weather.other.get(f"{weather.url}/home/", timeout=20).status_code == 403
    token = {"X-CSRFToken": csrf_of(weather.other)}
    assert weather.other.post(url, json=READING, headers=token, timeout=20).status_code == 403


def test_a_password_that_was_changed_is_right_no_more(weather: Weather) -> None:
    url = f"{weather.url}/station/"
    weather.server.command("user", "create", "second", "--admin", "--password", PASSWORD)
    for _ in range(2):
        assert requests.get(url, auth=("second", PASSWORD), timeout=20).status_code == 200
    weather.server.command("user", "password", "second", "--password", PASSWORD + "!")
    assert requests.get(url, auth=("second", PASSWORD), timeout=20).status_code == 401
    assert requests.get(url, auth=("second", PASSWORD + "!"), timeout=20).status_code == 200
    weather.server.command("user", "disable", "second")
    assert requests.get(url, auth=("second", PASSWORD + "!"), timeout=20).status_code == 401


def test_a_session_needs_the_token_of_its_forms(weather: Weather) -> None:
    answer = weather.admin.post(f"{weather.url}/station/", json=READING, timeout=20)
    assert answer.status_code == 403
    assert answer.json()["detail"].startswith("CSRF Failed")


def test_who_guesses_passwords_is_locked_out(weather: Weather) -> None:
    url = f"{weather.url}/station/"
    weather.server.command("user", "create", "victim", "--admin", "--password", PASSWORD)
    assert requests.get(url, auth=("victim", PASSWORD), timeout=20).status_code == 200
    for n in range(9):
        assert requests.get(url, auth=("victim", f"wrong {n}"), timeout=20).status_code == 401
    assert requests.get(url, auth=("victim", PASSWORD), timeout=20).status_code == 200
    assert requests.get(url, auth=("victim", "wrong 9"), timeout=20).status_code == 429
    # Also with the right one, which is known.
    assert requests.get(url, auth=("victim", PASSWORD), timeout=20).status_code == 429
    assert PASSWORD not in weather.server.output()
    assert "wrong 3" not in weather.server.output()


def test_a_browser_is_shown_a_page(weather: Weather) -> None:
    headers = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
    shown = as_admin(weather, "GET", "/station/", headers=headers)
    assert shown.headers["content-type"] == "text/html; charset=utf-8"
    assert "<h1>Station List</h1>" in shown.text
    assert "unsafe-inline" not in shown.headers["content-security-policy"]
    assert re.findall(r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son\w+=", shown.text) == []
    stranger = requests.get(f"{weather.url}/station/", headers=headers, timeout=20)
    assert stranger.status_code == 401
    assert "www-authenticate" not in stranger.headers  # else the browser asks in its own words
    assert "/sign-in?next=%2Fstation%2F" in stranger.text
    elsewhere = requests.get(f"{weather.url}/api-auth/login/?next=//evil.example", timeout=20)
    assert elsewhere.url.startswith(f"{weather.url}/sign-in?next=")
