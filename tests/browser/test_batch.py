"""The pages of batch jobs: none yet, a count that is made, output as bars, alerts, a failure."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from playwright.sync_api import Page, expect
from tests.browser.conftest import OpenBrowser, screenshot
from tests.browser.looks import SIZES, check_fits, check_readable
from tests.interop.forms import csrf_of
from tests.live_server import LiveServer, start_server
from tests.waiting import wait_until

SETTINGS = "[webhooks]\nallow_private = true\n"
MAPPER = "awk '{print $1 \"\\t1\"}'"
FAILS = "sh -c 'echo the disk of station 7 is full >&2; exit 3'"
REDUCER = "awk -F '\\t' '{n[$1] += $2} END {for (k in n) print k \"\\t\" n[k]}'"
SCHEDULE = ("batch", "schedule")
SELDOM = ("--every", "1d")  # by itself not while a test counts the runs that it asked for


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    """A server whose alerts may go to this machine."""
    folder = tmp_path_factory.mktemp("data")
    (folder / "thingtank.toml").write_text(SETTINGS)
    with start_server(folder) as server:
        yield server


@pytest.fixture(scope="module")
def busy_server(server: LiveServer) -> LiveServer:
    """With a schedule that counts and alerts, one that fails, and one of no counts."""
    log = server.folder / "log.txt"
    keys = [f"device-{number:02}" for number in range(12)] + ["<b>" + "very-long-key" * 9]
    log.write_text("".join(f"{key} x\n" * (3 + 7 * row) for row, key in enumerate(keys)))
    add(server, "per-device", log, MAPPER, "--feed", str(server.feed_id),
        "--above", "50", "--url", "http://127.0.0.1:1/alert")  # fmt: skip
    add(server, "broken", log, FAILS)
    add(server, "lines", log, "cat", reducer="cat")
    wait_until(lambda: server.command(*SCHEDULE, "show", "lines")["runs"], "it does not run")
    return server


def add(
    server: LiveServer, name: str, log: Path, mapper: str, *more: str, reducer: str = ""
) -> None:
    server.command(
        *SCHEDULE, "add", name, "--mapper", mapper, "--reducer", reducer or REDUCER,
        "--input", str(log), "--output", str(log.with_name(f"out-{name}")), *SELDOM, *more,
    )  # fmt: skip
    server.command(*SCHEDULE, "run", name)  # while the next is made


def test_a_count_is_made_runs_at_once_is_paused_and_deleted(
    server: LiveServer, open_browser: OpenBrowser, signed_in: dict[str, object]
) -> None:
    requests.put(
        f"{server.url}/v2/feeds/{server.feed_id}.json",
        headers={"X-ApiKey": server.api_key},
        json={"datastreams": [{"id": "state", "current_value": "123"}]},
        timeout=10,
    ).raise_for_status()
    page = open_browser(storage_state=signed_in)
    page.goto(server.url)
    page.get_by_role("navigation", name="Main").get_by_role("link", name="Batch").click()
    expect(page.get_by_role("heading", name="No job runs by itself yet")).to_be_visible()
    expect(page.locator("#batch-command")).to_contain_text("thingtank batch schedule add")
    look(page, "batch-empty")
    page.goto(f"{server.url}/batch/add")
    form = page.locator("#sheet form")
    form.get_by_label("Name", exact=True).fill("state 123")
    form.get_by_label("Sequence").fill("123")
    form.get_by_label("Feed", exact=True).fill("77")
    form.get_by_label("Channel").fill("nosuch")
    form.get_by_label("Once each").select_option("86400")
    form.get_by_role("button", name="Add schedule").click()
    expect(form).to_contain_text("Feed is none that there is")
    form.get_by_label("Feed", exact=True).fill(str(server.feed_id))
    form.get_by_role("button", name="Add schedule").click()
    expect(form).to_contain_text(f"Channel must be one of feed {server.feed_id}")
    form.get_by_label("Channel").fill("state")
    form.get_by_label("Alert above").fill("5")
    form.get_by_role("button", name="Add schedule").click()
    expect(form).to_contain_text("must be 1 to 40 letters")
    expect(form).to_contain_text("Give a limit and whom to tell, or neither.")
    look(page, "batch-add")
    form.get_by_label("Name", exact=True).fill("state-123")
    form.get_by_label("Alert above").fill("")
    form.get_by_role("button", name="Add schedule").click()
    expect(page.locator("#notices")).to_contain_text("Schedule added")
    facts = page.locator(".sink__facts")
    expect(facts).to_contain_text("largest count 0")  # of the day before this one
    expect(page.locator(".sink__way")).to_contain_text("sequence-count of 123")
    expect(page.locator("#result")).to_contain_text("It is empty")
    page.get_by_role("button", name="Pause state-123").click()
    expect(page.locator("h1")).to_contain_text("Paused")
    page.get_by_role("button", name="Run now state-123").click()
    expect(page.locator("#past .letter")).to_have_count(2)
    expect(page.locator("h1")).to_contain_text("Paused")
    page.get_by_role("button", name="Resume state-123").click()
    expect(page.locator("h1")).to_contain_text("Waiting")
    page.get_by_role("link", name="Delete schedule").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete schedule").click()
    expect(page.get_by_role("heading", name="No job runs by itself yet")).to_be_visible()


def test_output_is_bars_and_alerts_and_failures_are_told(
    busy_server: LiveServer, open_browser: OpenBrowser, signed_in: dict[str, object]
) -> None:
    page = open_browser(storage_state=signed_in)
    page.goto(f"{busy_server.url}/batch/")
    broken = page.locator(".sink", has_text="broken")
    expect(broken).to_contain_text("Failed")
    expect(broken).to_contain_text("ended with exit status 3")
    expect(page.locator(".sink", has_text="out-lines")).to_contain_text("585 lines out")
    expect(page.locator(".sink", has_text="out-per-device")).to_contain_text("Last alert")
    look(page, "batch")

    page.get_by_role("link", name="per-device", exact=True).click()
    expect(page.locator("#past .letter").first).to_contain_text("Counted 87, more than 50")
    expect(page.locator("#past")).to_contain_text("585 lines in, 13 lines out")
    expect(page.locator(".bars canvas")).to_be_visible()
    page.get_by_text("As a table").click()
    expect(page.locator("#top-counts tr").nth(2)).to_contain_text(re.compile(r"device-11\s*80"))
    look(page, "batch-schedule")
    expect(page.locator(".bars canvas")).to_have_count(1)
    page.get_by_role("link", name="Deliveries", exact=True).last.click()
    expect(page.locator("main")).to_contain_text("127.0.0.1:1/alert")

    page.goto(f"{busy_server.url}/batch/schedule-broken/")
    expect(page.locator(".batch__words")).to_contain_text("the disk of station 7 is full")
    expect(page.locator("#result")).to_contain_text("None yet")
    look(page, "batch-failed")
    page.goto(f"{busy_server.url}/batch/schedule-lines/")
    expect(page.locator(".batch__head")).to_contain_text("<b>very-long-key")
    assert page.request.get(f"{busy_server.url}/batch/schedule-nobody/").status == 404

    metrics = requests.get(f"{busy_server.url}/metrics", timeout=10).text
    assert 'thingtank_batch_runs_total{outcome="failed",schedule="broken"} 1' in metrics
    assert 'thingtank_batch_runs_total{outcome="ok",schedule="per-device"} 1' in metrics
    assert 'thingtank_batch_alerts_total{schedule="per-device"} 1' in metrics
    assert 'thingtank_batch_last_run_failed{schedule="broken"} 1' in metrics


def test_strangers_are_asked_to_sign_in_and_others_are_sent_away(busy_server: LiveServer) -> None:
    url, name = busy_server.url, "schedule-lines"
    made = busy_server.command("user", "create", "bert")
    bert = requests.Session()
    bert.get(str(made["sign_in_link"]), timeout=20)
    for path in ("", "add", f"{name}/", f"{name}/delete"):
        stranger = requests.get(f"{url}/batch/{path}", timeout=20, allow_redirects=False)
        assert "/sign-in" in stranger.headers["Location"]
        assert bert.get(f"{url}/batch/{path}", timeout=20).status_code == 403
    assert "/batch/" not in bert.get(url, timeout=20).text
    token = csrf_of(bert.get(f"{url}/account", timeout=20))
    for word in ("run", "pause", "delete"):
        data = {"csrfmiddlewaretoken": token, "paused": "1"}
        refused = bert.post(f"{url}/batch/{name}/{word}", data=data, timeout=20)
        assert refused.status_code == 403
    shown = busy_server.command(*SCHEDULE, "show", "lines")
    assert (shown["is_paused"], len(list(shown["runs"]))) == (False, 1)  # type: ignore[call-overload] # JSON


def look(page: Page, name: str) -> None:
    """A desktop in light, a phone in dark."""
    for size, theme in (("desktop", "light"), ("phone", "dark")):
        width, height = SIZES[size]
        page.set_viewport_size({"width": width, "height": height})
        page.emulate_media(color_scheme=theme)  # type: ignore[arg-type] # one of the two
        page.wait_for_timeout(150)
        screenshot(page, f"{name}-{size}-{theme}")
        check_fits(page)
        check_readable(page)
    page.emulate_media(color_scheme="light")
    page.set_viewport_size({"width": 1280, "height": 900})
