"""The weather station's page: who sees what, and how a bound feed fills it."""

import re

import requests
from tests.interop.weather.conftest import PASSWORD, Weather, csrf_of, signed_in
from tests.waiting import wait_until


def made_feed(weather: Weather, title: str, *, private: bool = True) -> tuple[int, dict[str, str]]:
    """A feed of the account "reader", and the headers that write to it."""
    words = ["device", "create", title, "--owner", "reader"]
    made = weather.server.command(*words, *([] if private else ["--public"]))
    return int(str(made["feed_id"])), {"X-ApiKey": str(made["api_key"])}


def write(weather: Weather, feed_id: int, headers: dict[str, str], value: str) -> None:
    body = {
        "location": {"name": "Roof, east side", "lat": 30.733315, "lon": 76.779418},
        "datastreams": [{"id": "temperature", "current_value": value}],
    }
    url = f"{weather.url}/v2/feeds/{feed_id}.json"
    assert requests.put(url, json=body, headers=headers, timeout=20).ok


def post(weather: Weather, session: requests.Session, path: str, **form: str) -> requests.Response:
    form["csrfmiddlewaretoken"] = csrf_of(session)
    return session.post(weather.url + path, data=form, timeout=20)


def temperature_in(text: str) -> str | None:
    found = re.search(r'id="temperature">([^<]*)<', text)
    return found[1] if found else None


def test_a_bound_feed_fills_the_station_for_who_may_see_the_feed(weather: Weather) -> None:
    feed_id, headers = made_feed(weather, "Roof of the reader")
    write(weather, feed_id, headers, "21.5")  # before it is bound: it is read from the archive
    bound = post(weather, weather.other, "/weather/bind", feed_id=str(feed_id))
    assert bound.url == f"{weather.url}/weather/?feed={feed_id}"

    def shown(session: requests.Session) -> requests.Response:
        return session.get(f"{weather.url}/weather/?feed={feed_id}", timeout=20)

    wait_until(lambda: temperature_in(shown(weather.other).text) == "21.5")
    write(weather, feed_id, headers, "warm")  # no number
    write(weather, feed_id, headers, "-3")
    wait_until(lambda: temperature_in(shown(weather.other).text) == "-3")
    page = shown(weather.other).text
    assert 'data-lat="30.733315" data-lon="76.779418" data-name="Roof, east side"' in page
    address = f"{weather.url}/weather/chart/{feed_id}?range=1h&width=400"
    chart = weather.other.get(address, timeout=20).json()
    assert (min(chart["minimum"]), max(chart["maximum"])) == (-3, 21.5)
    assert temperature_in(shown(weather.admin).text) == "-3"  # admins see every feed
    stranger = requests.Session()
    assert shown(stranger).status_code == 404
    assert stranger.get(address, timeout=20).status_code == 404
    assert "-3" not in stranger.get(f"{weather.url}/weather/", timeout=20).text
    weather.server.command("user", "create", "third", "--password", PASSWORD)
    third = signed_in(weather.server, "third")
    assert shown(third).status_code == 404
    assert third.get(address, timeout=20).status_code == 404
    assert post(weather, third, f"/weather/unbind/{feed_id}").status_code == 404
    refused = post(weather, third, "/weather/bind", feed_id=str(feed_id))
    assert "You have no such feed." in refused.text
    assert post(weather, weather.other, f"/weather/unbind/{feed_id}").ok
    assert shown(weather.other).status_code == 404


def test_strangers_see_what_public_feeds_say_and_a_deleted_feed_is_gone(weather: Weather) -> None:
    feed_id, headers = made_feed(weather, "Weather for all", private=False)
    assert post(weather, weather.other, "/weather/bind", feed_id=str(feed_id)).ok
    address = f"{weather.url}/weather/?feed={feed_id}"
    assert "Waiting for a first temperature" in requests.get(address, timeout=20).text
    write(weather, feed_id, headers, "17")
    wait_until(lambda: temperature_in(requests.get(address, timeout=20).text) == "17")
    weather.server.command("device", "delete", str(feed_id), "--yes")
    assert requests.get(address, timeout=20).status_code == 404


def test_an_admin_types_a_reading_in_as_the_book_does(weather: Weather) -> None:
    form = {
        "timestamp": "1393926308",
        "temperature": "25",
        "lat": "30.733315",
        "lon": "76.779418",
    }
    path = "/admin/weather/temperaturedata/add/"
    added = post(weather, weather.admin, path, **form)
    assert added.url == f"{weather.url}/admin/weather/temperaturedata/", added.text
    assert "was added successfully" in added.text
    address = f"{weather.url}/weather/?feed=0"
    page = weather.other.get(address, timeout=20).text
    assert temperature_in(page) == "25"
    assert 'datetime="2014-03-04T09:45:08Z"' in page
    assert requests.get(address, timeout=20).status_code == 404  # strangers see none of it
    assert requests.get(f"{weather.url}/weather/chart/0", timeout=20).status_code == 404
    wrong = post(weather, weather.admin, path, **{**form, "temperature": "warm", "lat": "91"})
    assert "It must be a number." in wrong.text
    assert "less than or equal to 90" in wrong.text
    assert post(weather, weather.other, path, **form).status_code == 403


def test_a_chart_of_nonsense_is_refused(weather: Weather) -> None:
    asked = {
        "0?range=2h": 400,
        "0?range=1h&width=x": 400,
        "0?range=1h&width=" + "9" * 30: 400,
        "0?start=5&end=x": 400,
        "0?start=5&end=5": 400,
        "0?start=1750000000&end=1750003600.5&width=900": 200,
        "x": 404,
        "9" * 30: 404,
    }
    for path, status in asked.items():
        answer = weather.admin.get(f"{weather.url}/weather/chart/{path}", timeout=20)
        assert answer.status_code == status, path
    assert weather.admin.post(f"{weather.url}/weather/", timeout=20).status_code == 403
