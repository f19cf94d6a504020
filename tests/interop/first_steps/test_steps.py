"""The steps on the first page: each is done by doing it, and all of them disappear."""

import re

import pytest
import requests
from tests.interop.first_steps.newcomer import Newcomer
from tests.live_server import LiveServer

PASSWORD = "seven green kettles"
STEPS = ["See values arrive", "Connect a device of your own", "Be told when something happens", "Set a password"]  # fmt: skip
STEP = re.compile(r'<li class="step( step--done)?">.*?<p class="step__title">(.*?)</p>', re.DOTALL)


@pytest.fixture
def newcomer(server: LiveServer) -> Newcomer:
    return Newcomer(server)


def done(newcomer: Newcomer, path: str = "/") -> list[str]:
    found = STEP.findall(newcomer.get(path))
    assert [title for _, title in found] == STEPS
    return [title for mark, title in found if mark]


def write(newcomer: Newcomer, feed_id: int) -> None:
    reply = requests.put(
        f"{newcomer.server.url}/v2/feeds/{feed_id}.json",
        json={"datastreams": [{"id": "temperature", "current_value": "21.5"}]},
        headers={"X-ApiKey": newcomer.secret(feed_id, "key")},
        timeout=20,
    )
    assert reply.status_code == 200


def test_each_step_is_done_by_doing_it_and_all_of_them_disappear(newcomer: Newcomer) -> None:
    assert done(newcomer) == []
    feed_id = newcomer.add_device("Roof")
    assert done(newcomer) == []
    write(newcomer, feed_id)
    assert done(newcomer) == STEPS[:2]
    trigger = {"environment_id": feed_id, "stream_id": "temperature", "url": "http://127.0.0.1:9/", "threshold_value": "30", "trigger_type": "gt"}  # fmt: skip
    made = requests.post(
        f"{newcomer.server.url}/v2/triggers.json",
        json=trigger,
        headers={"X-ApiKey": newcomer.master_key},
        timeout=20,
    )
    assert made.status_code == 201, made.text
    assert done(newcomer) == STEPS[:3]
    newcomer.post("/account/password", form_at="/account/password", new_password1=PASSWORD, new_password2=PASSWORD)  # fmt: skip
    assert 'id="start"' not in newcomer.get("/")
    assert done(newcomer, "/start/") == STEPS


def test_a_hidden_list_of_steps_stays_hidden_for_that_account_alone(
    newcomer: Newcomer, server: LiveServer
) -> None:
    assert 'id="start"' in newcomer.get("/")
    newcomer.post("/start/dismiss", form_at="/")
    assert 'id="start"' not in newcomer.get("/")
    other = Newcomer(server)
    other.browser.cookies.update(  # the same browser, somebody else
        {name: value for name, value in newcomer.browser.cookies.items() if "_started_" in name}
    )
    assert 'id="start"' in other.get("/")


def test_each_way_leads_to_a_new_device_or_to_the_one_that_waits(newcomer: Newcomer) -> None:
    page = newcomer.get("/")
    assert 'href="/devices/add?with=mqtt" data-dialog' in page
    feed_id = newcomer.add_device("Roof", way="mqtt")
    assert f'href="/feeds/{feed_id}?with=mqtt#connect"' in newcomer.get("/")
    write(newcomer, feed_id)
    assert 'href="/devices/add?with=mqtt" data-dialog' in newcomer.get("/")
    assert f'href="/feeds/{feed_id}#triggers"' in newcomer.get("/")


def test_nonsense_in_the_address_chooses_the_first_way(newcomer: Newcomer) -> None:
    feed_id = newcomer.add_device("Roof", way='"><b>')
    page = newcomer.get(f'/feeds/{feed_id}?with="><b>')
    assert 'value="curl" checked' in page
    assert page.count(" checked><span>") == 1
