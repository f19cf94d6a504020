"""The map and the wall show each role what it may see, and nothing else."""

import json
from collections.abc import Iterator

import pytest
import requests
from tests.interop.test_public_pages import ROLES, World
from tests.live_server import start_server

from thingtank.web.workbench.wall import CHARTS_MAX

WHOLE_WORLD = "west=-180&south=-90&east=180&north=90&zoom=18"


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with start_server(tmp_path_factory.mktemp("data")) as server:
        yield World(server)


def get(world: World, role: str, path: str, **options: bool) -> requests.Response:
    return world.browsers[role].get(world.server.url + path, timeout=20, allow_redirects=False, **options)  # fmt: skip


def seen(world: World, role: str, *, is_all: bool) -> set[str]:
    """Kinds of feeds that a role finds on the map, one by one and counted."""
    scope = "&scope=all" if is_all else ""
    part = get(world, role, f"/map/places?{WHOLE_WORLD}{scope}").json()
    listed = get(world, role, f"/map/places?{WHOLE_WORLD}{scope}&list=1").json()
    counted = len(part["spots"]) + sum(group["count"] for group in part["groups"])
    assert part["placed_count"] == counted == listed["count"] == len(listed["spots"])
    kinds = {feed_id: kind for kind, feed_id in world.feed_ids.items()}
    return {kinds[spot["id"]] for spot in listed["spots"]}


def test_the_map_shows_each_role_what_it_may_see(world: World) -> None:
    mine = {role: seen(world, role, is_all=False) for role in ROLES if role != "stranger"}
    every = {role: seen(world, role, is_all=True) for role in ROLES if role != "stranger"}
    assert mine == {"other": set(), "owner": {"public", "private"}, "admin": set()}
    both = {"public", "private"}
    assert every == {"other": {"public"}, "owner": both, "admin": both}
    for path in ("/map/", f"/map/places?{WHOLE_WORLD}", "/wall/"):
        assert get(world, "stranger", path).status_code == 302


@pytest.mark.parametrize("wrong", ["", "west=x", WHOLE_WORLD.replace("-180", "nan"), WHOLE_WORLD.replace("=90", "=91"), WHOLE_WORLD.replace("=18", "=99"), WHOLE_WORLD.replace("south=-90", "south=90").replace("north=90", "north=-90")])  # fmt: skip
def test_a_part_of_the_map_that_is_none_is_refused(world: World, wrong: str) -> None:
    assert get(world, "owner", f"/map/places?{wrong}").status_code == 400


@pytest.mark.parametrize("role", ROLES)
def test_the_wall_and_its_stream_hold_what_each_role_may_see(world: World, role: str) -> None:
    ids = [world.feed_ids[kind] for kind in ("public", "private", "missing")]
    query = "&".join(f"feed={feed_id}" for feed_id in ids)
    allowed = ids[:2] if role in ("owner", "admin") else ids[:1]
    if role != "stranger":
        page = get(world, role, f"/wall/?{query}").text
        assert [f'data-key="{feed_id}:t"' in page for feed_id in ids] == [i in allowed for i in ids]
        assert "The private one" not in page or len(allowed) == 2
    with get(world, role, f"/live/wall?{query}", stream=True) as stream:
        assert stream.status_code == 200
        lines = stream.iter_lines()
        hello = next(line for line in lines if line.startswith(b"data: "))
    found = json.loads(hello.removeprefix(b"data: "))
    assert found["channels"] == [f"{feed_id}:t" for feed_id in allowed]
    only_hidden = f"/live/wall?feed={ids[2]}" + ("" if len(allowed) == 2 else f"&feed={ids[1]}")
    assert get(world, role, only_hidden).status_code == (401 if role == "stranger" else 404)


def test_the_wall_tells_of_channels_that_it_has_no_room_for(world: World) -> None:
    made = world.server.command("device", "create", "Many")
    feed_id, headers = made["feed_id"], {"X-ApiKey": str(made["api_key"])}
    for count, is_cut in ((CHARTS_MAX, False), (CHARTS_MAX + 1, True)):
        rows = [{"id": f"c{number:02}", "current_value": "1"} for number in range(count)]
        url = f"{world.server.url}/v2/feeds/{feed_id}.json"
        reply = requests.put(url, json={"datastreams": rows}, headers=headers, timeout=20)
        assert reply.status_code == 200
        page = get(world, "admin", f"/wall/?feed={feed_id}").text
        assert page.count(f'data-key="{feed_id}:') == CHARTS_MAX
        assert (f"Only the first {CHARTS_MAX} channels are shown" in page) is is_cut
