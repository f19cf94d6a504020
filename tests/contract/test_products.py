"""Every store of products is the same thing: one suite over the memory twin and the database."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.contract.conftest import SECRET

from thingtank.stores.memory_directory import MemoryDirectory
from thingtank.stores.memory_products import MemoryProducts
from thingtank.tank.errors import (
    AlreadyActivated,
    LimitReached,
    NoSuchProduct,
    NoSuchProductDevice,
    StorageFailed,
    ValidationFailed,
)
from thingtank.tank.keys import ACCESS_METHODS, ApiKey, Permission, Resource
from thingtank.tank.products import FeedTemplate, Product, activation_code
from thingtank.tank.products_interface import NewFeed, ProductDeviceQuery, ProductQuery
from thingtank.tank.things import Account, Datastream, Device, Unit

P = "AbCdEfGhIjKlMnOpQrSt"
PRODUCT_SECRET = "836842cd3b57dce99afef7805c078a0821a88725"
CODE_OF_CBA123 = "761854de348c8c201e87ff9d75be58d4d84cebbf"
TEMPLATE = FeedTemplate(
    "Greenhouse",
    "d",
    ("a", "b"),
    False,
    "http://e.example",
    (Datastream(0, 0, "t", ("x",), Unit("", "C", "Celsius")), Datastream(0, 0, "h")),
)


class Opened:
    """A store under test, its directory, and two accounts."""

    directory: Any
    products: Any
    alice: Account
    bob: Account


class InMemory(Opened):
    def __init__(self) -> None:
        self.directory = MemoryDirectory()
        self.alice = self.directory.add_account("alice")
        self.bob = self.directory.add_account("bob")
        self.products = MemoryProducts(self.directory)


class OnDatabase(Opened):
    def __init__(self) -> None:
        from thingtank.web.accounts.models import Account as AccountRow
        from thingtank.web.catalog import models

        for rows in (models.Product, models.ApiKey, models.Device, AccountRow):
            rows.objects.all().delete()
        for login in ("alice", "bob"):
            AccountRow.objects.create_user(login)
        self.open()
        self.alice = self.directory.find_account("alice")
        self.bob = self.directory.find_account("bob")

    def open(self) -> None:
        from thingtank.web.catalog.directory import DjangoDirectory
        from thingtank.web.catalog.products import DjangoProducts

        self.directory = DjangoDirectory(SECRET)
        self.directory.load()
        self.products = DjangoProducts(self.directory, SECRET)

    def close(self) -> None:
        self.products.close()
        self.directory.close()


@pytest.fixture(params=["memory", "database"])
async def opened(request: pytest.FixtureRequest, blocking_calls: None) -> AsyncIterator[Opened]:
    if request.param == "memory":
        yield InMemory()
        return
    made = OnDatabase()
    yield made
    made.close()


@pytest.fixture
def on_database(blocking_calls: None) -> Iterator[OnDatabase]:
    made = OnDatabase()
    yield made
    made.close()


def product_of(opened: Opened, **fields: Any) -> Product:
    fields = {
        "product_id": P,
        "account_id": opened.alice.account_id,
        "secret": PRODUCT_SECRET,
        "name": "Sensor",
        "description": "d",
        "template": TEMPLATE,
        "created_us": 5,
        **fields,
    }
    return Product(**fields)


async def stocked(opened: Opened, *serials: str) -> None:
    await opened.products.insert_product(product_of(opened))
    if serials:
        await opened.products.insert_devices(P, serials, 7, 100)


def feed_of(opened: Opened, serial: str = "cba123", key_text: str = "sesame") -> NewFeed:
    device = Device(
        0,
        str(uuid.uuid4()),
        opened.alice.account_id,
        "Greenhouse",
        created_us=8,
        product_id=P,
        device_serial=serial,
    )

    def key_for(stored: Device) -> tuple[ApiKey, str]:
        permission = Permission(ACCESS_METHODS, (Resource(stored.device_id),))
        return ApiKey(0, stored.account_id, "device key", (permission,)), key_text

    return NewFeed(device, TEMPLATE.datastreams, "token", key_for, 9)


async def serials_of(opened: Opened, **terms: Any) -> list[str]:
    page = await opened.products.list_devices(ProductDeviceQuery(P, **terms))
    return [device.serial for device in page.devices]


async def test_a_product_is_read_back_as_it_was_stored(opened: Opened) -> None:
    await stocked(opened)
    assert await opened.products.get_product(P) == product_of(opened)
    for name in ("", "nothing", P.lower(), "\udcff"):
        with pytest.raises(NoSuchProduct):
            await opened.products.get_product(name)


async def test_products_are_listed_by_account_and_state_newest_first(opened: Opened) -> None:
    for number in range(3):
        await opened.products.insert_product(
            product_of(
                opened, product_id=f"p{number}", state="develop" if number == 1 else "deploy"
            )
        )
    await opened.products.insert_product(
        product_of(opened, product_id="bobs", account_id=opened.bob.account_id)
    )
    await opened.products.insert_devices("p2", ["A", "B"], 7, 100)

    async def names(**terms: Any) -> tuple[list[str], int]:
        page = await opened.products.list_products(ProductQuery(opened.alice.account_id, **terms))
        return [product.product_id for product in page.products], page.total_count

    assert await names() == (["p2", "p1", "p0"], 3)
    assert await names(page=2, per_page=2) == (["p0"], 3)
    assert await names(page=1_000_000, per_page=1000) == ([], 3)
    assert await names(state="develop") == (["p1"], 1)
    page = await opened.products.list_products(ProductQuery(opened.alice.account_id))
    assert [product.devices_count for product in page.products] == [2, 0, 0]
    assert await opened.products.count_products(opened.bob.account_id) == 1


async def test_a_change_of_a_product_sees_the_newest_and_keeps_its_secret(opened: Opened) -> None:
    await stocked(opened)
    for _ in range(2):
        await opened.products.update_product(
            P,
            lambda newest: msgspec.structs.replace(
                newest, name=newest.name + "!", template=FeedTemplate()
            ),
        )
    product = await opened.products.get_product(P)
    assert (product.name, product.template) == ("Sensor!!", FeedTemplate())
    assert product.secret == PRODUCT_SECRET
    with pytest.raises(NoSuchProduct):
        await opened.products.update_product("none", lambda newest: newest)


async def test_serials_are_added_found_and_deploy_the_product(opened: Opened) -> None:
    await opened.products.insert_product(product_of(opened, state="develop"))
    await opened.products.insert_devices(P, ["cba123", "789"], 7, 100)
    assert (await opened.products.get_product(P)).state == "deploy"
    found = await opened.products.find_device(CODE_OF_CBA123)
    assert found == await opened.products.get_device(P, "cba123")
    assert (found.serial, found.activation_code, found.created_us) == ("cba123", CODE_OF_CBA123, 7)
    assert (found.activated_us, found.feed_id, found.key_id) == (None, None, None)
    assert await opened.products.find_device("0" * 40) is None
    assert await opened.products.find_device("\udcff") is None
    for serial in ("CBA123", "nothing", ""):
        with pytest.raises(NoSuchProductDevice):
            await opened.products.get_device(P, serial)
    with pytest.raises(NoSuchProduct):
        await opened.products.get_device("none", "789")


async def test_a_list_with_a_taken_serial_adds_nothing_and_names_the_row(opened: Opened) -> None:
    await stocked(opened, "A", "B")
    serials = [f"N{number}" for number in range(1500)] + ["B", "A"]
    with pytest.raises(ValidationFailed) as raised:
        await opened.products.insert_devices(P, serials, 8, 10_000)
    assert raised.value.problems == (
        ("", 'Row 1501: serial "B" has already been taken'),
        ("", 'Row 1502: serial "A" has already been taken'),
    )
    with pytest.raises(LimitReached, match="1502 devices; a product may have 1501"):
        await opened.products.insert_devices(P, serials[:1500], 8, 1501)
    assert await serials_of(opened) == ["A", "B"]
    with pytest.raises(NoSuchProduct):
        await opened.products.insert_devices("none", ["A"], 8, 10)


LISTS = [
    ("all, as they were added", {}, ["b-1", "A_2", "ab:3", "c-4"]),
    ("a page", {"page": 2, "per_page": 3}, ["c-4"]),
    ("a page behind the last", {"page": 1_000_000, "per_page": 1000}, []),
    ("a part, in any case", {"serial": "B"}, ["b-1", "ab:3"]),
    ("a serial", {"serial": "A_2"}, ["A_2"]),
    ("an underscore is itself", {"serial": "_"}, ["A_2"]),
    ("a percent sign is in none", {"serial": "%"}, []),
    ("nor is what cannot be written down", {"serial": "\udcff"}, []),
    ("active ones", {"activated": True}, ["A_2"]),
    ("the others", {"activated": False}, ["b-1", "ab:3", "c-4"]),
    ("both terms", {"activated": False, "serial": "a"}, ["ab:3"]),
]


@pytest.mark.parametrize(("terms", "serials"), [row[1:] for row in LISTS], ids=[row[0] for row in LISTS])  # fmt: skip
async def test_lists_of_devices_hold_what_is_asked(
    opened: Opened, terms: dict[str, Any], serials: list[str]
) -> None:
    await stocked(opened, "b-1", "A_2", "ab:3", "c-4")
    await opened.products.activate(P, "A_2", feed_of(opened, "A_2"))
    page = await opened.products.list_devices(ProductDeviceQuery(P, **terms))
    assert [device.serial for device in page.devices] == serials
    assert page.total_count == (4 if "page" in terms else len(serials))
    with pytest.raises(NoSuchProduct):
        await opened.products.list_devices(ProductDeviceQuery("none"))


async def test_an_activation_makes_feed_key_and_mark(opened: Opened) -> None:
    await stocked(opened, "cba123", "789")
    device = await opened.products.activate(P, "cba123", feed_of(opened))
    assert opened.directory.get_device(device.device_id) == device
    assert (device.product_id, device.device_serial) == (P, "cba123")
    assert list(opened.directory.datastreams(device.device_id)) == ["h", "t"]
    key = opened.directory.find_key("sesame")
    assert key.permissions == (Permission(ACCESS_METHODS, (Resource(device.device_id),)),)
    found = await opened.products.get_device(P, "cba123")
    assert (found.activated_us, found.feed_id, found.key_id) == (9, device.device_id, key.key_id)
    product = await opened.products.get_product(P, with_counts=True)
    assert (product.devices_count, product.activated_devices_count) == (2, 1)
    for product_id, serial, error in [
        ("none", "789", NoSuchProduct),
        (P, "none", NoSuchProductDevice),
    ]:
        with pytest.raises(error):
            await opened.products.activate(product_id, serial, feed_of(opened, serial, "other"))


async def test_of_activations_at_once_one_wins_and_makes_the_only_feed(opened: Opened) -> None:
    await stocked(opened, "cba123")
    feeds = [feed_of(opened, key_text=f"secret-{number}") for number in range(8)]
    done = await asyncio.gather(
        *(opened.products.activate(P, "cba123", feed) for feed in feeds), return_exceptions=True
    )
    made = [outcome for outcome in done if isinstance(outcome, Device)]
    assert len(made) == 1
    assert sum(isinstance(outcome, AlreadyActivated) for outcome in done) == 7
    assert len(opened.directory.keys_of(opened.alice.account_id)) == 1
    assert (await opened.products.get_device(P, "cba123")).feed_id == made[0].device_id


async def test_a_deactivated_device_keeps_its_feed_loses_its_key_and_starts_afresh(
    opened: Opened,
) -> None:
    await stocked(opened, "cba123")
    first = await opened.products.activate(P, "cba123", feed_of(opened))
    for _ in range(2):  # the second time there is nothing to do
        device = await opened.products.deactivate(P, "cba123")
        assert (device.activated_us, device.feed_id, device.key_id) == (None, None, None)
        assert opened.directory.find_key("sesame") is None
    assert opened.directory.get_device(first.device_id) == first
    second = await opened.products.activate(P, "cba123", feed_of(opened, key_text="again"))
    assert second.device_id != first.device_id
    assert (await opened.products.get_device(P, "cba123")).feed_id == second.device_id
    assert opened.directory.find_key("sesame") is None


async def test_a_renamed_device_has_a_new_code_and_its_feed_knows(opened: Opened) -> None:
    await stocked(opened, "cba123", "789", "last")
    feed = await opened.products.activate(P, "cba123", feed_of(opened))
    with pytest.raises(ValidationFailed, match="serial has already been taken"):
        await opened.products.rename_device(P, "cba123", "789")
    renamed = await opened.products.rename_device(P, "cba123", "new")
    code = activation_code(PRODUCT_SECRET, "new")
    assert (renamed.activation_code, renamed.feed_id) == (code, feed.device_id)
    assert await opened.products.find_device(code) == renamed
    assert await opened.products.find_device(CODE_OF_CBA123) is None
    assert opened.directory.get_device(feed.device_id).device_serial == "new"
    assert await opened.products.rename_device(P, "new", "new") == renamed
    assert await serials_of(opened) == ["new", "789", "last"]
    with pytest.raises(NoSuchProductDevice):
        await opened.products.rename_device(P, "cba123", "other")


async def test_deleted_devices_and_products_leave_feeds_and_keys(opened: Opened) -> None:
    await stocked(opened, "cba123", "789")
    first = await opened.products.activate(P, "cba123", feed_of(opened))
    second = await opened.products.activate(P, "789", feed_of(opened, "789", "other"))
    await opened.products.delete_device(P, "cba123")
    assert await opened.products.find_device(CODE_OF_CBA123) is None
    assert await serials_of(opened) == ["789"]
    with pytest.raises(NoSuchProductDevice):
        await opened.products.delete_device(P, "cba123")
    await opened.products.delete_product(P)
    for product_call in (opened.products.get_product, opened.products.delete_product):
        with pytest.raises(NoSuchProduct):
            await product_call(P)
    code = activation_code(PRODUCT_SECRET, "789")
    assert await opened.products.find_device(code) is None
    assert opened.directory.find_key("sesame") is not None
    assert opened.directory.find_key("other") is not None
    assert opened.directory.get_device(first.device_id) == first
    assert opened.directory.get_device(second.device_id) == second


async def test_a_deleted_feed_is_forgotten_and_the_device_stays_active(opened: Opened) -> None:
    await stocked(opened, "cba123")
    feed = await opened.products.activate(P, "cba123", feed_of(opened))
    await opened.directory.delete_device(feed.device_id)  # its key reaches nothing else, and goes
    device = await opened.products.get_device(P, "cba123")
    assert (device.activated_us, device.feed_id, device.key_id) == (9, None, None)
    with pytest.raises(AlreadyActivated):
        await opened.products.activate(P, "cba123", feed_of(opened, key_text="again"))


async def test_a_deleted_key_is_forgotten_and_the_feed_is_not(opened: Opened) -> None:
    await stocked(opened, "cba123")
    feed = await opened.products.activate(P, "cba123", feed_of(opened))
    await opened.directory.delete_key(opened.directory.find_key("sesame").key_id)
    device = await opened.products.get_device(P, "cba123")
    assert (device.activated_us, device.feed_id, device.key_id) == (9, feed.device_id, None)


async def test_a_developed_device_comes_with_its_product(opened: Opened) -> None:
    product = product_of(opened, state="develop")
    device = await opened.products.insert_developed(product, "cba123", feed_of(opened))
    stored = await opened.products.get_product(P, with_counts=True)
    assert (stored.state, stored.devices_count, stored.activated_devices_count) == ("develop", 1, 1)
    assert (await opened.products.find_device(CODE_OF_CBA123)).feed_id == device.device_id
    assert opened.directory.find_key("sesame") is not None


# --- only the database can fail, be cancelled, be closed ------------------------------------------


async def test_what_was_stored_is_there_after_a_restart(on_database: OnDatabase) -> None:
    await stocked(on_database, "cba123", "789")
    feed = await on_database.products.activate(P, "cba123", feed_of(on_database))
    before = [await on_database.products.get_device(P, name) for name in ("cba123", "789")]
    product = await on_database.products.get_product(P)
    on_database.close()
    on_database.open()
    assert await on_database.products.get_product(P) == product
    assert [await on_database.products.get_device(P, name) for name in ("cba123", "789")] == before
    assert on_database.directory.get_device(feed.device_id) == feed
    assert on_database.directory.find_key("sesame").key_id == before[0].key_id


@pytest.mark.parametrize("method", ["activate", "insert_developed"])
async def test_an_activation_that_fails_in_the_middle_leaves_nothing(
    on_database: OnDatabase, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    from django.db import DatabaseError

    from thingtank.web.catalog import models

    def fail(*_: object, **__: object) -> None:
        raise DatabaseError("disk full")

    if method == "activate":
        await stocked(on_database, "cba123")
    first = P if method == "activate" else product_of(on_database)
    with monkeypatch.context() as patch:
        patch.setattr(models.ProductDevice, "save", fail)  # the last step of an activation
        with pytest.raises(StorageFailed):
            await getattr(on_database.products, method)(first, "cba123", feed_of(on_database))
    assert models.Device.objects.count() == models.ApiKey.objects.count() == 0
    assert models.Product.objects.count() == (1 if method == "activate" else 0)
    assert on_database.directory.find_key("sesame") is None
    device = await getattr(on_database.products, method)(first, "cba123", feed_of(on_database))
    assert on_database.directory.get_device(device.device_id) == device


async def test_an_activation_whose_client_went_away_is_still_seen_whole(
    on_database: OnDatabase,
) -> None:
    await stocked(on_database, "cba123")
    asked = asyncio.create_task(on_database.products.activate(P, "cba123", feed_of(on_database)))
    await asyncio.sleep(0)  # it is on its way to the writer
    asked.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asked
    # This waits for its turn behind the other one.
    with pytest.raises(AlreadyActivated):
        await on_database.products.activate(P, "cba123", feed_of(on_database, key_text="other"))
    device = await on_database.products.get_device(P, "cba123")
    assert on_database.directory.find_key("sesame").key_id == device.key_id


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
async def test_no_secret_stands_in_the_database(on_database: OnDatabase, database: Path) -> None:
    await stocked(on_database, "cba123")
    await on_database.products.activate(P, "cba123", feed_of(on_database, key_text="easy-to-find"))
    files = b"".join((database / f"directory.sqlite3{end}").read_bytes() for end in ("", "-wal"))
    assert b"cba123" in files
    for secret in (PRODUCT_SECRET, CODE_OF_CBA123, "easy-to-find"):
        assert secret.encode() not in files
        assert bytes.fromhex(PRODUCT_SECRET) not in files


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
async def test_thousands_of_serials_are_found_as_quickly_as_one(on_database: OnDatabase) -> None:
    from django.db import connection

    serials = [f"SN{number:06d}" for number in range(5000)]
    await on_database.products.insert_product(product_of(on_database))
    await on_database.products.insert_devices(P, serials, 7, 10_000)
    code = activation_code(PRODUCT_SECRET, "SN004999")
    assert (await on_database.products.find_device(code)).serial == "SN004999"
    with connection.cursor() as cursor:
        cursor.execute(
            "EXPLAIN QUERY PLAN SELECT id FROM catalog_productdevice WHERE code_digest = x'00'"
        )
        plan = " ".join(str(row) for row in cursor.fetchall())
    assert "USING COVERING INDEX" in plan
    assert "code_digest=?" in plan


READS: dict[str, Callable[[Any], Awaitable[object]]] = {
    "product": lambda products: products.get_product(P),
    "list": lambda products: products.list_products(ProductQuery(1)),
    "count": lambda products: products.count_products(1),
    "devices": lambda products: products.list_devices(ProductDeviceQuery(P)),
    "device": lambda products: products.get_device(P, "cba123"),
    "code": lambda products: products.find_device(CODE_OF_CBA123),
}


@pytest.mark.parametrize("read", READS)
async def test_what_cannot_be_read_is_told_as_such(
    on_database: OnDatabase, monkeypatch: pytest.MonkeyPatch, read: str
) -> None:
    from django.db import DatabaseError
    from django.db.models.sql.compiler import SQLCompiler

    def fail(*_: object, **__: object) -> None:
        raise DatabaseError("disk I/O error")

    await stocked(on_database, "cba123")
    with monkeypatch.context() as patch:
        patch.setattr(SQLCompiler, "execute_sql", fail)
        with pytest.raises(StorageFailed):
            await READS[read](on_database.products)


@pytest.mark.parametrize("sealed", [b"", b"\0" * 5, b"\0" * 80], ids=["none", "short", "other"])
@pytest.mark.parametrize("act", ["product", "devices", "device", "code", "rename", "upload"])
async def test_a_products_secret_sealed_by_another_instance_is_told_as_such(
    on_database: OnDatabase, act: str, sealed: bytes
) -> None:
    from thingtank.web.catalog import models

    acts = {
        **READS,
        "rename": lambda products: products.rename_device(P, "cba123", "abc"),
        "upload": lambda products: products.insert_devices(P, ["abc"], 1, 10),
    }
    await stocked(on_database, "cba123")
    models.Product.objects.update(secret_sealed=sealed)
    with pytest.raises(StorageFailed, match=rf"product {P} .* restore secret\.key"):
        await acts[act](on_database.products)
