"""The pages of sinks: none yet, a rule that is made, one that fails, dead letters, and the end."""

import contextlib
import re
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from playwright.sync_api import Browser, Page, expect
from tests.browser.conftest import OpenBrowser, screenshot
from tests.browser.looks import SIZES, check_fits, check_readable
from tests.live_server import LiveServer, start_server

from thingtank.sinks.engine import Item, encode_item
from thingtank.sources.records import RECORD_BYTES_MAX, Arrived
from thingtank.sources.rejected_store import RejectedStore
from thingtank.sources.source_file import SourceFile
from thingtank.stores.sink_file import NewLetter, SinkFile

SETTINGS = """
[[sinks.rules]]
name = "away"
to = {engine = "sql", url = "mysql://tank:very-secret@127.0.0.1:1/iot", table = "readings"}
[[sinks.rules]]
name = "kept"
datastreams = ["humidity", "temp*"]
to = {engine = "sql", url = "sqlite:///kept.sqlite3"}

[aws]
endpoint_url = "http://127.0.0.1:1"
[[sources.rules]]
name = "weather"
engine = "kinesis"
stream = "temperature"
[[sources.rules]]
name = "work"
engine = "queue"
queue = "work"
"""
REASON = "Data too long for column 'value' at row 1 (1406)."


@pytest.fixture(scope="module")
def busy_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    """A server with two rules, one of which cannot send and one has dead letters."""
    folder = tmp_path_factory.mktemp("data")
    (folder / "thingtank.toml").write_text(SETTINGS)
    leave_letters(folder)
    leave_rejected(folder)
    with start_server(folder) as server:
        yield server


@pytest.fixture(scope="module")
def busy_signed_in(chromium: Browser, busy_server: LiveServer) -> dict[str, object]:
    """The cookies of a browser that followed its one-time link."""
    context = chromium.new_context()
    context.new_page().goto(busy_server.welcome_url)
    state = context.storage_state()
    context.close()
    return dict(state)


def leave_letters(folder: Path) -> None:
    items = [
        Item(f"o-{n}-0", "datapoint", 1, "u-1", "temperature", 1_795_772_365_000_000 + n, f"{n}°")
        for n in (20, 21)
    ]
    letters = [
        NewLetter(item.item_id, encode_item(item), REASON, 1_795_772_400_000_000) for item in items
    ]
    with contextlib.closing(SinkFile.open(folder)) as file:
        file.add_letters("kept", letters)
        file.add_letters("old", letters[:1])  # of a rule that left the settings


def leave_rejected(folder: Path) -> None:
    reading = '{"device": "%s", "datastream": "temperature", "value": 21.5}'
    reason = "temperature: there is no device %s"
    file = SourceFile(folder)
    at_us = 1_795_772_400_000_000
    rejected = []
    for number in range(30):
        device = "1" if number == 28 else "kitchen"  # which is there by now
        record = Arrived(f"s-0/{number}", "k", at_us, (reading % device).encode())
        rejected.append((record, reason % device))
    long = Arrived("s-0/29", "k", at_us, b" " * (RECORD_BYTES_MAX + 1))
    rejected[29] = (long, "it has 1,048,577 bytes; at most 1,048,576 are read")
    RejectedStore(file, "weather", 28, 10**7).add(rejected, at_us)  # so 2 to 29
    RejectedStore(file, "former", 28, 10**7).add(rejected[:1], at_us)  # no rule any more
    file.close()


def write(server: LiveServer, value: str) -> None:
    requests.put(
        f"{server.url}/v2/feeds/{server.feed_id}.json",
        headers={"X-ApiKey": server.api_key},
        json={"datastreams": [{"id": "temperature", "current_value": value}]},
        timeout=10,
    ).raise_for_status()


def rows_of(server: LiveServer, file: str) -> list[str]:
    with contextlib.closing(sqlite3.connect(server.folder / "sinks" / file)) as connection:
        return [value for (value,) in connection.execute("SELECT value FROM readings")]


def test_a_rule_is_made_and_sends_and_is_ended(
    server: LiveServer, open_browser: OpenBrowser, signed_in: dict[str, object]
) -> None:
    page = open_browser(storage_state=signed_in)
    page.goto(server.url)
    page.get_by_role("navigation", name="Main").get_by_role("link", name="Sinks").click()
    expect(page.get_by_role("heading", name="Nothing is sent on yet")).to_be_visible()
    expect(page.get_by_role("heading", name="Nothing is read yet")).to_be_visible()
    look(page, "sinks-empty")
    page.get_by_role("link", name="Add rule").click()
    form = page.locator("#sheet form")
    form.get_by_label("Name", exact=True).fill("my rule")
    form.get_by_label("URL").fill("sqlite:///mine.sqlite3")
    form.get_by_role("button", name="Add rule").click()
    expect(form.get_by_role("alert")).to_contain_text("name must be 1 to 40 letters")
    form.get_by_label("Name", exact=True).fill("mine")
    form.get_by_label("Channels").fill("temp*")
    screenshot(page, "sinks-add")
    check_fits(page)
    form.get_by_role("button", name="Add rule").click()
    expect(page.locator("#notices")).to_contain_text("Rule added")
    expect(page.locator(".sink__way")).to_contain_text("all feeds: temp*")
    write(server, "21.5")
    expect(page.locator(".sink__facts")).to_contain_text("1 since the start")
    assert rows_of(server, "mine.sqlite3") == ["21.5"]
    page.get_by_role("button", name="Pause mine").click()
    expect(page.locator("h1")).to_contain_text("Paused")
    write(server, "22")
    page.get_by_role("button", name="Resume mine").click()
    expect(page.locator(".sink__facts")).to_contain_text("2 since the start")
    page.get_by_role("link", name="Delete rule").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete rule").click()
    expect(page.get_by_role("heading", name="Nothing is sent on yet")).to_be_visible()
    assert rows_of(server, "mine.sqlite3") == ["21.5", "22"]


def test_each_engine_has_a_form_that_fits_and_tells_what_is_wrong(
    server: LiveServer, open_browser: OpenBrowser, signed_in: dict[str, object]
) -> None:
    page = open_browser(storage_state=signed_in)
    for engine, needed, field, value, problem in (
        ("kinesis", "stream", "shards", "many", "shards must be a whole number"),
        ("dynamodb", "table", "hash", "{{nothing}}", "there is no {{nothing}}"),
        ("queue", "queue", "messages_max", "0", "must be 1 or more"),
    ):
        page.goto(f"{server.url}/sinks/add?engine={engine}")
        page.get_by_label("Name", exact=True).fill("mine")
        page.locator(f"[name=to_{needed}]").fill("readings")
        page.locator(f"[name=to_{field}]").fill(value)
        page.get_by_role("button", name="Add rule").click()
        expect(page.get_by_role("alert").first).to_contain_text(problem)
        look(page, f"sinks-add-{engine}")


def test_what_fails_is_told_and_dead_letters_are_sent_again(
    busy_server: LiveServer, open_browser: OpenBrowser, busy_signed_in: dict[str, object]
) -> None:
    server = busy_server
    page = open_browser(storage_state=busy_signed_in)
    write(server, "19")
    page.goto(f"{server.url}/sinks/")
    expect(page.locator(".sink", has_text="kept")).to_contain_text("1 since the start")
    away = page.locator(".sink", has_text="away")
    expect(away).to_contain_text("Trying again")
    expect(away).to_contain_text("Can't connect to MySQL server")
    expect(away).to_contain_text("Does the server run")
    expect(away).to_contain_text(re.compile("1 batch, .* behind"))
    assert "very-secret" not in page.content()
    weather = page.locator(".sink", has_text="weather")
    expect(weather).to_contain_text("stream temperature of Kinesis")
    expect(weather).to_contain_text("Is the network up?")
    expect(weather.locator(".rejected")).to_contain_text("there is no device kitchen")
    expect(page.locator(".sink", has_text="queue work")).to_contain_text("Reading")
    look(page, "sinks")
    away.get_by_role("button", name="Try now away").click()
    expect(page.locator("#notices")).to_contain_text("Tried now")

    page.get_by_role("link", name="1 dead letter").click()
    expect(page.locator(".sink--alone")).to_contain_text("not in the settings any more")
    expect(page.get_by_role("button", name=re.compile("^Discard letter"))).to_be_visible()
    look(page, "sink-gone")
    page.go_back()
    page.get_by_role("link", name="2 dead letters").click()
    letters = page.locator(".letter")
    expect(letters).to_have_count(2)
    expect(letters.first).to_contain_text("21°")
    expect(letters.first).to_contain_text(REASON)
    look(page, "sink")
    page.get_by_role("link", name="Discard all").click()
    page.get_by_role("dialog").get_by_role("link", name="Cancel").click()
    page.get_by_role("button", name=re.compile("^Retry letter")).first.click()
    expect(letters).to_have_count(1)
    page.get_by_role("button", name=re.compile("^Discard letter")).click()
    expect(page.locator(".letters__none")).to_be_visible()
    assert sorted(rows_of(server, "kept.sqlite3")) == ["19", "21°"]


def test_rejected_records_are_looked_at_retried_and_discarded(
    busy_server: LiveServer, open_browser: OpenBrowser, busy_signed_in: dict[str, object]
) -> None:
    page = open_browser(storage_state=busy_signed_in)
    page.goto(f"{busy_server.url}/sinks/")
    expect(page.locator(".rejected > li")).to_have_count(6)
    expect(page.get_by_role("link", name="28 rejected records")).to_be_visible()
    page.get_by_role("link", name="Retry or discard what was rejected of weather").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("weather")
    reasons, records = page.locator(".reasons > li"), page.locator(".rejected-list > li")
    expect(records).to_have_count(25)
    expect(records.first).to_contain_text("s-0/29")
    expect(records.first).to_contain_text("too long to be kept whole")
    expect(records.first.get_by_role("button")).to_have_count(1)
    expect(reasons).to_have_count(3)
    expect(reasons.first).to_contain_text("26 records")
    page.get_by_role("link", name="Older").click()
    expect(records).to_have_count(3)
    expect(records.last).to_contain_text("s-0/2")
    look(page, "source")
    page.get_by_role("link", name="Newest").click()
    expect(records).to_have_count(25)

    notices = page.locator("#notices")
    reasons.first.get_by_role("button", name="Retry").click()
    expect(notices).to_contain_text("Refused once more")
    records.nth(1).get_by_role("button", name="Retry").click()
    expect(notices).to_contain_text("Written, with the times")
    expect(reasons).to_have_count(2)
    records.first.get_by_role("button", name="Discard").click()
    expect(page.locator(".letters__count")).to_have_text("26")
    expect(reasons).to_have_count(0)
    page.get_by_role("link", name="Discard all").click()
    page.get_by_role("dialog").get_by_role("button", name="Discard all").click()
    expect(page.locator(".letters__none")).to_contain_text("None. A record of which")
    page.goto(f"{busy_server.url}/sinks/source-work/")
    expect(page.locator(".letters__none")).to_contain_text("thingtank queue redrive")
    page.goto(f"{busy_server.url}/sinks/source-former/")
    expect(page.locator(".sink--alone")).to_contain_text("not in the settings any more")
    expect(page.get_by_role("button", name="Retry")).to_have_count(0)
    records.first.get_by_role("button", name="Discard").click()
    expect(page.locator(".letters__none")).to_be_visible()
    assert page.request.get(f"{busy_server.url}/sinks/source-nobody/").status == 404


def look(page: Page, name: str) -> None:
    """Both themes, desktop and phone."""
    for size, (width, height) in SIZES.items():
        page.set_viewport_size({"width": width, "height": height})
        for theme in ("light", "dark"):
            page.emulate_media(color_scheme=theme)  # type: ignore[arg-type] # one of the two
            screenshot(page, f"{name}-{size}-{theme}")
            check_fits(page)
            check_readable(page)
    page.emulate_media(color_scheme="light")
    page.set_viewport_size({"width": 1280, "height": 900})
