"""Charts: ranges, zoom, pan, gaps, keyboard, table, and many of them live at once."""

import math
import re
import time

import pytest
import requests
from playwright.sync_api import Locator, Page, expect
from tests.browser.conftest import OpenBrowser, screenshot
from tests.browser.looks import LOADS, SIZES, Theme, check_readable, look_at
from tests.browser.test_looks import iso
from tests.live_server import LiveServer

MINUTES = 480
GAP = range(200, 260)  # minutes ago, without a value
PEAK = 100  # minutes ago, one value out of line


def write(server: LiveServer, name: str, points: list[dict[str, object]]) -> None:
    body = {
        "version": "1.0.0",
        "datastreams": [
            {"id": name, "unit": {"symbol": "°C", "label": "Celsius"}, "datapoints": points}
        ],
    }
    url = f"{server.url}/v2/feeds/{server.feed_id}.json"
    reply = requests.put(url, json=body, headers={"X-ApiKey": server.api_key}, timeout=20)
    assert reply.status_code == 200, reply.text


@pytest.fixture(scope="module")
def measured(server: LiveServer) -> LiveServer:
    """Eight hours of two channels, a value a minute; an hour of one is missing, a peak is in it."""
    now_s = time.time()
    for name, phase in (("temperature", 0.0), ("humidity", 2.0)):
        points: list[dict[str, object]] = [
            {"at": iso(now_s - 60 * ago), "value": f"{20 + 4 * math.sin(ago / 60 + phase):.2f}"}
            for ago in range(MINUTES)
            if name != "temperature" or ago not in GAP
        ]
        if name == "temperature":
            points[PEAK]["value"] = "99"
        write(server, name, points)
    return server


def chart_of(page: Page, name: str) -> Locator:
    return page.locator(f'[data-key="{name}"] .chart')


def points_in(page: Page, name: str) -> int:
    return int(chart_of(page, name).get_attribute("data-points") or 0)


def drag(page: Page, name: str, start: float, end: float, *, with_shift: bool = False) -> None:
    """Drag across a chart, from one part of its width to another."""
    box = chart_of(page, name).locator(".u-over").bounding_box()
    assert box
    if with_shift:
        page.keyboard.down("Shift")
    page.mouse.move(box["x"] + box["width"] * start, box["y"] + 60)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * (start + end) / 2, box["y"] + 62)
    page.mouse.move(box["x"] + box["width"] * end, box["y"] + 60)
    page.mouse.up()
    if with_shift:
        page.keyboard.up("Shift")


def test_a_part_of_the_past_is_zoomed_into_moved_and_left_again(
    measured: LiveServer, open_browser: OpenBrowser, signed_in: dict[str, object]
) -> None:
    page = open_browser(storage_state=signed_in)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(f"{measured.url}/feeds/{measured.feed_id}")
    words = page.locator("[data-window]")
    page.get_by_text("1d", exact=True).click()
    expect(words).to_have_text("Last day")
    expect(chart_of(page, "temperature")).to_have_attribute("aria-label", re.compile("to 99 °C"))
    whole = points_in(page, "temperature")
    assert whole > 60

    drag(page, "temperature", 0.9, 0.95)  # 72 minutes
    expect(words).to_have_text(re.compile(" to "))
    expect(page.get_by_role("button", name="Back to now")).to_be_visible()
    page.wait_for_function(
        "count => Number(document.querySelector('[data-key=temperature] .chart').dataset.points) !== count",
        arg=whole,
    )
    assert 50 <= points_in(page, "temperature") <= 80  # every value there is
    assert any("start=" in url and "channel-humidity" in url for url in asked)  # all charts move

    before = words.text_content()
    drag(page, "humidity", 0.2, 0.7, with_shift=True)
    expect(words).not_to_have_text(str(before))
    before = words.text_content()
    page.get_by_role("button", name="Later").click()
    expect(words).not_to_have_text(str(before))
    page.get_by_role("button", name="Zoom out").click()
    screenshot(page, "charts-zoomed")

    page.get_by_role("button", name="Back to now").click()
    expect(words).to_have_text("Last day")
    page.locator("#ranges").get_by_text("all", exact=True).click()
    expect(words).to_have_text("Everything")
    expect(chart_of(page, "temperature")).to_have_attribute("aria-label", re.compile("to 99 °C"))
    page.get_by_text("1h", exact=True).click()
    expect(words).to_have_text("Last hour")


def pinch(page: Page, name: str, begin: tuple[float, float], end: tuple[float, float]) -> None:
    """Put two fingers on a chart, at parts of its width, and move them to others."""
    box = chart_of(page, name).locator(".u-over").bounding_box()
    assert box
    devtools = page.context.new_cdp_session(page)

    def touch(kind: str, *parts: float) -> None:
        y = box["y"] + 60
        points = [{"x": box["x"] + box["width"] * part, "y": y} for part in parts]
        devtools.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    touch("touchStart", *begin)
    for step in (0.25, 0.5, 0.75, 1.0):
        touch("touchMove", *(a + (b - a) * step for a, b in zip(begin, end, strict=True)))
    touch("touchEnd")


def test_two_fingers_zoom_and_move_a_chart_on_a_phone(
    measured: LiveServer, open_browser: OpenBrowser, signed_in: dict[str, object]
) -> None:
    page = open_browser(390, 844, storage_state=signed_in, has_touch=True, is_mobile=True)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(f"{measured.url}/feeds/{measured.feed_id}")
    page.get_by_text("6h", exact=True).click()
    expect(page.locator("[data-window]")).to_have_text("Last 6 hours")
    expect(chart_of(page, "temperature").locator("canvas")).to_be_visible()
    chart_of(page, "temperature").scroll_into_view_if_needed()
    scale = page.evaluate("visualViewport.scale")

    def shown() -> tuple[float, float]:
        """The range that was asked for last, in hours before now: its end, and its length."""
        found = [re.search(r"start=([\d.]+)&end=([\d.]+)", url) for url in asked]
        start_s, end_s = next((float(each[1]), float(each[2])) for each in reversed(found) if each)
        return (time.time() - end_s) / 3600, (end_s - start_s) / 3600

    pinch(page, "temperature", (0.4, 0.6), (0.2, 0.8))
    expect(page.locator("[data-window]")).to_have_text(re.compile(" to "))
    ago_h, length_h = shown()
    assert length_h == pytest.approx(2, rel=0.1)
    assert ago_h == pytest.approx(2, rel=0.1)
    words = page.locator("[data-window]").inner_text()
    screenshot(page, "charts-pinched")
    pinch(page, "temperature", (0.3, 0.5), (0.5, 0.7))
    expect(page.locator("[data-window]")).not_to_have_text(words)
    moved_h, same_h = shown()
    assert same_h == pytest.approx(length_h, rel=0.1)
    assert moved_h - ago_h == pytest.approx(0.2 * length_h, rel=0.2)
    assert page.evaluate("visualViewport.scale") == scale


def test_a_gap_is_left_open_and_a_point_says_when_its_extremes_were(
    measured: LiveServer, open_browser: OpenBrowser, signed_in: dict[str, object]
) -> None:
    page = open_browser(storage_state=signed_in, timezone_id="Asia/Kolkata")
    page.goto(f"{measured.url}/feeds/{measured.feed_id}")
    page.get_by_text("1w", exact=True).click()
    chart = chart_of(page, "temperature")
    expect(chart).to_have_attribute("aria-label", re.compile("to 99 °C"))
    page.get_by_text("6h", exact=True).click()
    expect(page.locator("[data-window]")).to_have_text("Last 6 hours")
    # The middle of the chart's ground has no line in the missing hour, and one beside it.
    page.wait_for_function(
        "() => Number(document.querySelector('[data-key=temperature] .chart').dataset.points) > 250"
    )
    count_line = """(element, parts) => {
      const canvas = element.querySelector("canvas");
      const over = element.querySelector(".u-over");
      const ratio = canvas.width / canvas.clientWidth;
      const height = Math.floor(over.clientHeight * ratio);
      const { data, width } = canvas.getContext("2d").getImageData(0, 0, canvas.width, height);
      const colour = getComputedStyle(document.documentElement).getPropertyValue("--chart-line");
      const wanted = colour.match(/[0-9]+/g).map(Number);
      const isLine = (i) => wanted.every((part, k) => Math.abs(data[i + k] - part) < 10) && data[i + 3] > 200;
      return parts.map(([from, to]) => {
        let count = 0;
        for (let i = 0; i < data.length; i += 4) {
          const part = (((i / 4) % width) / ratio - over.offsetLeft) / over.clientWidth;
          if (part >= from && part < to && isLine(i)) count += 1;
        }
        return count;
      });
    }"""
    middle = 1 - 230 / 360 / 1.01
    parts = [[middle - 0.05, middle + 0.05], [middle + 0.15, middle + 0.25]]
    in_gap, beside = chart.evaluate(count_line, parts)
    assert in_gap == 0
    assert beside > 0
    screenshot(page, "charts-gap")

    page.get_by_text("1w", exact=True).click()
    expect(page.locator("[data-window]")).to_have_text("Last week")
    chart.focus()
    page.keyboard.press("End")
    readout = page.locator('[data-key="temperature"] [data-readout]')
    expect(readout).to_have_text(re.compile(r"°C · \d+ \w+ 20\d\d, \d\d:\d\d"))
    assert readout.get_attribute("aria-live") == "polite"
    last = readout.text_content()
    page.keyboard.press("ArrowLeft")  # the last may have one value only, and no extremes
    expect(readout).not_to_have_text(str(last))
    expect(readout).to_have_text(re.compile(r"°C · \d+ \w+ 20\d\d, \d\d:\d\d.* at .*\d\d:\d\d to "))


def test_charts_are_used_by_keyboard_and_read_as_a_table(
    measured: LiveServer, open_browser: OpenBrowser, signed_in: dict[str, object]
) -> None:
    page = open_browser(storage_state=signed_in)
    page.goto(f"{measured.url}/feeds/{measured.feed_id}")
    page.get_by_text("6h", exact=True).click()
    chart, words = chart_of(page, "temperature"), page.locator("[data-window]")
    expect(chart).to_have_attribute("aria-label", re.compile("to 99 °C"))
    chart.focus()
    page.keyboard.press("+")
    expect(words).to_have_text(re.compile(" to "))
    closer = words.text_content()
    page.keyboard.press("Shift+ArrowLeft")
    expect(words).not_to_have_text(str(closer))
    page.keyboard.press("Escape")
    expect(words).to_have_text("Last 6 hours")

    button = page.get_by_role("button", name="Channel temperature as a table")
    button.focus()
    page.keyboard.press("Enter")
    table = page.get_by_role("table", name="temperature, newest first")
    rows = table.locator("tbody tr")
    expect(rows.first).to_be_visible()
    assert 10 < rows.count() <= 41
    expect(table).to_contain_text("99 °C, ")
    check_readable(page)
    screenshot(page, "charts-table")
    page.keyboard.press("Enter")
    expect(table).to_be_hidden()
    expect(button).to_have_attribute("aria-expanded", "false")


def test_only_the_part_asked_for_last_is_shown(
    measured: LiveServer, open_browser: OpenBrowser, signed_in: dict[str, object]
) -> None:
    page = open_browser(storage_state=signed_in)
    page.route("**/channel-temperature/chart?range=1y*", lambda route: None)  # never answered
    page.goto(f"{measured.url}/feeds/{measured.feed_id}")
    given_up: list[str] = []
    page.on("requestfailed", lambda request: given_up.append(request.url))
    page.get_by_text("1y", exact=True).click()
    page.get_by_text("6h", exact=True).click()
    expect(chart_of(page, "temperature")).to_have_attribute("aria-label", re.compile("to 99 °C"))
    assert any("range=1y" in url for url in given_up)


@pytest.mark.parametrize(("theme", "size"), LOADS)
def test_zoomed_charts_fit_and_are_readable_in_both_themes(
    measured: LiveServer, open_browser: OpenBrowser, signed_in: dict[str, object], theme: Theme, size: str
) -> None:  # fmt: skip
    page = open_browser(*SIZES[size], color_scheme=theme, storage_state=signed_in)
    page.goto(f"{measured.url}/feeds/{measured.feed_id}")
    page.get_by_text("6h", exact=True).click()
    page.get_by_role("button", name="Zoom in").click()
    expect(page.locator("[data-window]")).to_have_text(re.compile(" to "))
    page.locator('[data-key="humidity"]').scroll_into_view_if_needed()
    expect(page.locator('[data-key="humidity"] canvas')).to_be_visible()
    look_at(page, "charts", theme, size)


def test_many_values_a_second_keep_a_chart_bounded_and_exact(
    new_server: LiveServer, open_browser: OpenBrowser
) -> None:
    page = open_browser()
    page.goto(new_server.welcome_url)
    now_s = time.time()
    write(new_server, "power", [{"at": iso(now_s - 5), "value": "1"}])
    page.goto(f"{new_server.url}/feeds/{new_server.feed_id}")
    chart = chart_of(page, "power")
    expect(chart).to_have_attribute("data-points", "1")
    expect(page.locator("#stream-state")).to_have_text("Live")
    # More than three a pixel, by the page's own way in: the last tenth of a second each time.
    taken = page.evaluate(
        """async (script) => {
          const { Columns } = await import(script);
          const columns = new Columns();
          columns.stepS = 1;
          for (let i = 0; i < 5000; i += 1) columns.push(1000 + i / 100, i === 4321 ? 9 : (i % 3));
          columns.compact();
          const peak = columns.highest.indexOf(9);
          return [columns.length, columns.highestAt[peak], columns.count.reduce((a, b) => a + b), columns.mean[0], columns.lowest[peak]];
        }""",
        page.evaluate(
            "performance.getEntriesByType('resource').map((entry) => entry.name).find((name) => name.includes('chart_data'))"
        ),
    )
    assert taken == [50, 1043.21, 5000, 0.99, 0]
