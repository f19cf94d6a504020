"""The pages of triggers and deliveries as scripts and strangers meet them, without a browser."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from tests.interop.forms import PASSWORD, csrf_of
from tests.live_server import LiveServer, start_server
from tests.waiting import wait_until

JSON = {"Accept": "application/json"}
OWN_PATHS = [
    "/deliveries/",
    "/feeds/1/triggers/add",
    "/triggers/1/edit",
    "/triggers/1/history",
    "/triggers/1/delete",
    "/deliveries/1",
    "/deliveries/signing-secret/rotate",
]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    """Feed 1 with a channel t, a trigger 1 on it that has sent a test: delivery 1."""
    with start_server(tmp_path_factory.mktemp("data")) as server:
        headers = {"X-ApiKey": server.api_key}
        url = f"{server.url}/v2/feeds/1.json"
        body = {"datastreams": [{"id": "t", "current_value": "21"}]}
        assert requests.put(url, json=body, headers=headers, timeout=20).ok
        server.command("trigger", "create", "1", "t", "gt", "30", "--url", "http://127.0.0.1:9/x")
        server.command("user", "create", "bert", "--password", PASSWORD)
        yield server


@pytest.fixture(scope="module")
def owner(server: LiveServer) -> requests.Session:
    browser = requests.Session()
    assert browser.get(server.welcome_url, timeout=20).status_code == 200
    sent = send(browser, server, "/triggers/1/test", JSON)
    assert [row["url"] for row in sent.json()] == ["/deliveries/1"]
    return browser


def send(
    browser: requests.Session,
    server: LiveServer,
    path: str,
    headers: dict[str, str] | None = None,
    **fields: str,
) -> requests.Response:
    """Post to a path that has no form of its own."""
    token = csrf_of(browser.get(f"{server.url}/account", timeout=20))
    data = {"csrfmiddlewaretoken": token, **fields}
    return browser.post(server.url + path, data=data, headers=headers, timeout=30)


@pytest.mark.parametrize("path", OWN_PATHS)
def test_a_stranger_is_led_to_the_sign_in_page(
    server: LiveServer, owner: requests.Session, path: str
) -> None:
    reply = requests.get(server.url + path, timeout=20)
    assert reply.url.startswith(f"{server.url}/sign-in?next=")
    assert owner.get(server.url + path, timeout=20).status_code == 200


POSTS = [
    "/feeds/1/triggers/add",
    "/feeds/1/triggers/backtest",
    "/triggers/1/edit",
    "/triggers/1/enable",
    "/triggers/1/test",
    "/triggers/1/history",
    "/triggers/1/delete",
    "/deliveries/1/retry",
    "/deliveries/1/cancel",
]


@pytest.mark.parametrize("path", POSTS)
def test_another_account_is_not_told_that_there_is_one(
    server: LiveServer, owner: requests.Session, bert: requests.Session, path: str
) -> None:
    assert send(bert, server, path).status_code == 404
    assert bert.get(server.url + path, timeout=20).status_code in (404, 405)
    assert owner.get(f"{server.url}/triggers/1/edit", timeout=20).status_code == 200


def test_another_account_sees_none_of_the_deliveries(
    server: LiveServer, owner: requests.Session, bert: requests.Session
) -> None:
    for query in ("", "?trigger=1", "?scope=all", "?trigger=1&scope=all"):
        page = bert.get(f"{server.url}/deliveries/{query}", timeout=20)
        assert page.status_code == 200
        assert "127.0.0.1:9" not in page.text
        assert "goes above" not in page.text
    assert "127.0.0.1:9" in owner.get(f"{server.url}/deliveries/?trigger=1", timeout=20).text
    assert bert.get(f"{server.url}/deliveries/1", timeout=20).status_code == 404


def test_an_admin_sees_everybodys_and_nobodys_secret(
    server: LiveServer, owner: requests.Session, bert: requests.Session
) -> None:
    assert owner.get(f"{server.url}/deliveries/?scope=all", timeout=20).status_code == 200
    own = send(owner, server, "/deliveries/signing-secret", JSON).json()["secret"]
    other = send(bert, server, "/deliveries/signing-secret", JSON).json()["secret"]
    assert own.startswith("whsec_")
    assert own != other
    page = send(owner, server, "/deliveries/signing-secret")
    assert own in page.text
    assert page.headers["Cache-Control"] == "private, no-store"


def test_forms_of_other_sites_do_nothing(server: LiveServer, owner: requests.Session) -> None:
    for path in (*POSTS, "/deliveries/signing-secret", "/deliveries/signing-secret/rotate"):
        assert owner.post(server.url + path, timeout=20).status_code == 403


def backtest(browser: requests.Session, server: LiveServer, **fields: str) -> requests.Response:
    asked = {"channel": "t", "kind": "gt", "threshold": "20", "range": "1d", **fields}
    return send(browser, server, "/feeds/1/triggers/backtest", **asked)


def test_a_trial_on_history_needs_no_receiver_and_pages(
    server: LiveServer, owner: requests.Session
) -> None:
    answer = backtest(owner, server).json()
    assert [value for _, value in answer["firings"]] == ["21"]
    assert answer["is_complete"]
    assert answer["datapoint_count"] == 1
    texts = {name: str(answer[name]) for name in ("start_us", "end_us")}
    rest = backtest(owner, server, **texts, next_us=texts["end_us"]).json()
    assert (rest["firings"], rest["end_us"]) == ([], answer["end_us"])


BAD_TRIALS: list[tuple[dict[str, str], str]] = [
    ({"threshold": ""}, "Value can't be blank."),
    ({"threshold": "warm"}, "Value is not a number."),
    ({"threshold": "x" * 5000}, "Ensure this value has at most"),
    ({"channel": "nothing"}, "Select a valid choice"),
    ({"kind": "above"}, "Select a valid choice"),
    ({"hold": "soon"}, "Write a duration like"),
    ({"hold": "400 d"}, "must be within 0 and 2592000 seconds."),
    ({"clear_value": "21"}, "must not be above the threshold."),
    ({"range": "1h"}, "range must be one of"),
    ({"next_us": "5"}, "must be microseconds since 1970"),
]


@pytest.mark.parametrize(("fields", "problem"), BAD_TRIALS)
def test_a_trial_that_cannot_be_made_says_why(
    server: LiveServer, owner: requests.Session, fields: dict[str, str], problem: str
) -> None:
    reply = backtest(owner, server, **fields)
    assert reply.status_code == 400
    assert problem in " ".join(reply.json()["errors"])


NO_EMAIL = "This server sends no e-mail: its setting email.host is not set."


def test_a_form_says_that_there_is_no_email_and_takes_none(
    server: LiveServer, owner: requests.Session
) -> None:
    page = owner.get(f"{server.url}/feeds/1/triggers/add", timeout=20).text
    assert NO_EMAIL in page
    assert "disabled" in field(page, "email")
    fields = {"channel": "t", "kind": "gt", "threshold": "30", "email": "me@example.com"}
    for path in ("/feeds/1/triggers/add", "/triggers/1/edit"):
        reply = send(owner, server, path, url="http://127.0.0.1:9/x", **fields)
        assert "E-mail is not sent by this server: its setting email.host is not set." in reply.text
        assert "disabled" not in field(reply.text, "email"), "so that it can be taken away"
    assert 'href="mailto' not in page


def test_a_trigger_that_wrote_email_before_may_stay_as_it_is_or_lose_it(tmp_path: Path) -> None:
    mail = ("--set=email.host=127.0.0.1", "--set=email.sender=a@b.example")
    with start_server(tmp_path, *mail) as server:
        url, headers = f"{server.url}/v2/feeds/1.json", {"X-ApiKey": server.api_key}
        body = {"datastreams": [{"id": "t", "current_value": "21"}]}
        assert requests.put(url, json=body, headers=headers, timeout=20).ok
        server.command("trigger", "create", "1", "t", "gt", "30", "--email", "me@example.com")
        browser = requests.Session()
        browser.get(server.welcome_url, timeout=20)
        page = browser.get(f"{server.url}/feeds/1/triggers/add", timeout=20).text
        assert NO_EMAIL not in page
        assert "disabled" not in field(page, "email")
    with start_server(tmp_path) as server:
        browser = requests.Session()
        browser.get(server.welcome_url, timeout=20)
        page = browser.get(f"{server.url}/triggers/1/edit", timeout=20).text
        assert NO_EMAIL in page
        assert "disabled" not in field(page, "email")
        asked = {"channel": "t", "kind": "gt", "threshold": "31"}
        kept = send(browser, server, "/triggers/1/edit", email="me@example.com", **asked)
        assert "done=trigger-saved" in kept.url
        other = send(browser, server, "/triggers/1/edit", email="you@example.com", **asked)
        assert "email.host is not set" in other.text
        gone = send(browser, server, "/triggers/1/edit", url="http://127.0.0.1:9/x", **asked)
        assert "done=trigger-saved" in gone.url


def field(page: str, name: str) -> str:
    """The tag of a form's input."""
    return (
        page.split(f'name="{name}"')[0].rpartition("<")[2]
        + page.split(f'name="{name}"')[1].split(">")[0]
    )


BAD_QUERIES = ["?trigger=x", "?trigger=" + "9" * 30, "?before=-1", "?before=٣", "?state=lost"]


@pytest.mark.parametrize("query", BAD_QUERIES)
def test_nonsense_in_the_address_is_no_error(
    server: LiveServer, owner: requests.Session, query: str
) -> None:
    assert owner.get(f"{server.url}/deliveries/{query}", timeout=20).status_code == 200


BACKS = [
    ("/deliveries/?state=dead", "/deliveries/?state=dead&done="),
    ("//evil.example/", "/deliveries/1?done="),
    ("https://evil.example/", "/deliveries/1?done="),
    ("javascript:alert(1)", "/deliveries/1?done="),
    ("", "/deliveries/1?done="),
]


@pytest.mark.parametrize(("back", "leads_to"), BACKS)
def test_retry_leads_back_to_our_own_pages_only(
    server: LiveServer, owner: requests.Session, back: str, leads_to: str
) -> None:
    reply = send(owner, server, "/deliveries/1/retry", back=back)
    assert reply.url.startswith(server.url + leads_to)


def test_the_log_is_paged(tmp_path: Path) -> None:
    with start_server(tmp_path) as server:
        url, headers = f"{server.url}/v2/feeds/1", {"X-ApiKey": server.api_key}
        body: dict[str, Any] = {"datastreams": [{"id": "t", "current_value": "0"}]}
        assert requests.put(f"{url}.json", json=body, headers=headers, timeout=20).ok
        server.command(
            "trigger", "create", "1", "t", "change", "--url", "http://127.0.0.1:9/", "--quiet", "1s"
        )
        browser = requests.Session()
        browser.get(server.welcome_url, timeout=20)
        for _ in range(26):  # a private address: each is a dead letter at once
            assert send(browser, server, "/triggers/1/test", JSON).ok
        first = browser.get(f"{server.url}/deliveries/", timeout=20).text
        assert first.count('<li class="delivery ') == 25
        assert "webhooks.allow_private" in first
        older = first.split('rel="next" href="')[1].split('"')[0]
        last = browser.get(f"{server.url}/deliveries/{older}", timeout=20).text
        assert last.count('<li class="delivery ') == 1
        assert 'rel="next"' not in last
        assert "Newest" in last


def test_mail_beyond_the_accounts_hour_waits_and_its_page_says_why(tmp_path: Path) -> None:
    mail = {"host": "127.0.0.1", "port": 9, "sender": "a@b.example", "per_account_hour_max": 1}
    settings = [f"--set=email.{name}={value}" for name, value in mail.items()]
    with start_server(tmp_path, *settings) as server:
        url, headers = f"{server.url}/v2/feeds/1.json", {"X-ApiKey": server.api_key}

        def write(value: str) -> None:
            body = {"datastreams": [{"id": "t", "current_value": value}]}
            assert requests.put(url, json=body, headers=headers, timeout=20).ok

        write("21")
        for _ in range(2):
            server.command("trigger", "create", "1", "t", "gt", "30", "--email", "me@example.com")
        write("31")
        browser = requests.Session()
        browser.get(server.welcome_url, timeout=20)

        def page() -> str:
            return browser.get(f"{server.url}/deliveries/2", timeout=20).text

        said = "Not tried yet: the account has sent 1 e-mails within an hour."
        wait_until(lambda: said in page(), page)
