"""Every directory is the same thing: one suite over the memory twin and the database."""

import asyncio
import threading
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.contract.directories import (
    OnDatabase,
    Opened,
    blocking_calls_allowed,
    draft,
    made,
    opened_directory,
)
from tests.contract.naive_search import naive_search

from thingtank.tank.errors import (
    NoSuchAccount,
    NoSuchDatastream,
    NoSuchDevice,
    NoSuchKey,
    StorageFailed,
    ValidationFailed,
)
from thingtank.tank.interfaces import DeviceQuery, Directory, Mark
from thingtank.tank.keys import ACCESS_METHODS, ApiKey, Permission, Resource
from thingtank.tank.things import Account, Datastream, Device, Location, Unit, Waypoint
from thingtank.tank.waypoints import WAYPOINTS_MAX

WAIT_S = 10


@pytest.fixture(params=["memory", "database"])
async def opened(request: pytest.FixtureRequest, database: Path) -> AsyncIterator[Opened]:
    async with opened_directory(request.param) as made:
        yield made


@pytest.fixture
def directory(opened: Opened) -> Directory:
    found: Directory = opened.directory
    return found


FULL = {
    "private": False,
    "description": "d" * 1000,
    "tags": ("a", "Ü,x"),
    "website": "w",
    "email": "e",
    "icon": "i",
    "location": Location("roof", 1.5, -2.5, "12", "fixed", "outdoor", "virtual"),
    "product_id": "AbCdEfGhIjKlMnOpQrSt",
    "device_serial": "0001",
    "located_us": 9,
}
FULL_TAGS = {"tags": ("a", "Ü,x")}


async def test_a_device_is_read_back_as_it_was_stored(opened: Opened, directory: Directory) -> None:
    device = await made(opened, **FULL)
    assert device.device_id > 0
    assert directory.get_device(device.device_id) == device
    assert msgspec.structs.replace(device, device_id=0) == draft(opened, **FULL)
    assert directory.find_device_by_uuid(device.uuid) == device
    assert directory.find_device_by_uuid("none") is None
    with pytest.raises(NoSuchDevice):
        directory.get_device(device.device_id + 1)


async def test_a_device_comes_with_datastreams_and_key(
    opened: Opened, directory: Directory
) -> None:
    streams = [Datastream(0, 0, "b", ("t",), Unit("", "C", "Celsius")), Datastream(0, 0, "a")]

    def key_for(device: Device) -> tuple[ApiKey, str]:
        resources = (Resource(device.device_id),)
        return ApiKey(0, device.account_id, "k", (Permission(("get",), resources),)), "sesame"

    device = await directory.insert_device(draft(opened), streams, "token", key_for)
    stored = directory.datastreams(device.device_id)
    assert list(stored) == ["a", "b"]
    assert stored["b"].unit == Unit("", "C", "Celsius")
    assert {stream.device_id for stream in stored.values()} == {device.device_id}
    key = directory.find_key("sesame")
    assert key is not None
    assert key.permissions[0].resources == (Resource(device.device_id),)
    assert directory.reveal_key(key.key_id) == "sesame"


async def test_a_change_sees_the_newest_value(opened: Opened, directory: Directory) -> None:
    device = await made(opened)
    for _ in range(3):
        await directory.update_device(
            device.device_id,
            lambda newest: msgspec.structs.replace(newest, title=newest.title + "!"),
        )
    assert directory.get_device(device.device_id).title == "Roof!!!"
    with pytest.raises(NoSuchDevice):
        await directory.update_device(999_999, lambda newest: newest)


async def test_datastreams_are_added_once_changed_and_deleted(
    opened: Opened, directory: Directory
) -> None:
    device = await made(opened)
    (first,) = await directory.insert_datastreams(device.device_id, [Datastream(0, 0, "t", ("x",))])
    (again,) = await directory.insert_datastreams(device.device_id, [Datastream(0, 0, "t")])
    assert again == first
    await directory.update_datastream(
        device.device_id, "t", lambda newest: msgspec.structs.replace(newest, unit=Unit(symbol="C"))
    )
    assert directory.datastreams(device.device_id)["t"].unit == Unit(symbol="C")
    gone = await directory.delete_datastream(device.device_id, "t")
    assert gone.stream_id == first.stream_id
    assert not directory.datastreams(device.device_id)
    with pytest.raises(NoSuchDatastream):
        await directory.delete_datastream(device.device_id, "t")
    (new,) = await directory.insert_datastreams(device.device_id, [Datastream(0, 0, "t")])
    assert new.stream_id > first.stream_id


async def test_nothing_is_stored_when_the_check_of_the_newest_state_raises(
    opened: Opened, directory: Directory
) -> None:
    device = await made(opened)

    def check_new(known: Mapping[str, Datastream]) -> None:
        if "t" in known:
            raise ValidationFailed([("id", "is taken")])

    both = await asyncio.gather(
        directory.insert_datastreams(device.device_id, [Datastream(0, 0, "t")], check_new),
        directory.insert_datastreams(
            device.device_id, [Datastream(0, 0, "u"), Datastream(0, 0, "t")], check_new
        ),
        return_exceptions=True,
    )
    assert isinstance(both[1], ValidationFailed)
    assert list(directory.datastreams(device.device_id)) == ["t"]
    key = await directory.insert_key(ApiKey(0, opened.alice.account_id, "k", ()), "first")

    def check_first(_newest: ApiKey) -> None:
        if directory.find_key("first") is None:
            raise NoSuchKey("it has another secret")

    renewed = await asyncio.gather(
        *(directory.replace_secret(key.key_id, secret, check_first) for secret in ("one", "two")),
        return_exceptions=True,
    )
    assert renewed[0] == key
    assert isinstance(renewed[1], NoSuchKey)
    assert directory.find_key("one") == key
    assert directory.find_key("two") is None


async def test_datastreams_that_are_gone_are_told_from_those_that_are_and_those_that_never_were(
    opened: Opened, directory: Directory
) -> None:
    device, other = await made(opened), await made(opened, "Other")
    first, second, third = await directory.insert_datastreams(
        device.device_id, [Datastream(0, 0, name) for name in "abc"]
    )
    (newest,) = await directory.insert_datastreams(other.device_id, [Datastream(0, 0, "t")])
    ids = [third.stream_id, second.stream_id, first.stream_id, newest.stream_id]
    never = newest.stream_id + 1
    assert list(await directory.missing_streams([*ids, never])) == []
    await directory.delete_datastream(device.device_id, "b")
    assert list(await directory.missing_streams([*ids, never])) == [second.stream_id]
    await directory.delete_device(device.device_id)
    assert list(await directory.missing_streams([*ids, never])) == ids[:3]
    await directory.delete_device(other.device_id)
    assert list(await directory.missing_streams(ids)) == []  # as where a directory was lost


async def test_a_directory_older_than_the_archive_gives_no_number_a_second_time(
    opened: Opened, directory: Directory
) -> None:
    from thingtank.web.catalog.directory import DjangoDirectory

    if not isinstance(directory, DjangoDirectory):
        return  # nobody restores the memory twin from anything
    device = await made(opened)
    (known,) = await directory.insert_datastreams(device.device_id, [Datastream(0, 0, "a")])
    assert not await directory.number_streams_after(known.stream_id)
    assert await directory.number_streams_after(known.stream_id + 40)
    assert not await directory.number_streams_after(known.stream_id + 40)
    (new,) = await directory.insert_datastreams(device.device_id, [Datastream(0, 0, "lamp")])
    assert new.stream_id == known.stream_id + 41


async def test_deleting_a_device_takes_what_only_it_had(
    opened: Opened, directory: Directory
) -> None:
    device, other = await made(opened), await made(opened, "Other")
    one = (Permission(("get",), (Resource(device.device_id),)),)
    both = (Permission(("get",), (Resource(device.device_id), Resource(other.device_id))),)
    await directory.insert_key(ApiKey(0, opened.alice.account_id, "one", one), "only")
    await directory.insert_key(ApiKey(0, opened.alice.account_id, "both", both), "both")
    await directory.insert_datastreams(device.device_id, [Datastream(0, 0, "t")])
    await directory.delete_device(device.device_id)
    assert directory.find_key("only") is None
    assert directory.find_key("both") is not None
    assert not directory.datastreams(device.device_id)
    assert directory.find_device_by_uuid(device.uuid) is None
    with pytest.raises(NoSuchDevice):
        await directory.delete_device(device.device_id)
    assert (await made(opened, "New")).device_id > other.device_id


async def test_keys_are_found_listed_and_deleted(opened: Opened, directory: Directory) -> None:
    everything = (Permission(ACCESS_METHODS, (), "10.0.0.1", "a.example", 300, "p"),)
    draft_key = ApiKey(0, opened.alice.account_id, "k", everything, False, 7, 8)
    key = await directory.insert_key(draft_key, "sesame")
    assert msgspec.structs.replace(key, key_id=0) == draft_key
    assert directory.find_key("sesame") == key
    assert directory.find_key("sesamE") is None
    assert directory.find_key("\udcff") is None
    assert list(directory.keys_of(opened.alice.account_id)) == [key]
    assert list(directory.keys_of(opened.bob.account_id)) == []
    seen: list[ApiKey] = []

    def refuse(newest: ApiKey) -> None:
        seen.append(newest)
        raise LookupError

    with pytest.raises(LookupError):
        await directory.delete_key(key.key_id, refuse)
    assert (seen, directory.find_key("sesame")) == ([key], key)
    await directory.delete_key(key.key_id, seen.append)
    assert directory.find_key("sesame") is None
    with pytest.raises(NoSuchKey):
        directory.get_key(key.key_id)


async def test_keys_are_found_by_the_feeds_that_they_name_as_those_are_now(
    opened: Opened, directory: Directory
) -> None:
    def naming(*feed_ids: int) -> tuple[Permission, ...]:
        return (Permission(("get",), tuple(Resource(feed_id, "t") for feed_id in feed_ids)),)

    alice, bob = opened.alice.account_id, opened.bob.account_id
    owners_and_feeds = [(alice, (7, 8)), (alice, (8,)), (alice, ()), (bob, (8,))]
    first, second, _, other = [
        await directory.insert_key(ApiKey(0, owner, "k", naming(*feeds)), f"secret {number}")
        for number, (owner, feeds) in enumerate(owners_and_feeds)
    ]
    assert list(directory.keys_of(alice, 7)) == [first]
    assert list(directory.keys_of(alice, 8)) == [first, second]
    assert list(directory.keys_of(bob, 8)) == [other]
    assert list(directory.keys_of(alice, 9)) == []
    changed = await directory.update_key(
        second.key_id, lambda newest: msgspec.structs.replace(newest, permissions=naming(7, 9))
    )
    assert [key.key_id for key in directory.keys_of(alice, 7)] == [first.key_id, second.key_id]
    assert list(directory.keys_of(alice, 9)) == [changed]
    await directory.delete_key(first.key_id)
    assert list(directory.keys_of(alice, 7)) == [changed]
    assert list(directory.keys_of(alice, 8)) == []


async def test_places_are_those_of_all_that_a_query_finds(
    opened: Opened, directory: Directory
) -> None:
    drafts = [
        Device(0, "uuid-1", opened.alice.account_id, "roof", location=Location(lat=52.5, lon=13.4)),
        Device(0, "uuid-2", opened.alice.account_id, "cellar"),
        Device(0, "uuid-3", opened.bob.account_id, "roof", location=Location(lat=-12.05, lon=-77.04), private=False),
        Device(0, "uuid-4", opened.bob.account_id, "roof", location=Location(lat=1, lon=2)),
    ]  # fmt: skip
    ids = [(await directory.insert_device(draft, (), "t", None)).device_id for draft in drafts]

    def found(**terms: Any) -> tuple[dict[int, tuple[float, float]], int]:
        places = directory.device_places(DeviceQuery(per_page=1, **terms))
        columns = (places.device_ids.tolist(), places.lats.tolist(), places.lons.tolist())
        rows = zip(*columns, strict=True)
        return {device_id: (lat, lon) for device_id, lat, lon in rows}, places.found_count

    berlin, lima = {ids[0]: (52.5, 13.4)}, {ids[2]: (-12.05, -77.04)}
    assert found(account_id=opened.alice.account_id) == (berlin, 2)
    assert found(account_id=opened.alice.account_id, with_public=True) == (berlin | lima, 3)
    assert found(account_id=opened.alice.account_id, text="cellar") == ({}, 1)
    await directory.update_device(
        ids[0], lambda it: msgspec.structs.replace(it, location=Location(lat=0, lon=180))
    )
    assert found(account_id=opened.alice.account_id) == ({ids[0]: (0, 180)}, 2)


async def test_a_key_is_changed_and_keeps_its_secret(opened: Opened, directory: Directory) -> None:
    reads = (Permission(("get",), (Resource(7, "t"),)),)
    key = await directory.insert_key(ApiKey(0, opened.alice.account_id, "k", reads), "sesame")
    for _ in range(2):
        await directory.update_key(
            key.key_id,
            lambda newest: msgspec.structs.replace(
                newest, label=newest.label + "!", permissions=(Permission(("put",)),), expires_us=9
            ),
        )
    changed = directory.find_key("sesame")
    assert changed is not None
    assert (changed.label, changed.expires_us) == ("k!!", 9)
    assert changed.permissions == (Permission(("put",)),)
    assert directory.reveal_key(key.key_id) == "sesame"
    with pytest.raises(NoSuchKey):
        await directory.update_key(999_999, lambda newest: newest)


async def test_what_rights_depend_on_is_counted(opened: Opened, directory: Directory) -> None:
    versions = [directory.rights_version]

    def rose() -> bool:
        versions.append(directory.rights_version)
        return versions[-1] > versions[-2]

    device = await directory.insert_device(
        Device(0, "uuid-of-roof", opened.alice.account_id, "roof"), (), "token", None
    )
    assert rose()
    await directory.update_device(
        device.device_id, lambda it: msgspec.structs.replace(it, private=False)
    )
    assert rose()
    permission = Permission(ACCESS_METHODS)
    key = ApiKey(0, opened.alice.account_id, "all", (permission,))
    key = await directory.insert_key(key, "a-secret")
    assert rose()
    await directory.update_key(
        key.key_id, lambda it: msgspec.structs.replace(it, private_access=False)
    )
    assert rose()
    await directory.replace_secret(key.key_id, "another-secret")
    assert rose()
    await directory.delete_key(key.key_id)
    assert rose()
    await directory.delete_device(device.device_id)
    assert rose()


async def test_a_renewed_key_keeps_its_rights_and_its_old_secret_is_dead(
    opened: Opened, directory: Directory
) -> None:
    reads = (Permission(("get",)),)
    key = await directory.insert_key(ApiKey(0, opened.alice.account_id, "k", reads), "old")
    other = await directory.insert_key(ApiKey(0, opened.alice.account_id, "o", reads), "other")
    assert await directory.replace_secret(key.key_id, "new") == key
    assert directory.find_key("old") is None
    assert directory.find_key("new") == key
    ids = [other.key_id, key.key_id, 999_999]
    assert await directory.reveal_keys(ids) == {key.key_id: "new", other.key_id: "other"}
    assert await directory.reveal_keys([]) == {}
    await directory.delete_key(key.key_id)
    assert directory.find_key("new") is None
    with pytest.raises(NoSuchKey):
        await directory.replace_secret(key.key_id, "newer")


async def test_a_write_whose_caller_gave_up_is_carried_through(
    opened: Opened, directory: Directory
) -> None:
    draft_key = ApiKey(0, opened.alice.account_id, "k", (Permission(("get",)),))
    key = await directory.insert_key(draft_key, "sesame")
    deleting = asyncio.ensure_future(directory.delete_key(key.key_id))
    await asyncio.sleep(0)  # it has begun
    deleting.cancel()
    await directory.insert_key(draft_key, "another")  # comes after it, in turn
    assert directory.find_key("sesame") is None
    with pytest.raises(NoSuchKey):
        directory.get_key(key.key_id)


ALL = {"everybody": True}
NOW_US = 1_700_000_000_000_000
QUERIES = [
    ("nobody's, so none", {}, []),
    ("nobody's and public ones", {"with_public": True}, ["C", "B"]),
    ("nobody's, whatever their privacy", {"with_private": True}, []),
    ("everybody's", {"everybody": True}, ["C", "B", "A"]),
    ("everybody's but private ones", {"everybody": True, "with_private": False}, ["C", "B"]),
    ("alice's own", {"account_id": "alice"}, ["B", "A"]),
    ("without her private ones", {"account_id": "alice", "with_private": False}, ["B"]),
    ("hers and public ones", {"account_id": "bob", "with_public": True}, ["C", "B"]),
    ("words in title, tags, description and datastreams", {"text": "ROOFTOP north hum", **ALL}, ["A"]),
    ("beginnings of words", {"text": "roof nor", **ALL}, ["A"]),
    ("a word of the owner's login", {"text": "bob", **ALL}, ["C"]),
    ("words that are nowhere", {"text": "north pole", **ALL}, []),
    ("signs only", {"text": "!?", **ALL}, []),
    ("a letter too few", {"text": "roftop", **ALL}, ["A"]),
    ("a letter too many", {"text": "rooftoop", **ALL}, ["A"]),
    ("a wrong letter", {"text": "rooftob", **ALL}, ["A"]),
    ("two letters swapped", {"text": "roofotp", **ALL}, ["A"]),
    ("two mistakes", {"text": "ruftop", **ALL}, []),
    ("a mistake in a short word", {"text": "hom", **ALL}, []),
    ("another's private words, mistyped", {"text": "roftop", "account_id": "bob", "with_public": True}, []),
    ("a device's tag", {"tag": "North", **ALL}, ["A"]),
    ("a datastream's tag", {"tag": "wet", **ALL}, ["A"]),
    ("a part of a tag", {"tag": "we", **ALL}, []),
    ("a unit's label", {"units": "celsius", **ALL}, ["A"]),
    ("a unit's symbol", {"units": "°c", **ALL}, ["A"]),
    ("a login", {"user": "bob", **ALL}, ["C"]),
    ("a login that is not there", {"user": "bo", **ALL}, []),
    ("live ones", {"status": "live", **ALL}, ["A"]),
    ("frozen ones", {"status": "frozen", **ALL}, ["C", "B"]),
    ("live ones, for stricter people", {"status": "live", "live_s": 60, **ALL}, []),
    ("within 60 km, across the date line", {"lat": 0, "lon": 179.8, "distance_m": 60_000, **ALL}, ["B", "A"]),
    ("within 20 km", {"lat": 0, "lon": 179.9, "distance_m": 20_000, **ALL}, ["A"]),
    ("around the pole", {"lat": 90, "lon": 0, "distance_m": 10_007_600, **ALL}, ["B", "A"]),
    ("some ids", {"device_ids": frozenset(), **ALL}, []),
    ("by title", {"order": "title", **ALL}, ["A", "B", "C"]),
    ("newest values first", {"order": "retrieved_at", **ALL}, ["A", "C", "B"]),
    ("a title before a tag", {"text": "b", "order": "relevance", **ALL}, ["B"]),
    ("best first", {"text": "it", "order": "relevance", **ALL}, ["C", "A"]),
    ("the second page", {"order": "title", "page": 2, "per_page": 2, **ALL}, ["C"]),
    ("a page past the last", {"page": 9, "per_page": 2, **ALL}, []),
]  # fmt: skip


@pytest.mark.parametrize(("terms", "titles"), [row[1:] for row in QUERIES], ids=[row[0] for row in QUERIES])  # fmt: skip
async def test_lists_hold_what_is_asked(
    opened: Opened, directory: Directory, terms: dict[str, Any], titles: list[str]
) -> None:
    first = await made(
        opened,
        "A",
        description="on the rooftop of it",
        tags=("north",),
        location=Location(lat=0, lon=179.95),
    )
    (hum,) = await directory.insert_datastreams(
        first.device_id, [Datastream(0, 0, "hum", ("wet",), Unit("", "°C", "Celsius"))]
    )
    await made(opened, "B", private=False, location=Location(lat=0, lon=-179.8))
    await made(
        opened, "C", private=False, account_id=opened.bob.account_id, tags=("It",), location=Location("nowhere")
    )  # fmt: skip
    directory.follow({hum.stream_id: NOW_US - 600_000_000}.get, lambda: NOW_US)
    if "account_id" in terms:
        terms = {**terms, "account_id": getattr(opened, terms["account_id"]).account_id}
    page = directory.list_devices(DeviceQuery(**terms))
    assert [device.title for device in page.devices] == titles
    assert page.total_count == (3 if "page" in terms else len(titles))
    assert directory.count_devices(DeviceQuery(**terms)) == page.total_count
    assert len(page.relevances) == len(titles)
    assert all((0 < relevance <= 1) == bool(terms.get("text")) for relevance in page.relevances)


WRONG_QUERIES = [
    ("page", {"page": 0}),
    ("page", {"page": 1_000_001}),
    ("per_page", {"per_page": 0}),
    ("per_page", {"per_page": 1001}),
    ("text", {"text": "x" * 256}),
    ("lat", {"lat": 1.0}),
    ("lat", {"lat": 90.1, "lon": 0}),
    ("lon", {"lat": 0, "lon": float("nan")}),
    ("distance", {"lat": 0, "lon": 0, "distance_m": -1}),
]


@pytest.mark.parametrize(("field", "terms"), WRONG_QUERIES)
def test_a_query_out_of_bounds_cannot_be_asked(field: str, terms: dict[str, Any]) -> None:
    with pytest.raises(ValidationFailed) as caught:
        DeviceQuery(**terms)
    assert [problem[0] for problem in caught.value.problems] == [field]


TEXTS = st.lists(
    st.sampled_from(
        ["roof", "Rooftop", "roftop", "temperature", "temprature", "outdoorTemp", "ÉTÉ", "été", "Außen", "row 7", "a_b"]
    ),
    max_size=3,
).map(" ".join)  # fmt: skip
TAGS = st.lists(st.sampled_from(["North", "north", "wet room", "roof"]), max_size=2).map(tuple)
DEGREES = st.sampled_from([-180.0, -179.9, -90.0, -1.0, 0.0, 0.5, 89.9, 90.0, 179.9, 180.0])
LOCATIONS = st.none() | st.builds(
    Location, lat=st.none() | DEGREES.map(lambda lon: lon / 2), lon=st.none() | DEGREES
)
UNITS = st.none() | st.builds(
    Unit, symbol=st.sampled_from(["", "C", "°C"]), label=st.sampled_from(["", "Celsius"])
)
DEVICE_FIELDS: dict[str, st.SearchStrategy[Any]] = {
    "title": TEXTS,
    "description": TEXTS,
    "tags": TAGS,
    "private": st.booleans(),
    "location": LOCATIONS,
    "created_us": st.integers(0, 3),
    "updated_us": st.sampled_from([0, 5, NOW_US]),
    "product_id": st.sampled_from(["", "p"]),
}
NAMES = st.sampled_from(["t", "humidity", "outdoorTemp", "temperature"])
WHICH = st.integers(0, 5)
CHANGES = st.one_of(
    st.tuples(st.just("add"), st.booleans(), st.fixed_dictionaries(DEVICE_FIELDS)),
    st.tuples(st.just("change"), WHICH, st.fixed_dictionaries({}, optional=DEVICE_FIELDS)),
    st.tuples(st.just("delete"), WHICH),
    st.tuples(st.just("put stream"), WHICH, NAMES, TAGS, UNITS),
    st.tuples(st.just("delete stream"), WHICH, NAMES),
    st.tuples(st.just("write"), WHICH, st.sampled_from([NOW_US, NOW_US - 900_000_000, 7])),
)
ASKED = st.fixed_dictionaries(
    {"account_id": st.sampled_from([None, "alice", "bob"]), "with_public": st.booleans()},
    optional={
        "with_private": st.booleans(),
        "text": TEXTS | st.sampled_from(["tem", "temperatur", "alice", "r", "rooftpo", "7", "+"]),
        "tag": st.sampled_from(["NORTH", "wet room", "wet"]),
        "units": st.sampled_from(["celsius", "c", "°c"]),
        "user": st.sampled_from(["alice", "bob", "carol"]),
        "status": st.sampled_from(["all", "live", "frozen"]),
        "order": st.sampled_from(["created_at", "updated_at", "retrieved_at", "title"]),
        "is_reversed": st.booleans(),
        "updated_since_us": st.integers(0, 5),
        "product_id": st.sampled_from(["p", "q"]),
        "page": st.integers(1, 2),
        "per_page": st.sampled_from([1, 3, 50]),
    },
)
# What is asked after all changes, besides: each term alone, by one who sees everything.
TERMS: list[dict[str, Any]] = [
    {},
    {"with_private": False},
    *({"order": order} for order in ("title", "retrieved_at")),
    *({"text": text} for text in ("roof", "rooftop", "rooftpo", "temperature", "temp", "ete", "aussen", "row 7", "bob", "humid", "b")),
    *({"tag": tag} for tag in ("north", "wet room", "roof")),
    *({"units": unit} for unit in ("c", "°c", "celsius")),
    *({"status": status} for status in ("live", "frozen")),
    *({"lat": lat, "lon": lon, "distance_m": 5_000_000.0} for lat, lon in ((0, 0), (90, 0), (0, 180))),
]  # fmt: skip
CIRCLES = st.just({}) | st.fixed_dictionaries(
    {
        "lat": DEGREES.map(lambda lon: lon / 2),
        "lon": DEGREES,
        "distance_m": st.sampled_from([0.0, 12_000.0, 5_000_000.0, 30_000_000.0]),
    }
)


class Changed:
    """Makes random changes in a directory, and knows what is there."""

    def __init__(self, opened: Opened) -> None:
        self.opened = opened
        self.directory: Directory = opened.directory
        self.ids: list[int] = []
        self.currents_us: dict[int, int] = {}
        self.count = 0

    async def apply(self, kind: str, which: int, *terms: Any) -> None:
        if kind == "add":
            await self.add(which, terms[0])
            return
        if not self.ids:
            return
        device_id = self.ids[which % len(self.ids)]
        if kind == "change":
            fields = terms[0]
            await self.directory.update_device(
                device_id, lambda newest: msgspec.structs.replace(newest, **fields)
            )
        elif kind == "delete":
            self.ids.remove(device_id)
            await self.directory.delete_device(device_id)
        elif kind == "put stream":
            await self.put_stream(device_id, *terms)
        elif kind == "write":
            for stream in self.directory.datastreams(device_id).values():
                self.currents_us[stream.stream_id] = terms[0]
        elif terms[0] in self.directory.datastreams(device_id):
            await self.directory.delete_datastream(device_id, terms[0])

    async def add(self, is_bobs: bool, fields: dict[str, Any]) -> None:
        self.count += 1
        account = self.opened.bob if is_bobs else self.opened.alice
        device = Device(0, f"uuid {self.count}", account.account_id, **fields)
        stored = await self.directory.insert_device(device, [Datastream(0, 0, "t")], "", None)
        self.ids.append(stored.device_id)

    async def put_stream(
        self, device_id: int, name: str, tags: tuple[str, ...], unit: Unit | None
    ) -> None:
        await self.directory.insert_datastreams(device_id, [Datastream(0, 0, name)])
        await self.directory.update_datastream(
            device_id, name, lambda newest: msgspec.structs.replace(newest, tags=tags, unit=unit)
        )

    def check(self, query: DeviceQuery) -> None:
        naive = naive_search(self.directory, self.ids, query, self.currents_us, NOW_US)
        page = self.directory.list_devices(query)
        start = (query.page - 1) * query.per_page
        assert page.devices == naive[start : start + query.per_page]
        assert page.total_count == self.directory.count_devices(query) == len(naive)
        self.check_walk(query, naive)

    def check_walk(self, query: DeviceQuery, naive: list[Device]) -> None:
        """By where the last page ended, there and back, everything is met once and in order."""
        query = msgspec.structs.replace(query, page=1, per_page=2)
        walked = self.walk(query)
        assert [device for device, _ in walked] == naive
        if walked:
            turned = {"is_reversed": not query.is_reversed, "after": walked[-1][1]}
            back = self.walk(msgspec.structs.replace(query, **turned))
            assert [device for device, _ in back] == naive[-2::-1]

    def walk(self, query: DeviceQuery) -> list[tuple[Device, Mark]]:
        walked: list[tuple[Device, Mark]] = []
        while True:
            page = self.directory.list_devices(query)
            walked += zip(page.devices, page.marks, strict=True)
            if not page.is_full:
                return walked
            query = msgspec.structs.replace(query, after=page.marks[-1])

    async def clear(self) -> None:
        for device_id in self.ids:
            await self.directory.delete_device(device_id)


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)  # it takes long
@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    first=st.lists(st.tuples(st.booleans(), st.fixed_dictionaries(DEVICE_FIELDS)), min_size=2, max_size=6),
    changes=st.lists(CHANGES, min_size=5, max_size=20),
    asked=st.lists(st.tuples(ASKED, CIRCLES), max_size=6),
)  # fmt: skip
async def test_the_index_agrees_with_a_plain_search_after_any_changes(
    opened: Opened, first: list[Any], changes: list[Any], asked: list[Any]
) -> None:
    changed = Changed(opened)
    changed.directory.follow(changed.currents_us.get, lambda: NOW_US)
    for draft_terms in first:
        await changed.add(*draft_terms)
    for change in changes:
        await changed.apply(*change)
    for terms, circle in asked:
        login = terms["account_id"]
        account_id = getattr(opened, login).account_id if login else None
        changed.check(DeviceQuery(**{**terms, **circle, "account_id": account_id}))
    for terms in TERMS:
        changed.check(DeviceQuery(everybody=True, **terms))
    await changed.clear()
    assert opened.directory.count_devices(DeviceQuery(everybody=True)) == 0


async def test_what_is_not_as_it_was_seen_is_not_deleted(opened: Opened) -> None:
    class ChangedMeanwhile(Exception):
        pass

    seen: list[Any] = []

    def refuse(newest: Device | Datastream) -> None:
        seen.append(newest)
        raise ChangedMeanwhile

    directory: Directory = opened.directory
    device = await made(opened, "Kept")
    (stream,) = await directory.insert_datastreams(device.device_id, [Datastream(0, 0, "kept")])
    with pytest.raises(ChangedMeanwhile):
        await directory.delete_datastream(device.device_id, "kept", refuse)
    with pytest.raises(ChangedMeanwhile):
        await directory.delete_device(device.device_id, refuse)
    assert seen == [stream, device]
    assert directory.get_device(device.device_id) == device
    assert directory.datastreams(device.device_id)["kept"] == stream
    await directory.delete_datastream(device.device_id, "kept", seen.append)
    await directory.delete_device(device.device_id, seen.append)
    assert seen[2:] == [stream, device]


async def test_a_loaded_index_finds_what_the_changed_one_found(database: Path) -> None:
    with blocking_calls_allowed():
        opened = OnDatabase()
        for number in range(30):
            device = await made(opened, f"Node {number}", description="on the roof", **FULL_TAGS)
            await opened.directory.insert_datastreams(device.device_id, [Datastream(0, 0, "hum")])
        queries = [
            DeviceQuery(everybody=True, **terms)
            for terms in ({"text": "node 1"}, {"text": "nodde"}, {"tag": "a"}, {"order": "title"})
        ]
        before = [opened.directory.list_devices(query) for query in queries]
        again = opened.reopened()
        assert [again.list_devices(query) for query in queries] == before
        assert [page.total_count for page in before] == [1, 30, 30, 30]
        opened.directory.close()


async def move(directory: Directory, device: Device, at_us: int, place: Location | None) -> None:
    await directory.update_device(
        device.device_id,
        lambda newest: msgspec.structs.replace(newest, location=place, located_us=at_us),
    )


async def test_a_mobile_device_leaves_waypoints(opened: Opened, directory: Directory) -> None:
    home = Location(lat=1.0, lon=2.0, ele="3", disposition="mobile")
    device = await made(opened, location=home, located_us=10)
    steps = [
        (20, msgspec.structs.replace(home, lat=1.5)),
        (30, msgspec.structs.replace(home, lat=1.5, name="still here")),
        (40, msgspec.structs.replace(home, lat=None)),
        (50, msgspec.structs.replace(home, ele="4")),
        (60, msgspec.structs.replace(home, lat=9.0, disposition="fixed")),
        (70, msgspec.structs.replace(home, lat=8.0)),
    ]
    for at_us, place in steps:
        await move(directory, device, at_us, place)
    assert await directory.read_waypoints(device.device_id) == [
        Waypoint(10, 1.0, 2.0, "3"),
        Waypoint(30, 1.5, 2.0, "3"),
        Waypoint(60, 9.0, 2.0, "3"),
    ]
    await move(directory, device, 80, None)
    assert await directory.read_waypoints(device.device_id) == []


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)  # it takes long
async def test_only_the_newest_waypoints_are_kept(opened: Opened, directory: Directory) -> None:
    device = await made(opened, location=Location(lat=0, lon=0, disposition="mobile"), located_us=0)
    other = await made(opened, "Other", location=Location(lat=0, lon=0, disposition="mobile"))
    for step in range(1, WAYPOINTS_MAX + 5):
        place = Location(lat=step / 100, lon=0, disposition="mobile")
        await move(directory, device, step, place)
    await move(directory, other, 1, Location(lat=1, lon=0, disposition="mobile"))
    found = await directory.read_waypoints(device.device_id)
    assert [point.at_us for point in found] == list(range(4, WAYPOINTS_MAX + 4))
    assert len(await directory.read_waypoints(other.device_id)) == 1
    await directory.delete_device(device.device_id)
    assert await directory.read_waypoints(device.device_id) == []


async def test_a_device_has_its_token_and_no_other(opened: Opened, directory: Directory) -> None:
    stored = await directory.insert_device(draft(opened), (), "the token", None)
    assert directory.has_token(stored.device_id, "the token")
    assert not directory.has_token(stored.device_id, "another")
    assert not directory.has_token(stored.device_id + 1, "the token")


async def test_devices_are_counted_by_owner(opened: Opened, directory: Directory) -> None:
    alice, bob = opened.alice.account_id, opened.bob.account_id
    owned = [DeviceQuery(account_id=account_id) for account_id in (alice, bob)]
    assert directory.count_devices(owned[0]) == 0
    first = await made(opened, "A")
    await made(opened, "B")
    await made(opened, "C", account_id=bob)
    await directory.update_device(
        first.device_id, lambda newest: msgspec.structs.replace(newest, title="Z")
    )
    assert list(map(directory.count_devices, owned)) == [2, 1]
    await directory.update_device(
        first.device_id, lambda newest: msgspec.structs.replace(newest, account_id=bob)
    )
    assert list(map(directory.count_devices, owned)) == [1, 2]
    await directory.delete_device(first.device_id)
    assert directory.count_devices(owned[1]) == 1


async def test_devices_with_a_retention_are_found_as_they_are_now(
    opened: Opened, directory: Directory
) -> None:
    device = await made(opened, "A", retention_s=60)
    other = await made(opened, "B")
    assert list(directory.devices_with_retention()) == [device]

    async def keep(device: Device, retention_s: int | None) -> Device:
        return await directory.update_device(
            device.device_id,
            lambda newest: msgspec.structs.replace(newest, retention_s=retention_s),
        )

    device, other = await keep(device, 90), await keep(other, 30)
    assert list(directory.devices_with_retention()) == [device, other]
    await keep(device, None)
    assert list(directory.devices_with_retention()) == [other]
    await directory.delete_device(other.device_id)
    assert list(directory.devices_with_retention()) == []


async def test_accounts_are_found_by_login_and_number(opened: Opened, directory: Directory) -> None:
    assert directory.find_account("alice") == opened.alice
    assert directory.get_account(opened.bob.account_id) == opened.bob
    assert directory.find_account("carol") is None
    with pytest.raises(NoSuchAccount):
        directory.get_account(999_999)


def test_an_account_is_not_lost_when_two_threads_read_accounts_at_once(
    database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from django.db import connection

    from thingtank.web.accounts.models import Account as AccountRow
    from thingtank.web.catalog import directory as module

    opened = OnDatabase()
    older_has_read, older_may_end = threading.Event(), threading.Event()

    def slow_account(*row: Any) -> Account:
        older_has_read.set()
        assert older_may_end.wait(WAIT_S)
        return Account(*row)

    def refresh() -> None:
        opened.directory.refresh_accounts()
        connection.close()

    monkeypatch.setattr(module, "Account", slow_account)
    older = threading.Thread(target=refresh)
    older.start()
    assert older_has_read.wait(WAIT_S)
    monkeypatch.setattr(module, "Account", Account)
    AccountRow.objects.create_user("carol")
    version = opened.directory.rights_version
    newer = threading.Thread(target=refresh)
    newer.start()
    newer.join(0.1)  # enough for it to be done, when nothing holds it back
    older_may_end.set()
    for thread in (older, newer):
        thread.join(WAIT_S)
    assert opened.directory.find_account("carol") is not None
    assert opened.directory.rights_version > version
    opened.directory.close()
    connection.close()


async def test_what_was_stored_is_there_after_a_restart(database: Path) -> None:
    with blocking_calls_allowed():
        opened = OnDatabase()
        device = await made(opened, **FULL, retention_s=60)
        await opened.directory.insert_datastreams(
            device.device_id, [Datastream(0, 0, "t", ("x",), Unit(symbol="C"))]
        )
        key = ApiKey(0, opened.alice.account_id, "k", (Permission(("get",), (Resource(1, "t"),)),))
        first_key = await opened.directory.insert_key(key, "before")
        await opened.directory.replace_secret(first_key.key_id, "sesame")
        stored_key = await opened.directory.update_key(
            first_key.key_id, lambda newest: msgspec.structs.replace(newest, label="renamed")
        )
        before = dict(opened.directory.datastreams(device.device_id))
        again = opened.reopened()
        assert again.get_device(device.device_id) == device
        assert again.count_devices(DeviceQuery(account_id=opened.alice.account_id)) == 1
        assert list(again.devices_with_retention()) == [device]
        assert dict(again.datastreams(device.device_id)) == before
        assert again.find_key("sesame") == stored_key
        assert again.reveal_key(stored_key.key_id) == "sesame"
        opened.directory.close()


async def test_a_secret_sealed_by_another_instance_is_told_as_such(database: Path) -> None:
    from thingtank.web.catalog.directory import DjangoDirectory

    with blocking_calls_allowed():
        opened = OnDatabase()
        draft_key = ApiKey(0, opened.alice.account_id, "k", (Permission(("get",)),))
        key = await opened.directory.insert_key(draft_key, "sesame")
        opened.directory.close()
        opened.directory = DjangoDirectory(bytes(32))
        opened.directory.load()
        with pytest.raises(StorageFailed, match=r"restore secret\.key"):
            opened.directory.reveal_key(key.key_id)
        with pytest.raises(StorageFailed, match=r"restore secret\.key"):
            await opened.directory.reveal_keys([key.key_id])
        opened.directory.close()


async def test_secrets_are_told_while_a_long_write_is_under_way(database: Path) -> None:
    with blocking_calls_allowed():
        opened = OnDatabase()
        draft_key = ApiKey(0, opened.alice.account_id, "k", (Permission(("get",)),))
        key = await opened.directory.insert_key(draft_key, "sesame")
        may_end = threading.Event()
        writing = asyncio.ensure_future(opened.directory.write(lambda: may_end.wait(WAIT_S)))
        try:
            async with asyncio.timeout(WAIT_S / 2):
                assert await opened.directory.reveal_keys([key.key_id]) == {key.key_id: "sesame"}
                assert await asyncio.to_thread(opened.directory.reveal_key, key.key_id) == "sesame"
            assert not writing.done()
        finally:
            may_end.set()
            await writing
            opened.directory.close()


async def test_secrets_that_cannot_be_read_are_told_as_such(
    database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from django.db import DatabaseError

    from thingtank.web.catalog import models

    def fail(*_: object, **__: object) -> None:
        raise DatabaseError("disk I/O error")

    with blocking_calls_allowed():
        opened = OnDatabase()
        draft_key = ApiKey(0, opened.alice.account_id, "k", (Permission(("get",)),))
        key = await opened.directory.insert_key(draft_key, "sesame")
        monkeypatch.setattr(models.ApiKey.objects, "filter", fail)
        with pytest.raises(StorageFailed):
            opened.directory.reveal_key(key.key_id)
        with pytest.raises(StorageFailed):
            await opened.directory.reveal_keys([key.key_id])
        opened.directory.close()


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
async def test_no_secret_stands_in_the_database(database: Path) -> None:
    with blocking_calls_allowed():
        opened = OnDatabase()
        secret, token = "a-secret-that-is-easy-to-find", "a-token-that-is-easy-to-find"
        await opened.directory.insert_device(draft(opened), [], token, None)
        key = ApiKey(0, opened.alice.account_id, "k", (Permission(("get",)),))
        await opened.directory.insert_key(key, secret)
        opened.directory.close()
    files = b"".join(path.read_bytes() for path in database.glob("directory.sqlite3*"))  # noqa: ASYNC240 - nobody else is in this loop
    assert len(files) > 10_000
    assert secret.encode() not in files
    assert token.encode() not in files


async def test_a_database_that_refuses_changes_nothing_in_memory(database: Path) -> None:
    with blocking_calls_allowed():
        opened = OnDatabase()
        device = await made(opened)
        with pytest.raises(StorageFailed):
            await made(opened, "Other", account_id=999_999)
        assert opened.directory.list_devices(DeviceQuery(**ALL)).devices == [device]
        opened.directory.close()
