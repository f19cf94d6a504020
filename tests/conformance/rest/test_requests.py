"""What holds for every operation: who asks, refusals, idempotency, limits, the OpenAPI document."""

import re
import socket
import threading
from pathlib import Path
from typing import Any

import pytest
import requests
import yaml
from tests.conformance.rest.conftest import PROBLEM, Rest, problem, unique
from tests.live_server import start_server

DEVICES = "/api/devices"
JSON = {"Content-Type": "application/json"}


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"X-ApiKey": "wrong"},
        {"X-ApiKey": "x" * 5000},
        {"Authorization": "Bearer wrong"},
        {"Authorization": "Bearer "},
        {"Authorization": "Basic b3duZXI6eA=="},
    ],
)
def test_a_stranger_is_asked_for_a_key(rest: Rest, headers: dict[str, str]) -> None:
    for method, path in [("GET", DEVICES), ("POST", DEVICES), ("PATCH", f"{DEVICES}/1")]:
        answer = rest.ask(method, path, "", headers=headers)
        problem(answer, 401, "unauthenticated")
        assert answer.headers["WWW-Authenticate"] == 'Bearer realm="Thing Tank"'


def test_a_key_is_taken_in_either_header(rest: Rest) -> None:
    for headers in (
        {"X-ApiKey": rest.keys["reader"]},
        {"Authorization": f"Bearer {rest.keys['reader']}"},
        {"Authorization": f"bearer  {rest.keys['reader']}"},
    ):
        assert rest.ask("GET", DEVICES, "", headers=headers).status_code == 200


def test_a_session_needs_the_csrf_token_to_change_something(
    rest: Rest, browser: requests.Session
) -> None:
    assert browser.get(rest.url + DEVICES, timeout=30).status_code == 200
    body = {"title": unique("By session")}
    problem(browser.post(rest.url + DEVICES, json=body, timeout=30), 403, "csrf-failed")
    page = browser.get(f"{rest.url}/account/password", timeout=30).text
    found = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', page)
    assert found is not None
    token = {"X-CSRFToken": found[1]}
    made = browser.post(rest.url + DEVICES, json=body, headers=token, timeout=30)
    assert (made.status_code, made.json()["title"]) == (201, body["title"])


def test_a_session_too_makes_something_once_for_an_idempotency_key(
    rest: Rest, browser: requests.Session
) -> None:
    browser.get(f"{rest.url}/account", timeout=30)
    token = next(each.value for each in browser.cookies if "_csrf_" in each.name)
    headers = {"X-CSRFToken": str(token), "Idempotency-Key": unique("session").replace(" ", "-")}
    body = {"title": unique("Once by session")}
    url = rest.url + DEVICES
    made = [browser.post(url, json=body, headers=headers, timeout=30) for _ in range(2)]
    assert [each.status_code for each in made] == [201, 201]
    assert made[0].json() == made[1].json()
    form = browser.post(url, files={"title": ("x", b"x")}, headers=headers, timeout=30)
    problem(form, 415, "unsupported-media-type")


REFUSALS: list[tuple[str, str, dict[str, Any], int, str]] = [
    ("GET", "/api/nothing", {}, 404, "not-found"),
    ("POST", "/api/nothing", {}, 404, "not-found"),
    ("GET", "/api/devices/", {}, 404, "not-found"),
    ("GET", "/api/devices/999999", {}, 404, "not-found"),
    ("GET", "/api/devices/999999999999999999999999", {}, 404, "not-found"),
    ("GET", "/api/devices/no-such-uuid", {}, 404, "not-found"),
    ("GET", "/api/devices/%00", {}, 404, "not-found"),
    ("GET", "/api/devices/a%2Fb", {}, 404, "not-found"),
    ("PATCH", DEVICES, {}, 405, "method-not-allowed"),
    ("OPTIONS", DEVICES, {}, 405, "method-not-allowed"),
    ("POST", "/api/openapi.json", {}, 405, "method-not-allowed"),
    ("DELETE", "/api/", {}, 405, "method-not-allowed"),
    ("GET", DEVICES, {"headers": {"Accept": "text/html"}}, 406, "not-acceptable"),
    ("POST", DEVICES, {"data": b"title=a"}, 415, "unsupported-media-type"),
    ("POST", DEVICES, {"data": b"{", "headers": {"Content-Type": "text/plain"}}, 415, "unsupported-media-type"),
    ("POST", DEVICES, {"data": b"{", "headers": JSON}, 400, "malformed-body"),
    ("POST", DEVICES, {"data": b'{"title": NaN}', "headers": JSON}, 400, "malformed-body"),
    ("POST", DEVICES, {"data": b'{"title": "\xff"}', "headers": JSON}, 400, "malformed-body"),
    ("POST", DEVICES, {"data": b"[" * 100_000, "headers": JSON}, 400, "malformed-body"),
    ("POST", DEVICES, {"data": b"[" * 50 + b"]" * 50, "headers": JSON}, 400, "malformed-body"),
    ("POST", DEVICES, {"data": b"[" + b"1," * 200_000 + b"1]", "headers": JSON}, 400, "malformed-body"),
    ("PATCH", f"{DEVICES}/1", {"data": b'{"key":' * 400 + b"1" + b"}" * 400, "headers": JSON}, 400, "malformed-body"),
    ("GET", f"{DEVICES}?page_size=--5", {}, 400, "bad-parameter"),
    ("POST", DEVICES, {"data": b" " * 2_000_000, "headers": JSON}, 413, "too-large"),
    ("POST", DEVICES, {"data": b" " * 20_000_000, "headers": JSON}, 413, "too-large"),
    ("POST", DEVICES, {"data": b"", "headers": JSON}, 422, "validation-failed"),
    ("POST", DEVICES, {"json": {"title": "a"}, "headers": {"Idempotency-Key": "a b"}}, 400, "bad-request"),
    ("POST", DEVICES, {"json": {"title": "a"}, "headers": {"Idempotency-Key": "x" * 256}}, 400, "bad-request"),
    ("GET", DEVICES, {"headers": {"Host": "evil.test"}}, 400, "bad-request"),
]  # fmt: skip


@pytest.mark.parametrize(("method", "path", "request_", "status", "name"), REFUSALS)
def test_every_refusal_is_problem_details(
    rest: Rest, method: str, path: str, request_: dict[str, Any], status: int, name: str
) -> None:
    said = problem(rest.ask(method, path, **request_), status, name)
    assert said["instance"].startswith("/api/")


def test_what_cannot_be_read_is_said(rest: Rest) -> None:
    many = "&".join(f"a{number}=1" for number in range(300))
    rows: list[tuple[requests.Response, str]] = [
        (rest.ask("GET", DEVICES, headers={"Host": "evil.example"}), "Host header names no host"),
        (rest.ask("GET", f"{DEVICES}?{many}"), "more than 200 parameters"),
        (rest.ask("POST", DEVICES, headers=JSON, data=b'{"title":"\xe4"}'), "not UTF-8"),
        (
            rest.ask("POST", DEVICES, headers=JSON, data=b'{"title":"\\ud800x"}'),
            "half of a character",
        ),
    ]
    for answer, words in rows:
        assert words in answer.json()["detail"], answer.text
        assert answer.status_code == 400


def test_refusals_speak_of_what_the_body_has_and_not_of_xivelys_names(rest: Rest) -> None:
    trigger = {"device": 10**9, "datastream": "t", "kind": "gt", "threshold": "1", "webhook_url": "https://x.example/"}  # fmt: skip
    refused = rest.ask("POST", "/api/triggers", json=trigger)
    key = {"label": "x", "permissions": [{"access_methods": ["get"], "resources": [{"device": 10**9}]}]}  # fmt: skip
    for answer, name in (
        (refused, "device"),
        (rest.ask("POST", "/api/keys", json=key), "permissions"),
    ):
        assert name in answer.json()["detail"]
        assert "environment_id" not in answer.text
        assert "resources_feed_id" not in answer.text


def test_every_type_of_problem_has_a_page(rest: Rest) -> None:
    types = rest.get("/api/problems/", "")
    assert {"not-found", "rate-exceeded", "overloaded"} <= {
        each["type"].rpartition("/")[2] for each in types
    }
    for each in types:
        assert rest.get(each["type"], "") == each
        assert each["meaning"]
    problem(rest.ask("GET", "/api/problems/nothing", ""), 404, "not-found")


def test_the_root_leads_on(rest: Rest) -> None:
    for name, url in rest.get("/api/", "").items():
        if name != "docs":
            answer = rest.ask("GET", url.removeprefix(rest.url))
            assert answer.status_code == 200, answer.text


def test_head_is_answered_as_get_without_a_body(rest: Rest) -> None:
    for path in ("/api/", DEVICES, f"{DEVICES}/{rest.feed_id}", "/api/openapi.json"):
        answer = rest.ask("HEAD", path)
        assert (answer.status_code, answer.content) == (200, b"")
        assert answer.headers["Content-Type"] == "application/json"


def test_links_are_those_that_clients_use_behind_a_proxy(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    url, behind = "https://tank.test", f"http://127.0.0.1:{port}"
    flags = ("--web", str(port), "--set", f"web.public_url={url}")
    with start_server(tmp_path, *flags) as server:
        headers = {"X-ApiKey": server.api_key}
        streams = f"{DEVICES}/{server.feed_id}/datastreams"
        for name in "ab":
            body = {"name": name}
            made = requests.post(behind + streams, json=body, headers=headers, timeout=30)
            assert made.headers["Location"] == made.json()["url"] == f"{url}{streams}/{name}"
        answer = requests.get(f"{behind}{streams}?page_size=1", headers=headers, timeout=30)
        assert answer.json()["next"].startswith(f"{url}{streams}?page_size=1&cursor=")
        assert answer.links["next"]["url"] == answer.json()["next"]
        root = requests.get(f"{behind}/api/", headers=headers, timeout=30)
        assert root.json()["devices"] == f"{url}{DEVICES}"


def test_xivelys_oldest_paths_go_on_working_beside_it(rest: Rest) -> None:
    device = rest.device()
    body = {"datastreams": [{"id": "t", "current_value": "21.5"}]}
    assert rest.ask("PUT", f"/api/{device['id']}.json", json=body).status_code == 200
    answer = rest.ask("GET", f"/api/{device['id']}.csv")
    assert (answer.status_code, answer.text) == (200, "21.5")


def test_a_post_is_done_once_for_an_idempotency_key(rest: Rest) -> None:
    title, headers = unique("Once"), {"Idempotency-Key": f'"{unique("key").replace(" ", "-")}"'}
    first = rest.ask("POST", DEVICES, json={"title": title}, headers=headers)
    again = rest.ask("POST", DEVICES, json={"title": title}, headers=headers)
    assert (first.status_code, again.status_code) == (201, 201)
    assert "Idempotency-Replayed" not in first.headers
    assert again.headers["Idempotency-Replayed"] == "true"
    for name in ("Location", "ETag", "Content-Type"):
        assert again.headers[name] == first.headers[name]
    assert again.json() == first.json()
    assert len(rest.get(DEVICES, q=f'"{title}"')["results"]) >= 1
    other = rest.ask("POST", DEVICES, json={"title": "other"}, headers=headers)
    problem(other, 422, "idempotency-key-reused")
    # Another account's keys are its own.
    bobs = rest.ask("POST", DEVICES, "bob", json={"title": title}, headers=headers)
    assert (bobs.status_code, bobs.json()["id"] != first.json()["id"]) == (201, True)


def test_a_refused_post_may_come_again_with_its_idempotency_key(rest: Rest) -> None:
    headers = {"Idempotency-Key": unique("refused").replace(" ", "-")}
    problem(rest.ask("POST", DEVICES, json={}, headers=headers), 422, "validation-failed")
    assert rest.ask("POST", DEVICES, json={"title": "a"}, headers=headers).status_code == 201


def test_posts_at_once_with_one_idempotency_key_make_one_device(rest: Rest) -> None:
    title, key = unique("At once"), unique("at-once").replace(" ", "-")
    answers: list[requests.Response] = []

    def post() -> None:
        headers = {"Idempotency-Key": key}
        answers.append(rest.ask("POST", DEVICES, json={"title": title}, headers=headers))

    threads = [threading.Thread(target=post) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    made = [answer.json()["id"] for answer in answers if answer.status_code == 201]
    assert len(set(made)) == 1
    for answer in answers:
        if answer.status_code != 201:
            problem(answer, 409, "request-in-progress")
            assert answer.headers["Retry-After"] == "1"


def test_who_asks_too_often_is_told_when_to_come_back(tmp_path: Path) -> None:
    flags = ["--set", "limits.requests_per_key_s=0.01", "--set", "limits.requests_per_key_burst=3"]
    flags += ["--set", "limits.requests_per_address_s=0.01"]
    flags += ["--set", "limits.requests_per_address_burst=4"]
    with start_server(tmp_path, *flags) as server:

        def ask(key: str) -> requests.Response:
            return requests.get(server.url + DEVICES, headers={"X-ApiKey": key}, timeout=30)

        first = ask(server.api_key)
        assert first.headers["RateLimit-Policy"] == '"requests";q=3;w=300'
        assert re.fullmatch(r'"requests";r=2;t=(99|100)', first.headers["RateLimit"])
        assert [ask(server.api_key).status_code for _ in range(3)] == [200, 200, 429]
        refused = ask(server.api_key)
        problem(refused, 429, "rate-exceeded")
        assert 90 <= int(refused.headers["Retry-After"]) <= 100
        # Guessing keys is counted by address; a right one from there is let in, or told its own.
        assert [ask("guess").status_code for _ in range(5)] == [401] * 4 + [429]
        assert "a key may ask" in ask(server.api_key).json()["detail"]


def test_the_openapi_document_says_all_of_every_operation(rest: Rest) -> None:
    document = rest.get("/api/openapi.json", "")
    assert document["openapi"].startswith("3.1")
    assert yaml.safe_load(rest.ask("GET", "/api/openapi.yaml", "").text) == document
    schemes = document["components"]["securitySchemes"]
    assert set(schemes) == {"bearerKey", "headerKey", "session"}
    names = []
    for path, operations in document["paths"].items():
        assert path.startswith("/api/")
        for method, operation in operations.items():
            where = f"{method} {path}"
            assert operation["summary"], where
            assert operation["description"], where
            names.append(operation["operationId"])
            answers = operation["responses"]
            assert {"400", "406", "429", "503"} <= set(answers), where
            for status, answer in answers.items():
                if int(status) >= 400:
                    assert set(answer["content"]) == {PROBLEM}, where
                for content in answer.get("content", {}).values():
                    assert content["examples"], (where, status)
            if "requestBody" in operation:
                for content in operation["requestBody"]["content"].values():
                    assert "examples" in content, where
    assert len(set(names)) == len(names)
