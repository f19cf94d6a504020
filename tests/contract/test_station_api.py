"""The Station REST API of the book's boxes 8.17 to 8.21, for programs and for browsers.

The book's curl lines, against a whole server, are in `tests/interop/weather`.
"""

import base64
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.http import HttpResponse
from django.test import Client, override_settings

ADMIN, READER = "arshdeep", "reader"
PASSWORD = "thirty degrees"
URL = "http://testserver/station/"
READING = {
    "name": "CityName",
    "timestamp": "1393926310",
    "temperature": "28",
    "lat": "30.733315",
    "lon": "76.779418",
}
# Django's own take a third of a second for each password, on purpose.
QUICK = ["django.contrib.auth.hashers.MD5PasswordHasher"]


class Api:
    """The pages as a client has them: with a session, or with name and password."""

    def __init__(self, name: str = "", **options: Any) -> None:
        from thingtank.web.accounts.models import Account

        self.client = Client(**options)
        if name:
            self.client.force_login(
                Account.objects.get(username=name), "django.contrib.auth.backends.ModelBackend"
            )

    def ask(self, method: str, path: str, json: Any = None, auth: tuple[str, str] | None = None, accept: str = "*/*", **more: Any) -> HttpResponse:  # fmt: skip
        headers = {"Accept": accept}
        if auth is not None:
            headers["Authorization"] = f"Basic {base64.b64encode(':'.join(auth).encode()).decode()}"
        if json is not None:
            more = {"data": json, "content_type": "application/json"}
        answer = (
            self.client.generic
            if isinstance(more.get("data"), bytes)
            else getattr(self.client, method.lower())
        )
        if isinstance(more.get("data"), bytes):
            return answer(method, path, headers=headers, **more)
        return answer(path, headers=headers, **more)


@pytest.fixture
def accounts(database: Path) -> Iterator[None]:
    from axes.utils import reset
    from django.db import connection

    from thingtank.web.accounts.changes import create_account
    from thingtank.web.accounts.models import Account
    from thingtank.web.catalog.models import Device
    from thingtank.web.weather.models import Station

    with override_settings(PASSWORD_HASHERS=QUICK, ALLOWED_HOSTS=["testserver"]):
        Device.objects.all().delete()
        Account.objects.all().delete()
        Station.objects.all().delete()
        reset()
        create_account(ADMIN, is_admin=True, password=PASSWORD)
        create_account(READER, password=PASSWORD)
        yield
        connection.close()


@pytest.fixture
def admin(accounts: None) -> Api:
    return Api(ADMIN)


def test_a_list_has_ten_a_page(admin: Api) -> None:
    assert admin.ask("GET", "/station/").json() == {"count": 0, "next": None, "previous": None, "results": []}  # fmt: skip
    for number in range(12):
        made = admin.ask("POST", "/station/", {**READING, "temperature": str(number)})
        assert made.status_code == 201
    first = admin.ask("GET", "/station/").json()
    assert (first["count"], len(first["results"])) == (12, 10)
    assert (first["next"], first["previous"]) == (f"{URL}?page=2", None)
    second = admin.ask("GET", "/station/?page=2").json()
    assert (second["next"], second["previous"]) == (None, URL)
    assert second["results"][-1]["temperature"] == "11"
    assert admin.ask("GET", "/station/?page=3").status_code == 404
    shown = admin.ask("GET", "/home/").content.decode()
    assert '<p class="weather__temperature" id="temperature">11<' in shown
    assert "CityName" in shown


def test_the_page_that_reads_the_api_says_what_to_do_first(admin: Api) -> None:
    assert "No stations yet" in admin.ask("GET", "/home/").content.decode()


def test_a_station_is_read_changed_and_deleted(admin: Api) -> None:
    made = admin.ask("POST", "/station/", READING)
    url = made.json()["url"]
    assert made["Location"] == url
    path = url.removeprefix("http://testserver")
    assert admin.ask("GET", path).json() == {"url": url, **READING}
    changed = admin.ask("PATCH", path, {"temperature": -3.5})
    assert changed.json() == {"url": url, **READING, "temperature": "-3.5"}
    later = {**READING, "timestamp": "2014-03-04T10:00:00Z"}
    assert admin.ask("PUT", path, later).json()["timestamp"] == "1393927200"
    assert admin.ask("PUT", path, {"name": "x"}).status_code == 400
    form = admin.ask("POST", "/station/", data=READING)
    assert (form.status_code, form.json()["name"]) == (201, "CityName")
    assert admin.ask("DELETE", path).status_code == 204
    assert admin.ask("GET", path).status_code == 404


def test_an_answer_is_indented_where_that_is_asked_for(admin: Api) -> None:
    answer = admin.ask("GET", "/station/", accept="application/json; indent=4")
    assert answer["Content-Type"] == "application/json; indent=4"
    assert answer.content.startswith(b'{\n    "count": 0,')
    assert admin.ask("GET", "/station/", accept="application/json").content.startswith(
        b'{"count":0'
    )
    for path in ("/station.json", "/station/?format=json"):
        assert admin.ask("GET", path, accept="text/html")["Content-Type"] == "application/json"


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
def test_nonsense_is_refused_by_name(admin: Api, name: str, value: object, why: str) -> None:
    answer = admin.ask("POST", "/station/", {**READING, name: value})
    assert (answer.status_code, answer.json()) == (400, {name: [why]})


def test_what_is_no_json_and_what_is_not_there_is_refused(admin: Api) -> None:
    def status(method: str, path: str, **more: Any) -> int:
        return admin.ask(method, path, **more).status_code

    assert status("POST", "/station/", data=b"{", content_type="application/json") == 400
    assert status("POST", "/station/", data=b"<a/>", content_type="application/xml") == 415
    assert status("DELETE", "/station/") == 405
    assert status("GET", "/station/", accept="application/xml") == 406
    for path in ("999999", "0", "999999999999999999", "9" * 30, "x", "-1"):
        assert status("GET", f"/station/{path}/") == 404


@pytest.mark.parametrize("content", [b"[" * 100_000, b'{"name":' * 100_000])
@pytest.mark.parametrize(("method", "path"), [("POST", "/station/"), ("PUT", "/station/1/")])
def test_json_that_is_too_deep_is_refused(
    admin: Api, method: str, path: str, content: bytes
) -> None:
    if method == "PUT":
        path = admin.ask("POST", "/station/", READING).json()["url"].removeprefix(URL[:-9])
    answer = admin.ask(method, path, data=content, content_type="application/json")
    assert (answer.status_code, answer.json()) == (400, {"detail": "the JSON is too deep"})


FORM = "application/x-www-form-urlencoded"


@pytest.mark.parametrize(
    ("content", "content_type"), [(b'"%s"', "application/json"), (b"name=%s", FORM)]
)
@pytest.mark.parametrize("name", ["", ADMIN])
def test_a_body_that_is_too_large_is_refused_with_the_limit(
    admin: Api, name: str, content: bytes, content_type: str, caplog: pytest.LogCaptureFixture
) -> None:
    client = Api(name, enforce_csrf_checks=True)
    token = "t" * 32
    client.client.cookies[settings.CSRF_COOKIE_NAME] = token
    headers = {"HTTP_X_CSRFTOKEN": token}
    for accept, shown in (("*/*", "application/json"), ("text/html", "text/html; charset=utf-8")):
        answer = client.ask(
            "POST", "/station/", auth=None if name else (ADMIN, PASSWORD), accept=accept,
            data=content % (b"x" * 3_000_000), content_type=content_type, **headers,
        )  # fmt: skip
        assert (answer.status_code, answer["Content-Type"]) == (413, shown)
        assert "the body is too large; at most 1000000 bytes are read" in answer.content.decode()
    assert [record for record in caplog.records if record.levelname == "ERROR"] == []


def test_a_station_without_its_slash_is_led_to_with_its_body(admin: Api) -> None:
    path = admin.ask("POST", "/station/", READING).json()["url"].removeprefix(URL[:-9])
    for method, body in (("GET", None), ("PATCH", {"name": "x"}), ("DELETE", None)):
        answer = admin.ask(method, f"{path[:-1]}?format=json", body)
        assert (answer.status_code, answer["Location"]) == (307, f"{path}?format=json")
    followed = admin.client.patch(
        path[:-1], {"name": "y"}, content_type="application/json", follow=True
    )
    assert (followed.status_code, followed.json()["name"]) == (200, "y")
    assert Api().ask("PUT", path[:-1], READING).status_code == 307
    assert admin.ask("GET", "/station/1%0A").status_code == 404


def test_only_admins_may_use_it(admin: Api) -> None:
    stranger, reader = Api(), Api(READER)
    refused = stranger.ask("GET", "/station/")
    assert (refused.status_code, refused["WWW-Authenticate"]) == (401, 'Basic realm="Thing Tank"')
    assert stranger.ask("POST", "/station/", READING).status_code == 401
    assert stranger.ask("GET", "/station/", auth=(ADMIN, PASSWORD)).status_code == 200
    assert stranger.ask("POST", "/station/", READING, auth=(ADMIN, PASSWORD)).status_code == 201
    assert stranger.ask("GET", "/station/", auth=(ADMIN, "wrong")).status_code == 401
    assert stranger.ask("GET", "/station/", auth=(READER, PASSWORD)).status_code == 403
    assert stranger.ask("GET", "/station/", auth=("\0", "\0")).status_code == 401
    assert stranger.ask("GET", "/home/").status_code == 302
    assert reader.ask("POST", "/station/", READING).status_code == 403
    for path in ("/station/", "/station/1/", "/home/"):
        assert reader.ask("GET", path).status_code == 403


def test_a_session_needs_the_token_of_its_forms(admin: Api) -> None:
    strict = Api(ADMIN, enforce_csrf_checks=True)
    answer = strict.ask("POST", "/station/", READING)
    assert answer.status_code == 403
    assert answer.json()["detail"].startswith("CSRF Failed")
    assert strict.ask("POST", "/station/", READING, auth=(ADMIN, PASSWORD)).status_code == 201


def test_a_password_that_was_changed_is_right_no_more(admin: Api) -> None:
    from thingtank.web.accounts.changes import change_password, create_account, switch_account
    from thingtank.web.accounts.models import Account

    def status(password: str) -> int:
        return Api().ask("GET", "/station/", auth=("second", password)).status_code

    create_account("second", is_admin=True, password=PASSWORD)
    assert [status(PASSWORD), status(PASSWORD)] == [200, 200]
    account = Account.objects.get(username="second")
    change_password(account, PASSWORD + "!")
    assert [status(PASSWORD), status(PASSWORD + "!")] == [401, 200]
    switch_account(account, False)
    assert status(PASSWORD + "!") == 401


def test_who_guesses_passwords_is_locked_out(admin: Api) -> None:
    def status(password: str) -> int:
        return Api().ask("GET", "/station/", auth=(ADMIN, password)).status_code

    assert status(PASSWORD) == 200
    assert {status(f"wrong {n}") for n in range(9)} == {401}
    assert status("wrong 9") == 429
    assert status(PASSWORD) == 429  # which is known to be right
    told = Api().ask("GET", "/station/", auth=(ADMIN, PASSWORD))
    assert told.headers["content-type"] == "application/json"
    assert "Too many wrong passwords" in told.json()["detail"]


def test_a_known_password_is_not_hashed_again(admin: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    from django.contrib.auth.hashers import MD5PasswordHasher

    auth = (ADMIN, PASSWORD)
    assert Api().ask("GET", "/station/", auth=auth).status_code == 200

    def refuse(*_: object) -> bool:
        raise AssertionError("hashed again")

    monkeypatch.setattr(MD5PasswordHasher, "verify", refuse)
    assert Api().ask("GET", "/station/", auth=auth).status_code == 200


def test_a_browser_is_shown_a_page(admin: Api) -> None:
    accept = "text/html,application/xhtml+xml,*/*;q=0.8"
    shown = admin.ask("GET", "/station/", accept=accept)
    text = shown.content.decode()
    assert shown["Content-Type"] == "text/html; charset=utf-8"
    assert "<h1>Station List</h1>" in text
    assert "unsafe-inline" not in shown["Content-Security-Policy"]
    assert re.findall(r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son\w+=", text) == []
    for number in range(11):
        admin.ask("POST", "/station/", {**READING, "name": f"<b>{number}</b>"})
    second = admin.ask("GET", "/station/?page=2", accept=accept).content.decode()
    assert '<a href="http://testserver/station/" rel="prev"' in second
    assert "&lt;b&gt;10&lt;/b&gt;" in second
    assert "<b>10</b>" not in second
    wrong = admin.ask("POST", "/station/", data={**READING, "lat": "91"}, accept=accept)
    assert "It must be within -90 and 90." in wrong.content.decode()
    stranger = Api().ask("GET", "/station/", accept=accept)
    assert stranger.status_code == 401
    assert "WWW-Authenticate" not in stranger  # else the browser asks in its own words
    assert "/sign-in?next=%2Fstation%2F" in stranger.content.decode()
    elsewhere = Api().ask("GET", "/api-auth/login/?next=//evil.example")
    assert elsewhere["Location"].startswith("/sign-in?next=")
