"""Pages of products, activation and keys under bad input and in wrong hands, without a browser."""

import re
from collections.abc import Iterator

import pytest
import requests
from tests.live_server import LiveServer, start_server

from thingtank.tank.products import activation_code

UPLOAD_BYTES_MAX = 8_000_000
BAD = "field--wrong"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    with start_server(tmp_path_factory.mktemp("data")) as server:
        yield server


def signed_in(server: LiveServer, name: str, *flags: str) -> requests.Session:
    made = server.command("user", "create", name, *flags)
    browser = requests.Session()
    browser.get(str(made["sign_in_link"]), timeout=20)
    return browser


@pytest.fixture(scope="module")
def owner(server: LiveServer) -> requests.Session:
    browser = requests.Session()
    browser.get(server.welcome_url, timeout=20)
    return browser


@pytest.fixture(scope="module")
def product(server: LiveServer, owner: requests.Session) -> str:
    """The address of a product with the serials S-1 to S-3."""
    name = "<b>Kettle</b> & Söhne"
    made = post(owner, f"{server.url}/products/add", name=name, privacy="private", channels="t")
    url = made.url.split("?")[0]
    post(owner, f"{url}serials/add", serials="S-1\nS-2\nS-3")
    return url


def csrf_of(text: str) -> str:
    found = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', text)
    assert found, text[:500]
    return found[1]


def post(browser: requests.Session, url: str, **fields: object) -> requests.Response:
    """Fill in the form that is at `url` and send it; `file` as (name, content)."""
    token = csrf_of(browser.get(url, timeout=20).text)
    file = fields.pop("file", None)
    files = {"file": file} if file else None
    data = {"csrfmiddlewaretoken": token, **fields}
    return browser.post(url, data=data, files=files, timeout=30)  # type: ignore[arg-type] # requests checks it


def secret_of(server: LiveServer, product: str) -> str:
    product_id = product.rstrip("/").rsplit("/", 1)[1]
    return str(server.command("product", "show", product_id)["secret"])


BAD_PRODUCTS = [
    ({"name": " "}, "This field is required"),
    ({"name": "x" * 256}, "at most 255 characters"),
    ({"website": "javascript:alert(1)"}, "Enter a valid URL"),
    ({"channels": "a b"}, "Channels"),
    ({"channels": "t\nt"}, "is there more than once"),
    ({"channels": "t, °C, Celsius, too, much"}, "has 5 parts"),
    ({"channels": '"t'}, "Channels"),
    ({"channels": "\n".join(f"c{n}" for n in range(1001))}, "are too many"),
    ({"channels": f"t, {'x' * 256}"}, "too long"),
    ({"tags": "x" * 256}, "at most 255"),
    ({"privacy": "secret"}, "Select a valid choice"),
    ({"description": "a\x00b"}, "Null characters"),
]


@pytest.mark.parametrize(("fields", "words"), BAD_PRODUCTS)
def test_a_product_with_bad_content_is_refused_beside_its_field(
    server: LiveServer, owner: requests.Session, fields: dict[str, str], words: str
) -> None:
    good = {"name": "Good", "privacy": "private"}
    reply = post(owner, f"{server.url}/products/add", **(good | fields))
    assert reply.url.endswith("/products/add")
    assert words in reply.text
    assert 'class="form-errors"' in reply.text


BAD_LISTS = [
    ({}, "Give at least one serial"),
    ({"serials": " \n\t\n"}, "Give at least one serial"),
    ({"serials": "A", "file": ("a.txt", b"B")}, "not both"),
    ({"serials": "A\nA"}, "Row 2: serial &quot;A&quot; is in row 1 already"),
    ({"serials": "A\nS-2"}, "Row 2: serial &quot;S-2&quot; has already been taken"),
    ({"serials": "A\nB C"}, "Row 2"),
    ({"serials": "A\nB\x1fC"}, "Row 2"),
    ({"serials": "é"}, "may hold only letters"),
    ({"serials": "x" * 256}, "is too long"),
    ({"serials": "A,B"}, "put a serial that holds a comma in quotes"),
    ({"serials": "<script>alert(1)</script>"}, "&lt;script&gt;"),
    ({"file": ("a.csv", b"\xff\xfeA\x00")}, "not UTF-8"),
    ({"file": ("a.csv", b"serial\n")}, "can&#x27;t be blank"),
    ({"file": ("a.csv", b"")}, "empty"),
    ({"file": ("a.csv", b"\n".join(b"%d" % n for n in range(100_001)))}, "100000"),
    ({"file": ("a.csv", b"A" * (UPLOAD_BYTES_MAX + 10))}, "too large"),
]


@pytest.mark.parametrize(("fields", "words"), BAD_LISTS)
def test_a_bad_list_of_serials_is_refused_whole_with_a_reason(
    owner: requests.Session, product: str, fields: dict[str, object], words: str
) -> None:
    reply = post(owner, f"{product}serials/add", **fields)
    assert reply.url.endswith("/serials/add"), reply.url
    assert words in reply.text, re.findall("field__error.*", reply.text)
    assert "<script>alert" not in reply.text
    assert "of 3 devices" in owner.get(product, timeout=20).text


def test_a_body_beyond_all_bounds_is_not_read(owner: requests.Session, product: str) -> None:
    data = b"x" * (UPLOAD_BYTES_MAX + 1_000_001)
    try:
        reply = owner.post(f"{product}serials/add", data=data, timeout=30)
    except requests.ConnectionError:
        return  # answered and hung up while this side was still sending
    assert reply.status_code == 413


BAD_KEYS = [
    ({"label": ""}, "This field is required"),
    ({"methods": []}, "Choose at least one permission"),
    ({"methods": ["get", "steal"]}, "Select a valid choice"),
    ({"reach": ""}, "This field is required"),
    ({"reach": "only"}, "Name at least one feed"),
    ({"reach": "only", "resources": "1\n-2"}, "neither a feed such as 7"),
    ({"reach": "only", "resources": "9" * 30}, "neither a feed such as 7"),
    ({"reach": "only", "resources": "1/"}, "can&#x27;t be blank"),
    ({"reach": "only", "resources": "\n".join(["1/a"] + [f"1/{n}" for n in range(1001)])}, "are too many"),
    ({"source_ip": "300.1.1.1"}, "is not an IP address"),
    ({"referer": "x" * 256}, "at most 255"),
    ({"minimum_interval": "-1"}, "greater than or equal to 0"),
    ({"minimum_interval": "1e9"}, "whole number"),
    ({"expires": "day"}, "Choose the last day"),
    ({"expires": "day", "expires_on": "1999-12-31"}, "This day is over"),
    ({"expires": "keep"}, "Select a valid choice"),
    ({"expires": "-5"}, "Select a valid choice"),
]  # fmt: skip


@pytest.mark.parametrize(("fields", "words"), BAD_KEYS)
def test_a_key_with_bad_content_is_refused_beside_its_field(
    server: LiveServer, owner: requests.Session, fields: dict[str, object], words: str
) -> None:
    good = {"label": "Good", "methods": ["get"], "reach": "all", "private_access": "on"}
    reply = post(owner, f"{server.url}/keys/add", **(good | fields))
    assert reply.url.endswith("/keys/add"), reply.url
    assert words in reply.text, re.findall("field__error.*", reply.text)


def test_activation_needs_the_button_of_its_own_page(
    server: LiveServer, owner: requests.Session, product: str
) -> None:
    code = activation_code(secret_of(server, product), "S-1")
    url = f"{server.url}/activate/{code}"
    stranger = requests.Session()
    assert stranger.post(url, timeout=20).status_code == 403  # no CSRF token
    page = stranger.get(url, timeout=20)
    assert "Activate this device?" in page.text
    assert "&lt;b&gt;Kettle" in page.text
    for other in ("S-2", "S-3", product.rstrip("/").rsplit("/", 1)[1], "owner"):
        assert other not in page.text
    assert page.headers["Cache-Control"] == "private, no-store"
    assert page.headers["Referrer-Policy"] == "same-origin"

    done = stranger.post(url, data={"csrfmiddlewaretoken": csrf_of(page.text)}, timeout=20)
    key = re.search(r'id="api-key">([\w-]{48})<', done.text)
    assert key, done.text
    assert done.headers["Cache-Control"] == "private, no-store"
    again = stranger.post(url, data={"csrfmiddlewaretoken": csrf_of(page.text)}, timeout=20)
    assert again.status_code == 403
    assert "already been activated" in again.text
    assert key[1] not in again.text
    assert "Open the device" in owner.get(url, timeout=20).text
    assert key[1] not in server.output()
    assert "/activate/\\u2026" in server.output()  # refusals are logged without the code
    assert code not in server.output()


@pytest.mark.parametrize("code", ["x", "0" * 40, "%00", "%F0%9F%90%9F", "a" * 3000, "%3Cscript%3E"])
def test_an_unknown_code_is_said_to_be_one(server: LiveServer, code: str) -> None:
    reply = requests.get(f"{server.url}/activate/{code}", timeout=20)
    assert reply.status_code == 404
    assert "No device has this code" in reply.text
    assert "<script>" not in reply.text.split("</head>")[1]


def test_a_code_typed_from_a_label_may_have_gaps_and_capitals(
    server: LiveServer, product: str
) -> None:
    code = activation_code(secret_of(server, product), "S-2")
    typed = " ".join(code[start : start + 8] for start in range(0, 40, 8)).upper()
    reply = post(requests.Session(), f"{server.url}/activate/", code=typed)
    assert reply.url == f"{server.url}/activate/{code}"
    wrong = post(requests.Session(), f"{server.url}/activate/", code="../keys")
    assert wrong.url == f"{server.url}/activate/"
    assert "only digits and the letters" in wrong.text


def test_an_admin_manages_a_product_of_others_without_its_secrets(
    server: LiveServer, product: str
) -> None:
    secret = secret_of(server, product)
    code = activation_code(secret, "S-3")
    admin = signed_in(server, "second", "--admin")
    for path in ("", "serial-S-3/", "deploy?which=all", "edit", "serials/add"):
        page = admin.get(product + path, timeout=20)
        assert page.status_code == 200, path
        assert secret not in page.text
        assert code not in page.text
        assert "label__qr" not in page.text
    token = csrf_of(admin.get(product + "edit", timeout=20).text)
    reveal = admin.post(f"{product}reveal", data={"csrfmiddlewaretoken": token}, timeout=20)
    assert reveal.status_code == 403
    assert secret not in reveal.text


PATHS = ["", "edit", "delete", "deploy", "serials/add", "serial-S-3/", "serial-S-3/rename", "serial-S-3/delete", "serial-S-3/deactivate"]  # fmt: skip


def test_another_account_sees_and_changes_nothing(server: LiveServer, product: str) -> None:
    other = signed_in(server, "mallory")
    token = csrf_of(other.get(f"{server.url}/keys/add", timeout=20).text)
    for path in PATHS:
        page = other.get(product + path, timeout=20)
        assert page.status_code == 404, path
        assert "Kettle" not in page.text
        data = {"csrfmiddlewaretoken": token, "serials": "X", "serial": "X", "name": "X"}
        assert other.post(product + path, data=data, timeout=20).status_code in (404, 405)
    assert "Kettle" not in other.get(f"{server.url}/products/?state=all", timeout=20).text
    for path in ("feeds/1/deactivate", "feeds/1/keys/add", "feeds/1/keys/1/edit", "keys/1/edit", "keys/1/delete"):  # fmt: skip
        assert other.get(f"{server.url}/{path}", timeout=20).status_code == 404


def test_lists_take_any_page_number_and_nonsense(
    server: LiveServer, owner: requests.Session, product: str
) -> None:
    for path in ("/products/", "/keys/", product.removeprefix(server.url)):
        for query in ("?page=0", "?page=-1", "?page=999999999", "?page=x", "?q=%00", "?q=%25", "?activated=maybe", "?state=odd", f"?q={'x' * 500}"):  # fmt: skip
            assert owner.get(server.url + path + query, timeout=20).status_code == 200, (path, query)  # fmt: skip
    for query in ("?size=7", "?size=-1&paper=x", "?page=99999", "?which=none&text="):
        assert owner.get(f"{product}deploy{query}", timeout=20).status_code == 200, query


def test_a_product_of_another_feed_is_not_the_template(
    server: LiveServer, owner: requests.Session, product: str
) -> None:
    for feed in ("1", "999999", "x", "9" * 30):
        page = owner.get(f"{product}edit?from_feed={feed}", timeout=20)
        assert page.status_code in (200, 404)
        assert "My first device" not in page.text
