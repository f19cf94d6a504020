"""Triggers in the workbench: made, tried on history, fired, tested; what they sent and did not."""

import math
import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from playwright.sync_api import Locator, Page, expect
from standardwebhooks import Webhook
from tests.browser.conftest import OpenBrowser, screenshot
from tests.browser.looks import LOADS, dress, look_at
from tests.browser.receivers import Receiver, receiver
from tests.browser.test_first_steps import add_device, run_line, shown_line
from tests.browser.test_looks import iso
from tests.live_server import LiveServer, start_server
from tests.waiting import wait_until

DEAD_URL = "http://127.0.0.1:9/nobody"  # the discard port: nothing listens


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    """May reach receivers of this machine, and gives up after one repetition."""
    flags = ["--set", "webhooks.allow_private=true", "--set", "delivery.retry_s=[0.2]"]
    flags += ["--set", "email.host=127.0.0.1", "--set", "email.sender=tank@example.com"]
    with start_server(tmp_path_factory.mktemp("data"), *flags) as server:
        yield server


@pytest.fixture
def receiving() -> Iterator[Receiver]:
    with receiver() as made:
        yield made


@pytest.fixture
def page(server: LiveServer, open_browser: OpenBrowser, signed_in: dict[str, object]) -> Page:
    page = open_browser(storage_state=signed_in)
    page.goto(server.url)
    return page


def add_trigger(page: Page, *, channel: str, kind: str, threshold: str = "", url: str) -> None:
    page.get_by_role("link", name=re.compile("Add (the first )?trigger")).first.click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Channel").select_option(channel)
    dialog.get_by_label("Condition").select_option(label=kind)
    if threshold:
        dialog.get_by_label("Value", exact=True).fill(threshold)
    dialog.get_by_label("Webhook URL").fill(url)
    dialog.get_by_role("button", name="Add trigger").click()
    expect(dialog).to_be_hidden()


def trigger_of(page: Page, text: str) -> Locator:
    return page.locator("#trigger-list > li").filter(has_text=text)


def test_a_trigger_is_made_fires_and_its_delivery_is_listed(
    page: Page, server: LiveServer, receiving: Receiver
) -> None:
    add_device(page, "Greenhouse")
    expect(page.locator("#triggers")).to_contain_text("Send the first value")
    line = shown_line(page)
    assert run_line(line) == "200"
    expect(page.locator("#triggers")).to_contain_text("Be told when something happens")

    page.get_by_role("link", name="Add the first trigger").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Value", exact=True).fill("warm")
    dialog.get_by_role("button", name="Add trigger").click()
    expect(dialog.get_by_role("alert")).to_be_visible()
    expect(dialog).to_contain_text("Value is not a number")
    expect(dialog).to_contain_text("Say who is told")
    dialog.get_by_label("Value", exact=True).fill("30")
    dialog.get_by_label("Webhook URL").fill(receiving.url)
    dialog.get_by_role("button", name="Add trigger").click()
    row = trigger_of(page, "temperature goes above 30")
    expect(row).to_contain_text("Armed")
    expect(row.get_by_text("Never fired")).to_be_visible()

    assert run_line(line.replace("21.5", "31.25")) == "200"
    expect(row).to_contain_text("Fired")  # on the page, without a reload
    expect(row.get_by_text("Never fired")).to_be_hidden()
    expect(row).to_contain_text("Condition true")
    expect(page.locator("#announcer")).to_contain_text("temperature")
    wait_until(lambda: receiving.documents)
    assert receiving.documents[0]["triggering_datastream"]["value"]["value"] == "31.25"
    assert run_line(line.replace("21.5", "20")) == "200"
    expect(row).to_contain_text("Armed")

    row.get_by_role("link", name="Deliveries of").click()
    expect(page.locator(".delivery")).to_have_count(1)
    expect(page.locator(".delivery")).to_contain_text("Delivered")
    expect(page.locator(".delivery")).to_contain_text("answered 200")
    page.get_by_role("link", name="temperature goes above 30").click()
    expect(page.get_by_role("dialog")).to_contain_text("thank you")  # what the receiver answered
    page.get_by_role("dialog").get_by_text("What is sent").click()
    expect(page.get_by_role("dialog").locator(".document")).to_contain_text("31.25")
    screenshot(page, "delivery-dialog")


def test_a_test_is_sent_and_its_answer_shown(page: Page, receiving: Receiver) -> None:
    add_device(page, "Tested")
    assert run_line(shown_line(page)) == "200"
    add_trigger(page, channel="temperature", kind="changes", url=receiving.url)
    row = trigger_of(page, "temperature changes")
    receiving.status, receiving.answer = 500, "the database is away"
    row.get_by_role("button", name="Send test").click()
    expect(row.locator(".test-answer--bad")).to_contain_text("the receiver answered 500.")
    expect(row.locator(".test-answer--bad")).to_contain_text("the database is away")
    screenshot(page, "trigger-test-failed")
    receiving.status = 204
    row.get_by_role("button", name="Send test").click()
    expect(row.locator(".test-answer--good")).to_contain_text("answered 204")
    assert receiving.documents[-1]["debug"] is True
    expect(row.get_by_text("Never fired")).to_be_visible()  # a test is no firing
    expect(row.locator(".test-answer")).to_have_count(1)

    row.get_by_role("button", name="Disable").click()
    expect(row).to_contain_text("Disabled")
    row.get_by_role("button", name="Enable").click()
    expect(row).to_contain_text("Armed")
    row.get_by_role("link", name="Edit trigger").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Condition").select_option(label="falls below")
    dialog.get_by_label("Value", exact=True).fill("5")
    dialog.get_by_text("More").click()
    dialog.get_by_label("Must hold for").fill("5 min")
    dialog.get_by_label("Ends at").fill("6")
    dialog.get_by_role("button", name="Save trigger").click()
    row = trigger_of(page, "temperature falls below 5")
    expect(row).to_contain_text("for 5 min · ends at 6")
    row.get_by_role("link", name="Edit trigger").click()
    expect(dialog.get_by_label("Must hold for")).to_have_value("5 min")
    dialog.get_by_role("link", name="Delete this trigger").click()
    dialog.get_by_role("button", name="Delete trigger").click()
    expect(page.locator("#trigger-list > li")).to_have_count(0)


def test_a_dead_receiver_makes_a_dead_letter_that_is_tried_again(
    page: Page, server: LiveServer, receiving: Receiver
) -> None:
    add_device(page, "Pump")
    line = shown_line(page)
    assert run_line(line) == "200"
    add_trigger(page, channel="temperature", kind="goes above", threshold="30", url=receiving.url)
    receiving.status, receiving.answer = 503, "closed for repairs"
    assert run_line(line.replace("21.5", "40")) == "200"
    row = trigger_of(page, "temperature goes above 30")
    expect(row).to_contain_text("1 dead letter")  # live: two attempts failed
    row.get_by_role("link", name="1 dead letter").click()
    dead = page.locator(".delivery")
    expect(dead).to_have_count(1)
    expect(dead).to_contain_text("2 attempts")
    expect(dead).to_contain_text("closed for repairs")
    screenshot(page, "deliveries-dead")
    receiving.status = 200
    dead.get_by_role("button", name="Retry").click()
    expect(page.get_by_role("heading", name="No dead letters")).to_be_visible()
    page.get_by_role("link", name=re.compile("^Delivered")).click()
    expect(page.locator(".delivery")).to_contain_text("3 attempts")
    ids = {headers["webhook-id"] for headers in receiving.headers}
    assert len(ids) == 1  # a repetition is told by its id


def test_the_signing_secret_verifies_and_is_rotated(page: Page, receiving: Receiver) -> None:
    add_device(page, "Signed")
    assert run_line(shown_line(page)) == "200"
    add_trigger(page, channel="temperature", kind="changes", url=receiving.url)
    row = trigger_of(page, "temperature changes")
    row.get_by_role("button", name="Send test").click()
    expect(row.locator(".test-answer--good")).to_be_visible()
    page.get_by_role("link", name="Deliveries", exact=True).click()
    page.get_by_role("button", name="Show signing secret").click()
    secret = page.locator("#key-signing")
    expect(secret).to_contain_text("whsec_")
    first = secret.inner_text()
    Webhook(first).verify(receiving.bodies[-1], receiving.headers[-1], json_parse=False)
    page.get_by_role("link", name="Rotate signing secret").click()
    page.get_by_role("button", name="Make a new secret").click()
    expect(page.locator("#notices")).to_contain_text("New signing secret")
    page.get_by_role("button", name="Show signing secret").click()
    expect(secret).to_contain_text("whsec_")
    assert secret.inner_text() != first


def test_a_private_address_is_refused_and_the_setting_named(
    new_server: LiveServer, open_browser: OpenBrowser, receiving: Receiver
) -> None:
    page = open_browser()
    page.goto(new_server.welcome_url)
    page.goto(f"{new_server.url}/feeds/{new_server.feed_id}")
    assert run_line(shown_line(page, is_new=False)) == "200"
    add_trigger(page, channel="temperature", kind="changes", url=receiving.url)
    row = trigger_of(page, "temperature changes")
    row.get_by_role("button", name="Send test").click()
    expect(row.locator(".test-answer--bad")).to_contain_text("webhooks.allow_private")
    assert receiving.documents == []


def test_a_trigger_is_made_and_switched_by_keyboard_alone(page: Page, receiving: Receiver) -> None:
    add_device(page, "Keys only")
    assert run_line(shown_line(page)) == "200"
    link = page.get_by_role("link", name="Add the first trigger")
    expect(link).to_be_visible()
    link.focus()
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_label("Channel")).to_be_focused()
    page.keyboard.press("Tab")
    page.keyboard.type("ch")  # changes
    expect(dialog.get_by_label("Value", exact=True)).to_be_hidden()
    page.keyboard.press("Tab")
    expect(dialog.get_by_label("Webhook URL")).to_be_focused()
    page.keyboard.type(receiving.url)
    page.keyboard.press("Enter")
    expect(trigger_of(page, "temperature changes")).to_be_visible()
    disable = page.get_by_role("button", name="Disable trigger temperature changes")
    disable.focus()
    page.keyboard.press("Space")
    expect(page.get_by_role("button", name="Enable trigger temperature changes")).to_be_focused()
    expect(trigger_of(page, "temperature changes")).to_contain_text("Disabled")


def test_triggers_work_without_scripts(
    server: LiveServer, open_browser: OpenBrowser, signed_in: dict[str, object], receiving: Receiver
) -> None:
    page = open_browser(java_script_enabled=False, storage_state=signed_in)
    page.goto(server.url)
    page.get_by_role("link", name="Add Device").first.click()
    page.get_by_label("Device name").fill("Plain")
    page.get_by_role("button", name="Add Device").click()
    page.get_by_role("link", name="Add channel").click()
    page.get_by_label("Channel name").fill("level")
    page.get_by_role("button", name="Add channel").click()
    page.get_by_role("link", name="Add the first trigger").click()
    page.get_by_label("Value", exact=True).fill("3")
    page.get_by_label("Webhook URL").fill(receiving.url)
    page.get_by_role("button", name="Add trigger").click()
    page.get_by_role("button", name="Send test").click()
    expect(page.get_by_text("Test sent")).to_be_visible()
    expect(page.locator(".delivery")).to_have_count(1)
    page.get_by_role("link", name="level goes above 3").click()
    expect(page.get_by_role("heading", name="Attempts")).to_be_visible()
    page.goto(f"{server.url}/deliveries/")
    page.get_by_role("button", name="Show signing secret").click()
    current = page.locator("code.secret").first  # one that was rotated stands below it for a day
    expect(current).to_contain_text("whsec_")


def test_a_waiting_delivery_is_cancelled(
    tmp_path: Path, open_browser: OpenBrowser, receiving: Receiver
) -> None:
    receiving.status = 500
    flags = ["--set", "webhooks.allow_private=true", "--set", "delivery.retry_s=[3600]"]
    with start_server(tmp_path, *flags) as server:
        page = open_browser()
        page.goto(server.welcome_url)
        page.goto(f"{server.url}/feeds/{server.feed_id}")
        line = shown_line(page, is_new=False)
        assert run_line(line) == "200"
        add_trigger(page, channel="temperature", kind="changes", url=receiving.url)
        assert run_line(line.replace("21.5", "22")) == "200"
        row = trigger_of(page, "temperature changes")
        row.get_by_role("link", name="1 waiting to be delivered").click()
        waiting = page.locator(".delivery")
        expect(waiting).to_contain_text(re.compile(r"next try\s+in (59 min|1 h)"))
        waiting.get_by_role("button", name="Cancel").click()
        expect(page.locator("#notices")).to_contain_text("Cancelled")
        expect(page.get_by_role("heading", name="Nothing waits")).to_be_visible()
        page.close()


@pytest.fixture(scope="module")
def recorded(server: LiveServer) -> LiveServer:
    """The first device with a week of a wave, three minutes apart, and triggers in each state."""
    now_s = time.time()
    headers = {"X-ApiKey": server.api_key}
    url = f"{server.url}/v2/feeds/{server.feed_id}"
    body = {"title": "Weather station", "datastreams": [
        {"id": "temperature", "current_value": "21", "unit": {"symbol": "°C", "label": "Celsius"}},
        {"id": "humidity", "current_value": "60", "unit": {"symbol": "%", "label": "percent"}},
    ]}  # fmt: skip
    assert requests.put(f"{url}.json", json=body, headers=headers, timeout=20).ok
    times = [now_s - 180 * k for k in range(1, 3360)]
    for start in range(0, len(times), 480):
        points = [
            {"at": iso(at_s), "value": wave(now_s, at_s)} for at_s in times[start : start + 480]
        ]
        reply = requests.post(
            f"{url}/datastreams/temperature/datapoints.json",
            json={"datapoints": points}, headers=headers, timeout=20,
        )  # fmt: skip
        assert reply.status_code == 200, reply.text
    return server


def wave(now_s: float, at_s: float) -> str:
    """Six crests of 25 and more in a week, the last one a good half day ago."""
    return f"{20 + 6 * math.sin((at_s - now_s) * 2 * math.pi * 6 / 604800):.2f}"


def test_a_trigger_is_tried_on_history_before_it_is_made(recorded: LiveServer, page: Page) -> None:
    page.goto(f"{recorded.url}/feeds/{recorded.feed_id}")
    page.get_by_role("link", name=re.compile("Add (the first )?trigger")).first.click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Channel").select_option("temperature")
    words = dialog.locator("[data-backtest=words]")
    dialog.get_by_role("button", name="Try").click()
    expect(words).to_contain_text("Value can't be blank")
    dialog.get_by_label("Value", exact=True).fill("25")
    dialog.get_by_role("button", name="Try").click()
    expect(words).to_contain_text("Would have fired 6 times in the last week")
    chart = dialog.locator("[data-backtest=chart]")
    expect(chart).to_have_attribute("data-marks", "6")
    expect(dialog.locator(".firings li")).to_have_count(6)
    assert marked_columns(chart) == 6
    expect(dialog.locator(".firings li").first).to_contain_text("25")
    screenshot(page, "trigger-backtest-dialog")
    dialog.get_by_label("Value", exact=True).fill("26.5")
    expect(dialog).to_contain_text("The form has changed since")
    dialog.get_by_role("button", name="Try").click()
    expect(words).to_contain_text("Would not have fired in the last week")
    expect(chart).to_have_attribute("data-marks", "0")
    dialog.get_by_text("1d", exact=True).click()
    expect(words).to_contain_text("in the last day")


def test_more_firings_than_one_answer_holds_are_all_marked(
    recorded: LiveServer, page: Page
) -> None:
    now_s = time.time()
    headers = {"X-ApiKey": recorded.api_key}
    url = f"{recorded.url}/v2/feeds/{recorded.feed_id}/datastreams"
    stream = {"id": "flag", "current_value": "0"}
    assert requests.post(
        f"{url}.json", json={"datastreams": [stream]}, headers=headers, timeout=20
    ).ok
    for start in range(1, 2400, 480):  # 1 and 0 in turn, one a minute
        points = [
            {"at": iso(now_s - 60 * k), "value": str(k % 2)} for k in range(start, start + 480)
        ]
        reply = requests.post(
            f"{url}/flag/datapoints.json", json={"datapoints": points}, headers=headers, timeout=20
        )
        assert reply.status_code == 200, reply.text
    page.goto(f"{recorded.url}/feeds/{recorded.feed_id}")
    page.get_by_role("link", name=re.compile("Add (the first )?trigger")).first.click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Channel").select_option("flag")
    dialog.get_by_label("Condition").select_option(label="changes")
    dialog.get_by_role("button", name="Try").click()
    words = dialog.locator("[data-backtest=words]")
    expect(words).to_contain_text("Would have fired 2,400 times in the last week. 2,401 values")
    expect(dialog.locator("[data-backtest=chart]")).to_have_attribute("data-marks", "2400")
    expect(dialog.locator(".firings li")).to_have_count(200)
    expect(dialog).to_contain_text("and 2,200 before these")


def marked_columns(chart: Locator) -> int:
    """How many flags of the marks' colour stand in the row of pixels right above the plot."""
    count = """(element) => {
      const canvas = element.querySelector("canvas");
      const over = element.querySelector(".u-over");
      const pen = new OffscreenCanvas(1, 1).getContext("2d");
      pen.fillStyle = getComputedStyle(document.documentElement).getPropertyValue("--chart-mark");
      pen.fillRect(0, 0, 1, 1);
      const [r, g, b] = pen.getImageData(0, 0, 1, 1).data;
      const top = Math.round(over.offsetTop * devicePixelRatio) - 5;
      const { data } = canvas.getContext("2d").getImageData(0, top, canvas.width, 1);
      let found = 0;
      let isIn = false;
      for (let i = 0; i < data.length; i += 4) {
        const isMark = data[i] === r && data[i + 1] === g && data[i + 2] === b && data[i + 3] > 200;
        if (isMark && !isIn) found += 1;
        isIn = isMark;
      }
      return found;
    }"""
    return int(chart.evaluate(count))


def test_a_stored_trigger_is_tried_on_history(
    recorded: LiveServer, page: Page, receiving: Receiver
) -> None:
    page.goto(f"{recorded.url}/feeds/{recorded.feed_id}")
    url = receiving.url
    add_trigger(page, channel="temperature", kind="falls below", threshold="15", url=url)
    row = trigger_of(page, "temperature falls below 15")
    row.get_by_role("link", name="Try on history").click()
    dialog = page.get_by_role("dialog")
    words = dialog.locator("[data-backtest=words]")
    expect(words).to_contain_text("Would have fired 6 times in the last week. 3,3")
    expect(dialog.locator("[data-backtest=chart]")).to_have_attribute("data-marks", "6")
    screenshot(page, "trigger-history-dialog")
    assert receiving.documents == []


@pytest.fixture(scope="module")
def shown(recorded: LiveServer) -> Iterator[LiveServer]:
    """Triggers in each state on the first device, and deliveries in each."""
    with receiver() as receiving:
        make_triggers(recorded, receiving)
        yield recorded


def make_triggers(server: LiveServer, receiving: Receiver) -> None:
    headers = {"X-ApiKey": server.api_key}

    def write(name: str, value: str) -> None:
        url = f"{server.url}/v2/feeds/{server.feed_id}/datastreams/{name}.json"
        reply = requests.put(url, json={"current_value": value}, headers=headers, timeout=20)
        assert reply.ok, reply.text

    def make(*words: str) -> int:
        made = server.command("trigger", "create", str(server.feed_id), *words)
        return int(str(made["trigger_id"]))

    make("temperature", "gt", "30", "--url", receiving.url, "--email", "ops@example.com", "--hold", "5m", "--clear", "28")  # fmt: skip
    dead = make("humidity", "gt", "80", "--url", DEAD_URL)
    make("humidity", "frozen", "--url", "https://hooks.example.com/services/T0A1B2C3/a-long-secret-path/that-goes-on")  # fmt: skip
    disabled = make("humidity", "change", "--url", receiving.url)
    true = make("humidity", "gte", "70", "--url", receiving.url)
    write("humidity", "85")
    wait_until(lambda: states(server, dead) == ["dead"])
    wait_until(lambda: states(server, true) == ["delivered"])
    server.command("trigger", "disable", str(disabled))


def states(server: LiveServer, trigger_id: int) -> list[object]:
    found = server.command("delivery", "list", "--trigger", str(trigger_id))
    return [row["state"] for row in found["deliveries"]]  # type: ignore[attr-defined]  # JSON


LOOKS = {
    "triggers": "/feeds/{feed_id}",
    "trigger-add": "/feeds/{feed_id}/triggers/add",
    "trigger-edit": "/triggers/1/edit",
    "trigger-history": "/triggers/1/history",
    "trigger-delete": "/triggers/1/delete",
    "deliveries": "/deliveries/",
    "deliveries-cancelled": "/deliveries/?state=cancelled",
    "delivery": "/deliveries/1",
    "signing-rotate": "/deliveries/signing-secret/rotate",
}


@pytest.mark.parametrize("name", LOOKS)
def test_pages_of_triggers_are_readable_and_fit(
    shown: LiveServer, open_browser: OpenBrowser, signed_in: dict[str, object], name: str
) -> None:  # fmt: skip
    page = open_browser(storage_state=signed_in)
    for theme, size in LOADS:
        dress(page, theme, size)
        page.goto(shown.url + LOOKS[name].format(feed_id=shown.feed_id))
        if name == "triggers":
            expect(page.locator("#trigger-list > li").first).to_be_visible()
        if name == "trigger-add":
            page.get_by_label("Channel").select_option("temperature")
            page.get_by_label("Value", exact=True).fill("25")
            page.get_by_role("button", name="Try").click()
            words = page.locator("[data-backtest=words]")
            expect(words).to_contain_text("Would have fired 6 times")
        if name == "trigger-history":
            expect(page.locator("[data-backtest=chart] canvas")).to_be_visible()
        look_at(page, name, theme, size)
