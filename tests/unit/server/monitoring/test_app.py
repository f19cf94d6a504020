"""Health, readiness and metrics as programs ask for them, and who is told what."""

import asyncio
from typing import Any

import httpx
import pytest
import structlog.testing

from thingtank.server.cannot_start import CannotStart
from thingtank.server.monitoring.app import MonitoringApp
from thingtank.server.monitoring.readers import Readers
from thingtank.server.monitoring.readiness import Phase, Readiness
from thingtank.server.monitoring.sample import Sample
from thingtank.server.monitoring.settings import MetricsSettings
from thingtank.server.trusted_proxies import TrustedProxies


class FewSamples:
    async def take(self) -> list[Sample]:
        return [Sample("thingtank_devices", 7)]


async def is_admin(headers: list[tuple[bytes, bytes]]) -> bool:
    return (b"cookie", b"session=admin") in headers


class Asking:
    """An app to ask, and what it asks itself.

    Attributes:
        holds: what each check answers, by name.
    """

    def __init__(self, settings: MetricsSettings | None = None, proxies: tuple[str, ...] = ()):
        self.readiness = Readiness()
        self.readiness.phase = Phase.RUNNING
        self.holds: dict[str, bool] = {}
        self.is_failing = False
        readers = Readers(settings or MetricsSettings(), is_admin)
        samples: Any = FewSamples()
        app: Any = MonitoringApp(self.readiness, samples, readers, lambda: self.is_failing)
        self._app = TrustedProxies(app, proxies) if proxies else app

    def add_check(self, name: str, holds: bool) -> None:
        self.holds[name] = holds

        async def check() -> bool:
            return self.holds[name]

        self.readiness.add(name, check)

    async def get(self, path: str, client: str = "127.0.0.1", **headers: str) -> httpx.Response:
        transport = httpx.ASGITransport(self._app, client=(client, 1))
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as http:
            return await http.get(
                path, headers={name.replace("_", "-"): each for name, each in headers.items()}
            )


@pytest.mark.parametrize(
    ("is_failing", "status", "word"), [(False, 200, "ok"), (True, 503, "failing")]
)
async def test_health_is_told_without_details(is_failing: bool, status: int, word: str) -> None:
    asking = Asking()
    asking.is_failing = is_failing
    reply = await asking.get("/healthz", "203.0.113.7")
    assert (reply.status_code, reply.json()["status"]) == (status, word)
    assert "/" not in reply.json().get("reason", "")
    assert reply.headers["cache-control"] == "no-store"


@pytest.mark.parametrize("phase", [Phase.STARTING, Phase.STOPPING])
async def test_nobody_is_sent_to_a_server_that_starts_or_stops(phase: Phase) -> None:
    asking = Asking()
    asking.readiness.phase = phase
    reply = await asking.get("/readyz")
    assert (reply.status_code, reply.json()) == (503, {"status": phase.value})


async def test_each_check_is_named_to_this_machine_and_strangers_get_the_sum() -> None:
    asking = Asking()
    asking.add_check("journal", True)
    asking.add_check("database", False)
    near = await asking.get("/readyz")
    assert near.status_code == 503
    assert near.json() == {
        "status": "failing",
        "checks": {"journal": "ok", "database": "failing"},
    }
    far = await asking.get("/readyz", "203.0.113.7")
    assert (far.status_code, far.json()) == (503, {"status": "failing"})


async def test_a_check_that_raises_or_never_answers_does_not_hold(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("thingtank.server.monitoring.readiness.CHECK_S_MAX", 0.05)
    asking = Asking()

    async def raises() -> bool:
        raise OSError("gone")

    async def never() -> bool:
        await asyncio.Event().wait()
        return True

    asking.readiness.add("broken", raises)
    asking.readiness.add("stuck", never)
    asking.add_check("fine", True)
    checks = (await asking.get("/readyz")).json()["checks"]
    assert checks == {"broken": "failing", "stuck": "failing", "fine": "ok"}


async def test_a_check_that_hangs_is_not_begun_again_before_it_ends(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("thingtank.server.monitoring.readiness.CHECK_S_MAX", 0.01)
    monkeypatch.setattr("thingtank.server.monitoring.readiness.KEPT_S", 0.0)
    asking, answers, count = Asking(), asyncio.Event(), 0

    async def hangs() -> bool:  # as the thread does that waits for a database
        nonlocal count
        count += 1
        await answers.wait()
        return True

    asking.readiness.add("database", hangs)
    for _ in range(3):
        assert (await asking.get("/readyz")).json()["checks"] == {"database": "failing"}
    assert count == 1
    answers.set()
    assert (await asking.get("/readyz")).json()["checks"] == {"database": "ok"}
    assert (await asking.get("/readyz")).json()["checks"] == {"database": "ok"}
    assert count > 1


async def test_asking_often_asks_the_database_once(monkeypatch: pytest.MonkeyPatch) -> None:
    asking = Asking()
    count = 0

    async def counted() -> bool:
        nonlocal count
        count += 1
        await asyncio.sleep(0.01)
        return True

    asking.readiness.add("database", counted)
    await asyncio.gather(*(asking.get("/readyz") for _ in range(20)))
    assert count == 1
    monkeypatch.setattr("thingtank.server.monitoring.readiness.KEPT_S", 0.0)
    await asking.get("/readyz")
    assert count == 2


async def test_a_check_that_fails_is_logged_when_it_begins_and_when_it_ends(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("thingtank.server.monitoring.readiness.KEPT_S", 0.0)
    asking = Asking()
    asking.add_check("journal", True)
    with structlog.testing.capture_logs() as logs:
        for holds in (True, False, False, True, True):
            asking.holds["journal"] = holds
            await asking.get("/readyz")
    told = [(each["event"], each["check"]) for each in logs]
    assert told == [("readiness_lost", "journal"), ("readiness_recovered", "journal")]


TOKEN = "a token that is long enough"


@pytest.fixture
def token_settings(monkeypatch: pytest.MonkeyPatch) -> MetricsSettings:
    monkeypatch.setenv("WATCHER_TOKEN", TOKEN)
    return MetricsSettings(allowed_networks=("10.1.0.0/16",), token_variable="WATCHER_TOKEN")


@pytest.mark.parametrize(
    ("client", "headers", "status"),
    [
        ("10.1.2.3", {}, 200),
        ("::ffff:10.1.2.3", {}, 200),
        ("10.2.2.3", {}, 403),
        ("127.0.0.1", {}, 403),  # not among the networks of the setting
        ("10.1.2.3", {"x_forwarded_for": "203.0.113.7"}, 403),
        ("10.1.2.3", {"forwarded": "for=203.0.113.7"}, 403),
        ("203.0.113.7", {"authorization": f"Bearer {TOKEN}"}, 200),
        ("203.0.113.7", {"authorization": f"bearer {TOKEN}"}, 200),
        ("203.0.113.7", {"authorization": f"Bearer {TOKEN}x"}, 403),
        ("203.0.113.7", {"authorization": "Bearer "}, 403),
        ("203.0.113.7", {"authorization": f"Basic {TOKEN}"}, 403),
        ("203.0.113.7", {"cookie": "session=admin"}, 200),
        ("203.0.113.7", {"cookie": "session=somebody"}, 403),
        ("not an address", {}, 403),
    ],
    ids=str,
)
async def test_metrics_are_for_networks_the_token_and_admins(
    token_settings: MetricsSettings, client: str, headers: dict[str, str], status: int
) -> None:
    reply = await Asking(token_settings).get("/metrics", client, **headers)
    assert reply.status_code == status
    assert ("thingtank_devices 7.0" in reply.text) is (status == 200)


@pytest.mark.parametrize(
    ("proxy", "headers", "status"),
    [
        ("10.0.0.2", {"x_forwarded_for": "::1"}, 200),
        ("10.0.0.2", {"x_forwarded_for": "127.0.0.1"}, 200),
        ("10.0.0.2", {"x_forwarded_for": "203.0.113.7"}, 403),
        ("10.0.0.2", {"x_forwarded_for": "127.0.0.1, 203.0.113.7"}, 403),
        # Only this header is read, and a proxy's own address is not its client's.
        ("127.0.0.1", {"x_real_ip": "203.0.113.7"}, 403),
        ("127.0.0.1", {"forwarded": "for=203.0.113.7"}, 403),
    ],
    ids=str,
)
async def test_a_known_proxys_word_for_whom_it_asks_is_taken(
    proxy: str, headers: dict[str, str], status: int
) -> None:
    asking = Asking(proxies=(proxy,))
    assert (await asking.get("/metrics", proxy, **headers)).status_code == status


async def test_an_unknown_proxy_beside_a_known_one_is_not_this_machine() -> None:
    asking = Asking(proxies=("10.0.0.2",))
    reply = await asking.get("/metrics", "127.0.0.1", x_forwarded_for="203.0.113.7")
    assert reply.status_code == 403
    assert (await asking.get("/metrics", "127.0.0.1")).status_code == 200


async def test_no_token_set_is_no_token_right() -> None:
    reply = await Asking().get("/metrics", "203.0.113.7", authorization="Bearer ")
    assert reply.status_code == 403


def test_a_token_that_cannot_be_read_is_named_at_the_start() -> None:
    with pytest.raises(CannotStart, match=r"token of metrics /nowhere/token cannot be read"):
        Asking(MetricsSettings(token_file="/nowhere/token"))


async def test_only_get_is_answered() -> None:
    transport = httpx.ASGITransport(Asking()._app, client=("127.0.0.1", 1))
    async with httpx.AsyncClient(transport=transport, base_url="http://tank.test") as http:
        assert (await http.post("/metrics")).status_code == 405


@pytest.mark.parametrize(
    ("host", "is_told"),
    [
        ("127.0.0.1:8000", True),
        ("[::1]:8000", True),
        ("10.0.0.7", True),  # as a load balancer asks by address
        ("localhost", True),
        ("evil.example:8000", False),  # a name that leads here, of a page in a browser
        ("127.0.0.1.evil.example", False),
        ("?", False),
    ],
)
async def test_what_is_for_this_machine_is_not_told_to_pages_of_other_names(
    host: str, is_told: bool
) -> None:
    asking = Asking()
    asking.add_check("journal", True)
    assert ("checks" in (await asking.get("/readyz", host=host)).json()) is is_told
    assert (await asking.get("/metrics", host=host)).status_code == (200 if is_told else 403)
