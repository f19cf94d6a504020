"""Provisioning over the memory twins: who may do what, what activation makes, and only once."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from thingtank.stores.memory_archive import MemoryArchive
from thingtank.stores.memory_directory import MemoryDirectory
from thingtank.stores.memory_products import MemoryProducts
from thingtank.tank.access import OPERATOR, STRANGER, Caller, caller_of_key
from thingtank.tank.actions.datapoints import read_history
from thingtank.tank.actions.devices import create_device, delete_device, update_device
from thingtank.tank.actions.feeds import write_feed
from thingtank.tank.actions.keys import create_key, delete_key
from thingtank.tank.actions.products import (
    activate_device,
    add_product_devices,
    create_product,
    deactivate_device,
    delete_product,
    delete_product_device,
    develop_device,
    get_product,
    get_product_device,
    list_product_devices,
    list_products,
    rename_product_device,
    update_product,
)
from thingtank.tank.actions.sending_keys import ensure_sending_key
from thingtank.tank.changes import DatastreamWrite, DeviceChange
from thingtank.tank.errors import (
    AlreadyActivated,
    LimitReached,
    NoSuchDevice,
    NoSuchProduct,
    NoSuchProductDevice,
    NotAllowed,
    TankError,
    Unauthenticated,
    ValidationFailed,
)
from thingtank.tank.events import DeviceCreated, DeviceUpdated
from thingtank.tank.history import HistoryTerms
from thingtank.tank.keys import ACCESS_METHODS, ApiKey, Permission, Resource
from thingtank.tank.limits import Limits
from thingtank.tank.products import FeedTemplateChange, Product, ProductChange
from thingtank.tank.products_interface import ProductDeviceQuery, ProductQuery
from thingtank.tank.tank import Tank
from thingtank.tank.things import Account, Datastream, Location, Unit

NOW = 1_700_000_000_000_000
ALL = Permission(ACCESS_METHODS)


class StoppedClock:
    def now_us(self) -> int:
        return NOW


@pytest.fixture
def directory() -> MemoryDirectory:
    return MemoryDirectory()


@pytest.fixture
def tank(directory: MemoryDirectory) -> Tank:
    limits = Limits(
        datastreams_per_device_max=3,
        products_per_account_max=3,
        devices_per_product_max=5,
        serials_per_upload_max=4,
        devices_per_account_max=4,
    )
    products = MemoryProducts(directory)
    return Tank(directory, MemoryArchive(), clock=StoppedClock(), limits=limits, products=products)


@pytest.fixture
def alice(directory: MemoryDirectory) -> Caller:
    return Caller(directory.add_account("alice"))


CHANGE = ProductChange(
    name="Sensor",
    template=FeedTemplateChange(
        title="Greenhouse",
        description="d",
        tags=("b", "A"),
        private=False,
        website="w",
        datastreams=(
            Datastream(0, 0, "t", ("x",), Unit("", "C", "Celsius")),
            Datastream(0, 0, "h"),
        ),
    ),
)


@pytest.fixture
async def product(tank: Tank, alice: Caller) -> Product:
    made = await create_product(tank, alice, CHANGE)
    await add_product_devices(tank, alice, made.product_id, ["A", "B"])
    return made


async def code_of(tank: Tank, product: Product, serial: str = "A") -> str:
    return (await tank.products.get_device(product.product_id, serial)).activation_code


async def key_caller(
    tank: Tank, account: Account, *permissions: Permission, **fields: Any
) -> Caller:
    draft = ApiKey(0, account.account_id, "k", permissions, **fields)
    _, secret = await create_key(tank, Caller(account), draft)
    return caller_of_key(tank.directory, secret, 0)


# --- who may --------------------------------------------------------------------------------------

Act = Callable[[Tank, Caller, str, int], Awaitable[Any]]

ACTIONS: list[tuple[str, Act]] = [
    ("create", lambda tank, caller, _, owner: create_product(tank, caller, CHANGE, owner)),
    ("get", lambda tank, caller, p, _: get_product(tank, caller, p)),
    ("list", lambda tank, caller, _, owner: list_products(tank, caller, ProductQuery(owner))),
    ("update", lambda tank, caller, p, _: update_product(tank, caller, p, ProductChange(name="n"))),
    ("delete", lambda tank, caller, p, _: delete_product(tank, caller, p)),
    ("add devices", lambda tank, caller, p, _: add_product_devices(tank, caller, p, ["C"])),
    ("list devices", lambda tank, caller, p, _: list_product_devices(tank, caller, ProductDeviceQuery(p))),
    ("get device", lambda tank, caller, p, _: get_product_device(tank, caller, p, "A")),
    ("rename device", lambda tank, caller, p, _: rename_product_device(tank, caller, p, "A", "C")),
    ("delete device", lambda tank, caller, p, _: delete_product_device(tank, caller, p, "A")),
    ("deactivate", lambda tank, caller, p, _: deactivate_device(tank, caller, p, "A")),
    ("develop", lambda tank, caller, _, owner: develop_device(tank, caller, DeviceChange(title="d"), (), owner)),
]  # fmt: skip

CALLERS: list[tuple[str, type[TankError] | None]] = [
    ("owner", None),
    ("master key", None),
    ("admin", None),
    ("operator", None),
    ("stranger", Unauthenticated),
    ("stranger who reads public", Unauthenticated),
    ("inactive", Unauthenticated),
    ("another account", NotAllowed),
    ("another account's master key", NotAllowed),
    ("admin's master key", NotAllowed),
    ("feed key", NotAllowed),
    ("reading key", NotAllowed),
    ("key without private access", NotAllowed),
    ("key of one address", NotAllowed),
]


async def callers(tank: Tank, directory: MemoryDirectory, alice: Caller) -> dict[str, Caller]:
    account = alice.account
    assert account is not None
    bob, root = directory.add_account("bob"), directory.add_account("root", is_admin=True)
    feed_id = (await create_device(tank, alice, DeviceChange(title="f"))).device.device_id
    return {
        "owner": alice,
        "master key": await key_caller(tank, account, ALL),
        "admin": Caller(root),
        "operator": OPERATOR,
        "stranger": STRANGER,
        "stranger who reads public": Caller(reads_public=True),
        "inactive": Caller(Account(account.account_id, "alice", is_active=False)),
        "another account": Caller(bob),
        "another account's master key": await key_caller(tank, bob, ALL),
        "admin's master key": await key_caller(tank, root, ALL),
        "feed key": await key_caller(
            tank, account, Permission(ACCESS_METHODS, (Resource(feed_id),))
        ),
        "reading key": await key_caller(tank, account, Permission(("get",))),
        "key without private access": await key_caller(tank, account, ALL, private_access=False),
        "key of one address": await key_caller(
            tank, account, Permission(ACCESS_METHODS, source_ip="10.0.0.1")
        ),
    }


@pytest.mark.parametrize("act", [row[1] for row in ACTIONS], ids=[row[0] for row in ACTIONS])
@pytest.mark.parametrize(("who", "error"), CALLERS, ids=[row[0] for row in CALLERS])
async def test_who_may_provision(
    tank: Tank,
    directory: MemoryDirectory,
    alice: Caller,
    product: Product,
    act: Act,
    who: str,
    error: type[TankError] | None,
) -> None:
    caller = (await callers(tank, directory, alice))[who]
    assert alice.account is not None
    owner_id = alice.account.account_id
    if error is None:
        await act(tank, caller, product.product_id, owner_id)
        return
    before = (await get_product(tank, OPERATOR, product.product_id), await rows_of(tank, product))
    with pytest.raises(error):
        await act(tank, caller, product.product_id, owner_id)
    assert before == (
        await get_product(tank, OPERATOR, product.product_id),
        await rows_of(tank, product),
    )
    assert await tank.products.count_products(owner_id) == 1


async def rows_of(tank: Tank, product: Product) -> list[Any]:
    rows, _ = await list_product_devices(tank, OPERATOR, ProductDeviceQuery(product.product_id))
    return rows


async def test_a_product_belongs_to_who_makes_it_unless_told(tank: Tank, alice: Caller) -> None:
    made = await create_product(tank, alice, CHANGE)
    assert alice.account is not None
    assert made.account_id == alice.account.account_id
    assert made.template.tags == ("A", "b")
    assert (made.state, len(made.product_id), len(made.secret)) == ("deploy", 20, 40)
    with pytest.raises(ValidationFailed, match="user can't be blank"):
        await create_product(tank, OPERATOR, CHANGE)
    with pytest.raises(Unauthenticated):
        await create_product(tank, STRANGER, CHANGE)


# --- bad input ------------------------------------------------------------------------------------

BAD: list[tuple[str, Callable[[Tank, Caller, str], Awaitable[Any]], type[TankError], str]] = [
    ("no name", lambda t, c, p: create_product(t, c, ProductChange()), ValidationFailed, "name can't be blank"),
    ("a bad template", lambda t, c, p: create_product(t, c, ProductChange(name="n", template=FeedTemplateChange(title="x" * 256))), ValidationFailed, "feed_defaults_title is too long"),
    ("an update to no name", lambda t, c, p: update_product(t, c, p, ProductChange(name="")), ValidationFailed, "name can't be blank"),
    ("page 0", lambda t, c, p: list_product_devices(t, c, ProductDeviceQuery(p, page=0)), ValidationFailed, "page must be between 1 and 1000000"),
    ("a page too far", lambda t, c, p: list_product_devices(t, c, ProductDeviceQuery(p, page=10**30)), ValidationFailed, "page must be between"),
    ("too many a page", lambda t, c, p: list_product_devices(t, c, ProductDeviceQuery(p, per_page=1001)), ValidationFailed, "per_page must be between 1 and 1000"),
    ("a serial too long to look for", lambda t, c, p: list_product_devices(t, c, ProductDeviceQuery(p, serial="x" * 256)), ValidationFailed, "serial is too long"),
    ("too many products a page", lambda t, c, p: list_products(t, c, ProductQuery(1, per_page=1001)), ValidationFailed, "per_page"),
    ("no serials", lambda t, c, p: add_product_devices(t, c, p, []), ValidationFailed, "devices can't be blank"),
    ("a bad serial", lambda t, c, p: add_product_devices(t, c, p, ["C", "d e"]), ValidationFailed, 'Row 2: serial "d e" may hold only'),
    ("a serial twice", lambda t, c, p: add_product_devices(t, c, p, ["C", "C"]), ValidationFailed, 'Row 2: serial "C" is in row 1 already'),
    ("a taken serial", lambda t, c, p: add_product_devices(t, c, p, ["C", "A"]), ValidationFailed, 'Row 2: serial "A" has already been taken'),
    ("too many serials", lambda t, c, p: add_product_devices(t, c, p, list("CDEFG")), LimitReached, "5 serials at once; at most 4"),
    ("too many devices", lambda t, c, p: add_product_devices(t, c, p, list("CDEF")), LimitReached, "6 devices; a product may have 5"),
    ("a bad new serial", lambda t, c, p: rename_product_device(t, c, p, "A", "a/b"), ValidationFailed, "serial may hold only"),
    ("a taken new serial", lambda t, c, p: rename_product_device(t, c, p, "A", "B"), ValidationFailed, "serial has already been taken"),
    ("no device", lambda t, c, p: get_product_device(t, c, p, "C"), NoSuchProductDevice, "serial = C"),
    ("no product", lambda t, c, p: get_product(t, c, "none"), NoSuchProduct, "couldn't find Product with product_id = none"),
    ("a code of nothing", lambda t, c, p: activate_device(t, c, "0" * 40), NoSuchProductDevice, "activation code"),
    ("an endless code", lambda t, c, p: activate_device(t, c, "\udcff" * 10_000), NoSuchProductDevice, "activation code"),
    ("a developed device of no title", lambda t, c, p: develop_device(t, c, DeviceChange()), ValidationFailed, "title can't be blank"),
    ("a developed device of a bad place", lambda t, c, p: develop_device(t, c, DeviceChange(title="d", location=Location(lat=91.0))), ValidationFailed, "location_lat"),
    ("a developed device of too many datastreams", lambda t, c, p: develop_device(t, c, DeviceChange(title="d"), [Datastream(0, 0, n) for n in "abcd"]), TankError, "datastreams"),
    ("a developed device of a bad datastream", lambda t, c, p: develop_device(t, c, DeviceChange(title="d"), [Datastream(0, 0, "a b")]), ValidationFailed, "datastreams_id is invalid"),
]  # fmt: skip


@pytest.mark.parametrize(("act", "error", "message"), [row[1:] for row in BAD], ids=[row[0] for row in BAD])  # fmt: skip
async def test_bad_input_changes_nothing(
    tank: Tank,
    alice: Caller,
    product: Product,
    act: Callable[[Tank, Caller, str], Awaitable[Any]],
    error: type[TankError],
    message: str,
) -> None:
    before = (await get_product(tank, alice, product.product_id), await rows_of(tank, product))
    with pytest.raises(error, match=message):
        await act(tank, alice, product.product_id)
    after = (await get_product(tank, alice, product.product_id), await rows_of(tank, product))
    assert after == before
    assert await tank.products.count_products(1) == 1


async def test_an_account_has_so_many_products(tank: Tank, alice: Caller, product: Product) -> None:
    await create_product(tank, alice, CHANGE)
    await develop_device(tank, alice, DeviceChange(title="d"))
    for make in (create_product(tank, alice, CHANGE), develop_device(tank, alice, DeviceChange(title="d"))):  # fmt: skip
        with pytest.raises(LimitReached, match="an account may have 3 products"):
            await make


# --- activation -----------------------------------------------------------------------------------


async def test_a_stranger_with_the_code_gets_a_feed_of_the_template_and_its_key(
    tank: Tank, alice: Caller, product: Product
) -> None:
    code = await code_of(tank, product)
    with tank.bus.listen(DeviceCreated) as listener:
        made = await activate_device(tank, STRANGER, f" {code.upper()}\n")
        (event,) = listener.take_all()
    device = tank.directory.get_device(made.feed_id)
    assert event == DeviceCreated(device)
    assert (device.title, device.description, device.tags) == ("Greenhouse", "d", ("A", "b"))
    assert (device.private, device.website, device.created_us) == (False, "w", NOW)
    assert (device.product_id, device.device_serial) == (product.product_id, "A")
    assert device.account_id == product.account_id
    assert made.datastreams == ("h", "t")
    stream = tank.directory.datastreams(made.feed_id)["t"]
    assert (stream.tags, stream.unit) == (("x",), Unit("", "C", "Celsius"))
    caller = caller_of_key(tank.directory, made.api_key, NOW)
    assert caller.key is not None
    assert caller.key.permissions == (Permission(ACCESS_METHODS, (Resource(made.feed_id),)),)
    assert caller.key.label == f"Auto-generated Greenhouse device key for feed {made.feed_id}"
    await write_feed(tank, caller, made.feed_id, None, [DatastreamWrite("t", [NOW], ["1"])])
    row = await get_product_device(tank, alice, product.product_id, "A")
    assert (row.api_key, row.device.feed_id) == (made.api_key, made.feed_id)
    assert row.device.activated_us == NOW
    counted = await get_product(tank, alice, product.product_id)
    assert (counted.devices_count, counted.activated_devices_count) == (2, 1)


AGAIN = [
    ("owner", True),
    ("master key", True),
    ("operator", True),
    ("its own key", True),
    ("stranger", False),
    ("another account", False),
    ("another account's master key", False),
    ("admin", False),  # who may end it, not use it
    ("feed key", False),
    ("reading key", False),
    ("a master key that expires", False),
    ("the other device's key", False),
]


@pytest.mark.parametrize(("who", "allowed"), AGAIN, ids=[row[0] for row in AGAIN])
async def test_the_second_activation_needs_its_key_or_a_master_key(
    tank: Tank,
    directory: MemoryDirectory,
    alice: Caller,
    product: Product,
    who: str,
    allowed: bool,
) -> None:
    assert alice.account is not None
    first = await activate_device(tank, STRANGER, await code_of(tank, product))
    other = await activate_device(tank, STRANGER, await code_of(tank, product, "B"))
    known = {
        **await callers(tank, directory, alice),
        "its own key": caller_of_key(tank.directory, first.api_key, NOW),
        "the other device's key": caller_of_key(tank.directory, other.api_key, NOW),
        "a master key that expires": await key_caller(tank, alice.account, ALL, expires_us=NOW),
    }
    code = await code_of(tank, product)
    if allowed:
        assert await activate_device(tank, known[who], code) == first
    else:
        with pytest.raises(AlreadyActivated, match=r"^This device has already been activated"):
            await activate_device(tank, known[who], code)
    assert len(directory.keys_of(alice.account.account_id)) == 2 + 1 + 5 + 1


async def test_of_activations_at_once_one_stranger_wins_and_the_owner_hears_the_same(
    tank: Tank, alice: Caller, product: Product
) -> None:
    code = await code_of(tank, product)
    asking = [STRANGER] * 6 + [alice]
    done = await asyncio.gather(
        *(activate_device(tank, caller, code) for caller in asking), return_exceptions=True
    )
    answers = [outcome for outcome in done if not isinstance(outcome, BaseException)]
    assert len(answers) == 2
    assert answers[0] == answers[1]
    assert sum(isinstance(outcome, AlreadyActivated) for outcome in done) == 5
    assert alice.account is not None
    assert len(tank.directory.keys_of(alice.account.account_id)) == 1


async def test_a_deactivated_device_is_cut_off_and_starts_afresh(
    tank: Tank, alice: Caller, product: Product
) -> None:
    code = await code_of(tank, product)
    first = await activate_device(tank, STRANGER, code)
    copied = await ensure_sending_key(tank, alice, tank.directory.get_device(first.feed_id))
    device = await deactivate_device(tank, alice, product.product_id, "A")
    assert device.activated_us is None
    for secret in (first.api_key, copied.secret):
        with pytest.raises(Unauthenticated):
            caller_of_key(tank.directory, secret, NOW)
    assert tank.directory.get_device(first.feed_id).title == "Greenhouse"
    assert await deactivate_device(tank, alice, product.product_id, "A") == device
    again = await activate_device(tank, STRANGER, code)
    assert again.feed_id != first.feed_id
    assert again.api_key != first.api_key
    counted = await get_product(tank, alice, product.product_id)
    assert counted.activated_devices_count == 1


@pytest.mark.parametrize("gone", ["feed", "key"])
async def test_a_device_whose_feed_or_key_was_deleted_stays_out_until_it_is_deactivated(
    tank: Tank, alice: Caller, product: Product, gone: str
) -> None:
    code = await code_of(tank, product)
    made = await activate_device(tank, STRANGER, code)
    if gone == "feed":
        await delete_device(tank, alice, made.feed_id)
    else:
        key = tank.directory.find_key(made.api_key)
        assert key is not None
        await delete_key(tank, alice, key.key_id)
    for caller in (STRANGER, alice):
        with pytest.raises(AlreadyActivated, match="has to be deactivated first"):
            await activate_device(tank, caller, code)
    row = await get_product_device(tank, alice, product.product_id, "A")
    assert row.api_key == ""
    await deactivate_device(tank, alice, product.product_id, "A")
    assert (await activate_device(tank, STRANGER, code)).feed_id != made.feed_id


async def test_a_full_or_inactive_account_gets_no_more_feeds(
    tank: Tank, directory: MemoryDirectory, alice: Caller, product: Product
) -> None:
    account = alice.account
    assert account is not None
    directory.put_account(Account(account.account_id, "alice", is_active=False))
    with pytest.raises(NotAllowed, match="inactive"):
        await activate_device(tank, STRANGER, await code_of(tank, product))
    directory.put_account(account)
    for _ in range(4):
        await create_device(tank, alice, DeviceChange(title="f"))
    with pytest.raises(LimitReached, match="4 devices"):
        await activate_device(tank, STRANGER, await code_of(tank, product))
    assert (await tank.products.get_device(product.product_id, "A")).activated_us is None


async def test_a_changed_template_counts_from_the_next_activation_on(
    tank: Tank, alice: Caller, product: Product
) -> None:
    first = await activate_device(tank, STRANGER, await code_of(tank, product))
    change = ProductChange(template=FeedTemplateChange(title="", datastreams=()))
    await update_product(tank, alice, product.product_id, change)
    second = await activate_device(tank, STRANGER, await code_of(tank, product, "B"))
    assert tank.directory.get_device(first.feed_id).title == "Greenhouse"
    assert tank.directory.get_device(second.feed_id).title == "Sensor B"
    assert second.datastreams == ()


async def test_a_renamed_device_announces_its_feed_and_has_another_code(
    tank: Tank, alice: Caller, product: Product
) -> None:
    code = await code_of(tank, product)
    made = await activate_device(tank, STRANGER, code)
    with tank.bus.listen(DeviceUpdated) as listener:
        renamed = await rename_product_device(tank, alice, product.product_id, "A", "A2")
        (event,) = listener.take_all()
    assert isinstance(event, DeviceUpdated)
    assert (event.device.device_id, event.device.device_serial) == (made.feed_id, "A2")
    assert renamed.activation_code != code
    with pytest.raises(NoSuchProductDevice):
        await activate_device(tank, alice, code)
    assert await activate_device(tank, alice, renamed.activation_code) == made


async def test_what_a_device_is_made_from_stays_when_its_feed_is_changed(
    tank: Tank, alice: Caller, product: Product
) -> None:
    made = await activate_device(tank, STRANGER, await code_of(tank, product))
    device = await update_device(tank, alice, made.feed_id, DeviceChange(title="Mine"))
    assert (device.title, device.device_serial) == ("Mine", "A")


async def test_deleting_a_product_leaves_its_feeds_working(
    tank: Tank, alice: Caller, product: Product
) -> None:
    made = await activate_device(tank, STRANGER, await code_of(tank, product))
    other = await code_of(tank, product, "B")
    await delete_product(tank, alice, product.product_id)
    device_key = caller_of_key(tank.directory, made.api_key, NOW)
    assert await read_history(tank, device_key, made.feed_id, ["t"], HistoryTerms()) is not None
    with pytest.raises(NoSuchProductDevice):
        await activate_device(tank, STRANGER, other)
    await delete_device(tank, alice, made.feed_id)  # its product being gone is no hindrance


async def test_lists_show_keys_only_to_who_may_use_them(
    tank: Tank, directory: MemoryDirectory, alice: Caller, product: Product
) -> None:
    assert alice.account is not None
    made = await activate_device(tank, STRANGER, await code_of(tank, product))
    root = Caller(directory.add_account("root", is_admin=True))
    expiring = await key_caller(tank, alice.account, ALL, expires_us=NOW)
    for caller, shown in [(alice, made.api_key), (root, ""), (expiring, "")]:
        query = ProductDeviceQuery(product.product_id)
        rows, total_count = await list_product_devices(tank, caller, query)
        assert [row.api_key for row in rows] == [shown, ""]
        assert total_count == 2


# --- development ----------------------------------------------------------------------------------


async def test_a_developed_device_is_a_product_of_one_that_is_active(
    tank: Tank, alice: Caller
) -> None:
    draft = DeviceChange(title="Roof", tags=("b", "a"), location=Location(lat=1.0, lon=2.0))
    with tank.bus.listen(DeviceCreated) as listener:
        made = await develop_device(tank, alice, draft, [Datastream(0, 0, "t")])
        assert listener.take_all() == [DeviceCreated(made.created.device)]
    assert (made.product.name, made.product.state) == ("Roof", "develop")
    assert (made.product.devices_count, made.product.activated_devices_count) == (1, 1)
    assert made.product.template.datastreams == (Datastream(0, 0, "t"),)
    device = made.created.device
    assert (device.title, device.tags, device.location) == ("Roof", ("a", "b"), draft.location)
    assert (device.product_id, device.device_serial) == (
        made.product.product_id,
        made.device.serial,
    )
    assert len(made.device.serial) == 12
    assert made.device.feed_id == device.device_id
    again = await activate_device(tank, alice, made.device.activation_code)
    assert (again.api_key, again.feed_id) == (made.created.api_key, device.device_id)
    with pytest.raises(AlreadyActivated):
        await activate_device(tank, STRANGER, made.device.activation_code)


async def test_a_product_in_development_goes_with_its_device(tank: Tank, alice: Caller) -> None:
    made = await develop_device(tank, alice, DeviceChange(title="Roof"))
    await delete_device(tank, alice, made.created.device.device_id)
    with pytest.raises(NoSuchProduct):
        await get_product(tank, alice, made.product.product_id)
    with pytest.raises(NoSuchDevice):
        tank.directory.get_device(made.created.device.device_id)


async def test_a_product_in_development_stays_with_its_newer_feed(
    tank: Tank, alice: Caller
) -> None:
    made = await develop_device(tank, alice, DeviceChange(title="Roof"))
    await deactivate_device(tank, alice, made.product.product_id, made.device.serial)
    newer = await activate_device(tank, STRANGER, made.device.activation_code)
    await delete_device(tank, alice, made.created.device.device_id)
    kept = await get_product(tank, alice, made.product.product_id)
    assert (kept.state, kept.activated_devices_count) == ("develop", 1)
    assert tank.directory.get_device(newer.feed_id).title == "Roof"


async def test_serials_deploy_what_was_in_development(tank: Tank, alice: Caller) -> None:
    made = await develop_device(tank, alice, DeviceChange(title="Roof"))
    await add_product_devices(tank, alice, made.product.product_id, ["A"])
    assert (await get_product(tank, alice, made.product.product_id)).state == "deploy"
    await delete_device(tank, alice, made.created.device.device_id)
    assert (await get_product(tank, alice, made.product.product_id)).devices_count == 2
