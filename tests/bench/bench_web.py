"""Pages at size: a chart of a million datapoints, twenty live ones, lists of 100,000 devices.

Chromium without a window, a real server, a real session. Figures of pages are of the whole way:
from the click to the frame with the chart in it, or from the request to the last byte.
"""

import random
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import cycle, islice
from pathlib import Path
from statistics import mean, quantiles

import requests
from playwright.sync_api import Browser, CDPSession, Page, sync_playwright
from tests.bench.report import Result
from tests.bench.web_data import WEEK_S, prepare, values
from tests.live_server import LiveServer, start_server
from tests.needed import find_chromium

POINTS_PER_WRITE = 500
LIVE_CHANNELS = 20
LIVE_PER_S = 10
SAMPLE_S = 10.0
VIEW = {"width": 1920, "height": 1080}

# The frame in which a chart was drawn is over when a message that was sent in it arrives.
CLICK_TO_DRAWN = """([button, name]) => new Promise((resolve) => {
  const startMs = performance.now();
  const chart = document.querySelector(`[data-key="${name}"] .chart`);
  chart.addEventListener("chartdrawn", () => requestAnimationFrame(() => {
    const channel = new MessageChannel();
    channel.port1.onmessage = () => resolve([performance.now() - startMs, Number(chart.dataset.points)]);
    channel.port2.postMessage(0);
  }), { once: true });
  document.querySelector(button).click();
})"""
LOADED = """() => {
  const [page] = performance.getEntriesByType("navigation");
  return page.loadEventEnd;
}"""
WIDTH = """(name) => document.querySelector(`[data-key="${name}"] .chart`).clientWidth"""
ALL_DRAWN = "(count) => document.querySelectorAll('.chart canvas').length === count"
RANGE = '#ranges input[value="{}"]'


def run(quick: bool) -> list[Result]:
    """All of it."""
    with chromium() as browser:
        return [
            *one_chart(browser, 50_000 if quick else 1_000_000, 5 if quick else 30),
            *live_charts(browser, 30 if quick else 300),
            *many_devices(browser, 2_000 if quick else 100_000, 10 if quick else 60),
        ]


@contextmanager
def chromium() -> Iterator[Browser]:
    flags = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_chromium(), args=flags)
        yield browser
        browser.close()


@contextmanager
def serving(work: str = "", count: int = 0, channel: str = "") -> Iterator[LiveServer]:
    """A server whose folder was filled while it was down; its one-time link is still good."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with start_server(folder) as first:
            feed_id = first.feed_id
            if channel:
                put(first, {channel: "20"})
        if work:
            prepare(folder, work, count, *([feed_id] if channel else []))
        with start_server(folder) as server:
            yield server


def put(server: LiveServer, numbers: dict[str, str]) -> None:
    rows = [{"id": name, "current_value": value} for name, value in numbers.items()]
    answer = http.put(
        f"{server.url}/v2/feeds/{server.feed_id}.json",
        json={"version": "1.0.0", "datastreams": rows},
        headers={"X-ApiKey": server.api_key},
        timeout=60,
    )
    answer.raise_for_status()


http = requests.Session()


def signed_in(browser: Browser, server: LiveServer) -> Page:
    """A window of the owner's."""
    page = browser.new_context(viewport=VIEW).new_page()
    page.set_default_timeout(60_000)
    page.goto(server.welcome_url)
    return page


def spread(figures: list[float]) -> tuple[float, float]:
    """The 50th and the 95th of a hundred; n >= 2."""
    cuts = quantiles(figures, n=20, method="inclusive")
    return cuts[9], cuts[18]


def one_chart(browser: Browser, count: int, rounds: int) -> list[Result]:
    """Click a range, or zoom, until a week of a channel is drawn."""
    with serving("points", count, "archived") as server:
        page = signed_in(browser, server)
        name = f"chart of {count:,} points in a week"
        results = [
            *clicks(page, server.url, server.feed_id, "archived", f"{name}, archived", rounds),
            *zooms(page, f"{name}, zoomed in twice and out", "archived", rounds),
        ]
        feed_id = write_week(server, count)
        results += clicks(page, server.url, feed_id, "written", f"{name}, just written", rounds)
        page.context.close()
    return results


def write_week(server: LiveServer, count: int) -> int:
    """A second device, and a week of its channel `written` by way of the API."""
    headers = {"X-ApiKey": server.master_key()}
    made = http.post(f"{server.url}/v2/feeds.json", json={"title": "Second", "version": "1.0.0", "datastreams": [{"id": "written"}]}, headers=headers, timeout=60)  # fmt: skip
    feed_id = int(made.headers["Location"].rpartition("/")[2])
    address = f"{server.url}/v2/feeds/{feed_id}/datastreams/written/datapoints.json"
    rows = values(count, time.time() - WEEK_S)
    while part := list(islice(rows, POINTS_PER_WRITE)):
        points = [{"at": iso(at_s), "value": value} for at_s, value in part]
        http.post(address, json={"datapoints": points}, headers=headers, timeout=60).raise_for_status()  # fmt: skip
    return feed_id


def iso(at_s: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(at_s)) + f".{int(at_s % 1 * 1e6):06}Z"


def clicks(
    page: Page, url: str, feed_id: int, channel: str, name: str, rounds: int
) -> list[Result]:
    page.goto(f"{url}/feeds/{feed_id}")
    page.wait_for_selector(f'[data-key="{channel}"] .chart[data-points]')
    drawn = [
        drawn_after(page, RANGE.format("1w"), channel, RANGE.format("1h")) for _ in range(rounds)
    ]
    return [drawn_result(name, drawn, f"{page.evaluate(WIDTH, channel)} px wide")]


def zooms(page: Page, name: str, channel: str, rounds: int) -> list[Result]:
    drawn = []
    for kind in islice(cycle(["closer", "closer", "wider", "wider"]), rounds):
        drawn.append(page.evaluate(CLICK_TO_DRAWN, [f"[data-move={kind}]", channel]))
    return [drawn_result(name, drawn, "every click of a zoom")]


def drawn_after(page: Page, button: str, channel: str, before: str) -> list[float]:
    page.evaluate(CLICK_TO_DRAWN, [before, channel])
    page.wait_for_timeout(50)
    drawn: list[float] = page.evaluate(CLICK_TO_DRAWN, [button, channel])
    return drawn


def drawn_result(name: str, drawn: list[list[float]], note: str) -> Result:
    p50, p95 = spread([ms for ms, _ in drawn])
    note = f"p95 {p95:.0f} ms; {len(drawn)} clicks; {max(points for _, points in drawn):.0f} steps drawn, {note}"  # fmt: skip
    return Result(f"web: {name}, click to drawn", "p50 <= 100", p50, "ms", ok=p50 <= 100, note=note)


def live_charts(browser: Browser, seconds: int) -> list[Result]:
    """A wall of live charts: what the browser takes, and whether it grows."""
    names = [f"probe_{number:02}" for number in range(LIVE_CHANNELS)]
    with serving() as server:
        put(server, dict.fromkeys(names, "20"))
        page = signed_in(browser, server)
        page.goto(f"{server.url}/wall/?feed={server.feed_id}")
        page.wait_for_function(ALL_DRAWN, arg=LIVE_CHANNELS)
        with writing(server, names) as written:
            found, rate = watched(browser, page, seconds, written)
        drawn = page.evaluate("Number(document.querySelector('.chart').dataset.points)")
        page.context.close()
    name = f"web: {LIVE_CHANNELS} live charts at {LIVE_PER_S} values a second"
    half = len(found) // 2
    early, late = (mean(heap for _, heap in part) for part in (found[:half], found[half:]))
    heaps = ", ".join(f"{heap:.1f}" for _, heap in found)
    return [
        Result(f"{name}, browser", "", mean(cpu for cpu, _ in found), "% of one core", note=f"all its processes; {rate:.0f} values/s came, {drawn} points a chart at the end"),
        Result(f"{name}, JavaScript heap over {seconds} s", "no growth", late, "MB", ratio=late / early, ok=late <= early * 1.1, note=f"second half to first, after garbage collection: {heaps}"),
    ]  # fmt: skip


@contextmanager
def writing(server: LiveServer, names: list[str]) -> Iterator[Callable[[], int]]:
    """Write to all channels at once, LIVE_PER_S times a second; yields how many values so far."""
    is_over = threading.Event()
    count = 0

    def write() -> None:
        nonlocal count
        dice = random.Random(7)
        due_s = time.monotonic()
        while not is_over.is_set():
            put(server, {name: f"{20 + dice.gauss(0, 1):.2f}" for name in names})
            count += len(names)
            due_s = max(due_s + 1 / LIVE_PER_S, time.monotonic() - 1)
            is_over.wait(max(0.0, due_s - time.monotonic()))

    thread = threading.Thread(target=write)
    thread.start()
    try:
        yield lambda: count
    finally:
        is_over.set()
        thread.join()


def watched(
    browser: Browser, page: Page, seconds: int, written: Callable[[], int]
) -> tuple[list[tuple[float, float]], float]:
    """(CPU in % of a core, JavaScript heap in MB) every SAMPLE_S of a warm page; values a second."""
    whole, own = browser.new_browser_cdp_session(), page.context.new_cdp_session(page)
    own.send("Performance.enable")
    found = []
    page.wait_for_timeout(min(seconds, 30) * 1000)
    first_count, first_s = written(), time.monotonic()
    for _ in range(max(2, round(seconds / SAMPLE_S))):
        before_s, started_s = cpu_s(whole), time.monotonic()
        page.wait_for_timeout(SAMPLE_S * 1000)
        share = (cpu_s(whole) - before_s) / (time.monotonic() - started_s) * 100
        own.send("HeapProfiler.collectGarbage")
        metrics = {
            one["name"]: one["value"] for one in own.send("Performance.getMetrics")["metrics"]
        }
        found.append((share, metrics["JSHeapUsedSize"] / 2**20))
    return found, (written() - first_count) / (time.monotonic() - first_s)


def cpu_s(session: CDPSession) -> float:
    return float(
        sum(one["cpuTime"] for one in session.send("SystemInfo.getProcessInfo")["processInfo"])
    )


def many_devices(browser: Browser, count: int, rounds: int) -> list[Result]:
    """Lists, searches and maps, asked by one after the other; and the first page in a browser."""
    with serving("devices", count) as server:
        page = signed_in(browser, server)
        session = requests.Session()
        for cookie in page.context.cookies():
            session.cookies.set(cookie["name"], cookie["value"])
        paths = asked_paths(server, count)
        results = [
            page_result(session, server.url, f"web: {count:,} devices, {kind}", path_of, rounds)
            for kind, path_of in paths.items()
        ]
        results += first_page(browser, page, f"{server.url}/", f"first page of {count:,} devices")
        results += first_page(
            browser, page, f"{server.url}/feeds/{server.feed_id}", "a device's page"
        )
        page.context.close()
    return results


def asked_paths(server: LiveServer, count: int) -> dict[str, Callable[[random.Random], str]]:
    def part(dice: random.Random) -> str:
        west, south = dice.uniform(-180, 140), dice.uniform(-60, 40)
        return f"/map/places?west={west}&south={south}&east={west + 40}&north={south + 25}&zoom=5"

    words = ["roof", "attic temperature", "harbour", "node 77", "row 3", "greenhouse humi", "cellr"]
    return {
        "list": lambda dice: f"/?page={dice.randrange(1, count // 25)}",
        "list of all I may see": lambda _: "/?scope=all",
        "search": lambda dice: f"/?q={dice.choice(words)}",
        "map page": lambda _: "/map/",
        "map, the whole world": lambda _: (
            "/map/places?west=-180&south=-85&east=180&north=85&zoom=2"
        ),
        "map, a part": part,
        "map, a search": lambda dice: f"{part(dice)}&q={dice.choice(words)}",
        "device page": lambda dice: f"/feeds/{dice.randrange(2, count)}",
    }


def page_result(
    session: requests.Session, url: str, name: str, path_of: Callable[[random.Random], str], rounds: int
) -> Result:  # fmt: skip
    dice = random.Random(3)
    times_ms, sizes = [], []
    session.get(url + path_of(dice), timeout=60)  # the first of a kind imports what it needs
    for _ in range(rounds):
        path = path_of(dice)
        started_s = time.perf_counter()
        answer = session.get(url + path, timeout=60)
        times_ms.append((time.perf_counter() - started_s) * 1000)
        answer.raise_for_status()
        sizes.append(len(answer.content))
    p50, p95 = spread(times_ms)
    note = f"p50 {p50:.0f} ms; {rounds} requests of {mean(sizes) / 1024:.0f} KB"
    return Result(name, "p95 <= 200", p95, "ms p95", ok=p95 <= 200, note=note)


def first_page(browser: Browser, page: Page, url: str, name: str) -> list[Result]:
    """With an empty cache: what comes over the wire, and when it has been loaded and run."""
    times_ms, sizes_bytes = [], []
    for _ in range(5):
        context = browser.new_context(viewport=VIEW, storage_state=page.context.storage_state())
        fresh = context.new_page()
        session = context.new_cdp_session(fresh)
        session.send("Network.enable")
        came: list[float] = []
        session.on(
            "Network.loadingFinished",
            lambda event, came=came: came.append(event["encodedDataLength"]),
        )
        fresh.goto(url, wait_until="load")
        times_ms.append(fresh.evaluate(LOADED))
        fresh.wait_for_timeout(500)
        sizes_bytes.append(sum(came))
        context.close()
    size_kb, time_ms = max(sizes_bytes) / 1024, sorted(times_ms)[2]
    return [
        Result(f"web: {name}, transferred", "<= 200", size_kb, "KB", ok=size_kb <= 200, note="empty cache, all that it asks for in half a second"),
        Result(f"web: {name}, loaded and run", "<= 1000", time_ms, "ms", ok=time_ms <= 1000, note="median of 5; the page's scripts have run"),
    ]  # fmt: skip
