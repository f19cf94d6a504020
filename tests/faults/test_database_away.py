"""The database server goes away while a tank runs, and comes back: devices notice nothing."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
import requests
from tests.database_servers import KINDS, DatabaseServer, OwnServer, own_server, shared_server
from tests.live_server import LiveServer, start_server
from tests.needed import run_folder


@pytest.fixture(params=KINDS)
def database(request: pytest.FixtureRequest) -> Iterator[OwnServer]:
    with own_server(request.param, is_durable=True) as own:  # it is killed, and must lose nothing
        yield own


def put(server: LiveServer, value: str) -> int:
    """Write a value of a channel that there is."""
    url = f"{server.url}/v2/feeds/{server.feed_id}.json"
    document = {"version": "1.0.0", "datastreams": [{"id": "level", "current_value": value}]}
    headers = {"X-ApiKey": server.api_key}
    return requests.put(url, json=document, headers=headers, timeout=30).status_code


def new_device(server: LiveServer, key: str) -> requests.Response:
    headers = {"X-ApiKey": key}
    url = f"{server.url}/v2/feeds.json"
    return requests.post(
        url, json={"title": "New", "version": "1.0.0"}, headers=headers, timeout=30
    )


def test_devices_write_on_while_the_database_is_away_and_all_is_well_when_it_is_back(
    database: OwnServer, tmp_path: Path
) -> None:
    url = database.server.url(database.server.new_database())
    with start_server(tmp_path, "--database", url, is_furnished=False) as server:
        browser = requests.Session()
        assert browser.get(server.welcome_url, timeout=30).status_code == 200
        key = server.master_key()
        assert put(server, "1") == 200
        assert new_device(server, key).status_code == 201

        database.stop()
        assert put(server, "2") == 200
        refused = new_device(server, key)
        assert refused.status_code == 503, refused.text
        page = browser.get(f"{server.url}/", timeout=30)
        assert page.status_code == 503
        assert "its database does not answer" in page.text
        assert int(page.headers["Retry-After"]) > 0
        assert put(server, "3") == 200

        database.start()
        assert new_device(server, key).status_code == 201
        assert browser.get(f"{server.url}/", timeout=30).status_code == 200
        assert put(server, "4") == 200
        history = requests.get(
            f"{server.url}/v2/feeds/{server.feed_id}/datastreams/level.json?duration=1hour",
            headers={"X-ApiKey": server.api_key},
            timeout=30,
        )
        assert [point["value"] for point in history.json()["datapoints"]] == ["1", "2", "3", "4"]
    assert "Traceback" not in server.output()
    assert "directory_write_failed" in server.output()


@contextmanager
def taken_away(database: DatabaseServer, name: str) -> Iterator[None]:
    """Hang up on whoever uses a database, and hold its lock as another Thing Tank would."""
    with psycopg.connect(database.url(name).replace("postgres:", "postgresql:")) as other:
        held = other.execute(
            "SELECT classid, objid FROM pg_locks WHERE locktype = 'advisory' AND granted"
            " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
        ).fetchone()
        assert held is not None
        other.execute(
            "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        take = "SELECT pg_try_advisory_lock(%s::bigint::bit(32)::int, %s::bigint::bit(32)::int)"
        assert other.execute(take, held).fetchone() == (True,)
        yield


def test_a_server_whose_database_another_has_taken_changes_nothing_there_and_says_so(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    with shared_server("postgresql", run_folder(tmp_path_factory)) as database:
        name = database.furnished_database()
        url = database.url(name)
        with start_server(tmp_path, "--database", url, is_furnished=False) as server:
            key = server.master_key()
            assert put(server, "1") == 200
            with taken_away(database, name):
                assert new_device(server, key).status_code == 503
                assert put(server, "2") == 200
                unready = requests.get(f"{server.url}/readyz", timeout=30)
                assert unready.status_code == 503
                assert unready.json()["checks"]["database"] == "failing"
            assert new_device(server, key).status_code == 503
            page = requests.get(server.welcome_url, timeout=30)  # its link would be used up
            assert page.status_code == 503
            assert "another Thing Tank has taken" in page.text
        said = server.output()
        database.drop(name)
    assert "database_taken_by_another_tank" in said
    assert "stop one of the two, then start this one anew" in said
    assert "Traceback" not in said
