"""Who comes in by CONNECT, as whom, and who does not."""

import asyncio
from typing import Any

import pytest
from tests.unit.doors.mqtt.houses import (
    DEVICE_SECRET,
    ELSEWHERE,
    EXPIRING_SECRET,
    HERE,
    LAMP,
    MASTER_SECRET,
    NO_UUID,
    NOW_US,
    OTHER_UUID,
    PASSWORD,
    READER_SECRET,
    STREAM_SECRET,
    USER_PASSWORD,
    UUID,
    House,
    certificate,
)

from thingtank.doors.mqtt.authentication.attempt import ConnectAttempt, Refusal, Refused
from thingtank.net.forwarded import UNIX
from thingtank.net.identity.attempts import FAILURES_MAX, FORGET_US
from thingtank.net.identity.slow_work import WAITING_OF_ONE_NETWORK_MAX

TOKEN = "a-token-that-nobody-is-to-see"
BAD, NOT = Refusal.BAD_USER_NAME_OR_PASSWORD, Refusal.NOT_AUTHORIZED
GATE = {"name": "gate", "password": {"environment": "GATE_PASSWORD"}}
VALVE = {"name": "valve", "certificates": ["CN=valve 7,O=Example"]}
LENT = {"name": "lent", "password": USER_PASSWORD, "account": "nobody"}
USERS = [LAMP, GATE, VALVE, LENT]

# Keys have numbers: 1 and 2 are the devices', 3 the master, 4 the reader, 5 the stream's.
BY_SECRET = [
    ("a key as the user name", (MASTER_SECRET, None), "key:3"),
    ("whose password is ignored", (MASTER_SECRET, "anything"), "key:3"),
    ("and so if it is another's", (MASTER_SECRET, READER_SECRET), "key:3"),
    ("and so if it is no text", (MASTER_SECRET, b"\xff"), "key:3"),
    ("a key as the password", ("whoever", READER_SECRET), "key:4"),
    ("with a blank user name", ("", READER_SECRET), "key:4"),
    ("with no user name", (None, READER_SECRET), "key:4"),
    ("with an account's login", ("alice", READER_SECRET), "key:4"),
    ("a device by its key", (UUID, DEVICE_SECRET), f"device:{UUID}"),
    ("in capitals", (UUID.upper(), DEVICE_SECRET), f"device:{UUID}"),
    ("a device by its owner's master key", (UUID, MASTER_SECRET), f"device:{UUID}"),
    ("no device by a key that only reads", (UUID, READER_SECRET), BAD),
    ("no device by a key of its datastream", (UUID, STREAM_SECRET), BAD),
    ("no device by another's key", (OTHER_UUID, DEVICE_SECRET), BAD),
    ("a device by its token", (UUID, "token"), f"device:{UUID}"),
    ("no device by a wrong key", (UUID, "wrong"), BAD),
    ("no device without one", (UUID, None), BAD),
    ("no device that is not there", (NO_UUID, MASTER_SECRET), BAD),
    ("an account", ("alice", PASSWORD), "account:1"),
    ("with a wrong password", ("alice", "wrong"), BAD),
    ("without one", ("alice", None), BAD),
    ("with one that is no text", ("alice", b"\xff\xfe"), BAD),
    ("with one too long", ("alice", "x" * 4097), BAD),
    ("that is switched off", ("gone", PASSWORD), BAD),
    ("that is not there", ("nobody", PASSWORD), BAD),
    ("whose name is too long", ("n" * 1025, PASSWORD), BAD),
    ("a user", ("lamp", USER_PASSWORD), "user:lamp"),
    ("a user from the environment", ("gate", USER_PASSWORD), "user:gate"),
    ("a user with a wrong password", ("lamp", "wrong"), BAD),
    ("a user with a key", ("lamp", MASTER_SECRET), BAD),
    ("a user without a password", ("lamp", None), BAD),
    ("a user that has none", ("valve", USER_PASSWORD), BAD),
    ("a user whose account is gone", ("lent", USER_PASSWORD), NOT),
    ("a key that nobody has", ("k" * 48, None), BAD),
    ("nobody from elsewhere", (None, None), NOT),
    ("nor with a blank name", ("", ""), NOT),
]


@pytest.mark.parametrize(("given", "expected"), [row[1:] for row in BY_SECRET], ids=[row[0] for row in BY_SECRET])  # fmt: skip
async def test_who_comes_in(given: tuple[Any, Any], expected: str | Refusal) -> None:
    house = await House.build(users=USERS)
    if isinstance(expected, Refusal):
        with pytest.raises(Refused) as raised:
            await house.come(*given)
        assert raised.value.reason_code == expected
    else:
        principal = await house.come(*given)
        assert (principal.id, principal.client_id, principal.address) == (expected, "c1", ELSEWHERE)


@pytest.mark.parametrize(
    ("who", "names"),
    [
        (("alice", PASSWORD), ("alice", "")),
        (("lamp", USER_PASSWORD), ("lamp", "")),
        ((UUID, DEVICE_SECRET), ("", UUID)),
        ((MASTER_SECRET, None), ("", "")),
    ],
)
async def test_what_rules_may_say_of_it(who: tuple[Any, Any], names: tuple[str, str]) -> None:
    principal = await (await House.build(users=USERS)).come(*who)
    assert (principal.user_name, principal.device_uuid) == names


PAGE = {"origin": "https://other.example"}
ANONYMOUS = [
    # peer, headers, then who it is by each setting
    (HERE, {}, ["local", None, "local", "local"]),
    ("::1", {}, ["local", None, "local", "local"]),
    (UNIX, {}, ["local", None, "local", "local"]),
    (HERE, {"origin": "http://localhost:8000"}, ["local", None, "local", "local"]),
    (HERE, PAGE, [None, None, "anonymous", "anonymous"]),
    (HERE, {"x-forwarded-for": ""}, [None, None, "anonymous", "anonymous"]),
    (f"forwarded by {HERE}", {"via": "x"}, [None, None, "anonymous", "anonymous"]),
    (ELSEWHERE, {"x-forwarded-for": ELSEWHERE}, [None, None, "anonymous", "anonymous"]),
    (ELSEWHERE, {}, [None, None, "anonymous", "anonymous"]),
    ("", {}, [None, None, "anonymous", "anonymous"]),
]


@pytest.mark.parametrize(("peer", "headers", "expected"), ANONYMOUS)
async def test_who_comes_in_without_saying_who_it_is(
    peer: str, headers: dict[str, str], expected: list[str | None]
) -> None:
    for rule, who in zip(("loopback", "nobody", "with_key", "everyone"), expected, strict=True):
        house = await House.build(anonymous=rule)
        if who is None:
            with pytest.raises(Refused) as raised:
                await house.come(peer=peer, headers=headers)
            assert raised.value.reason_code == NOT
            continue
        principal = await house.come(peer=peer, headers=headers)
        assert principal.id == who
        assert principal.only_with_key is (rule == "with_key" and who == "anonymous")


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (("whoever", "guess"), "local"),
        (("whoever", None), "local"),
        (("alice", "wrong"), BAD),
        (("lamp", "wrong"), BAD),
        (("k" * 48, None), BAD),
        ((NO_UUID, "wrong"), BAD),
    ],
)
async def test_a_name_that_nobody_has_may_count_as_none(
    given: tuple[Any, Any], expected: str | Refusal
) -> None:
    house = await House.build(users=USERS, unknown_users="anonymous")
    if isinstance(expected, Refusal):
        with pytest.raises(Refused) as raised:
            await house.come(*given, peer=HERE)
        assert raised.value.reason_code == expected
        return
    assert (await house.come(*given, peer=HERE)).id == expected
    with pytest.raises(Refused):
        await house.come(*given, peer=ELSEWHERE)


CHOSEN = [
    ("by its token", ("Door-7", "token"), "device:Door-7"),
    ("in other letters", ("door-7", "token"), "device:Door-7"),
    ("by a key that may put to it", ("Door-7", MASTER_SECRET), "device:Door-7"),
    ("not by a wrong token", ("Door-7", "wrong"), BAD),
    ("not without one", ("Door-7", None), BAD),
    ("not where it may be a login", ("bob", "token"), BAD),
    ("nor where it is a user's name", ("lamp", "token"), BAD),
]


@pytest.mark.parametrize(("label", "given", "expected"), CHOSEN)
async def test_a_device_whose_uuid_a_client_chose_comes_in(
    label: str, given: tuple[Any, Any], expected: str | Refusal
) -> None:
    house = await House.build(users=USERS)
    for uuid in ("Door-7", "bob", "lamp"):
        await house.add_device(uuid, f"the key of {uuid} which is long enough")
    if isinstance(expected, Refusal):
        with pytest.raises(Refused) as raised:
            await house.come(*given)
        assert raised.value.reason_code == expected
    else:
        assert (await house.come(*given)).id == expected


@pytest.mark.parametrize("names", [(UUID, NO_UUID), ("Door-7", "Door-8")])
async def test_a_device_that_is_not_there_is_refused_as_often_as_one_that_is(
    names: tuple[str, str],
) -> None:
    house = await House.build()
    await house.add_device("Door-7", "a key which is long enough")
    told = []
    for name in names:
        refusals = []
        for _ in range(12):
            with pytest.raises(Refused) as raised:
                await house.come(name, "wrong")
            refusals.append(raised.value.reason_code)
        told.append(refusals)
    assert told[0] == told[1]
    assert told[0][-1] == Refusal.BANNED


VALVES = certificate("CN=valve 7,O=Example")
DEVICES = certificate(f"CN={UUID}")
CERTIFIED = [
    ("one that a user lists", (None, None), VALVES, "user:valve"),
    ("with the user's name", ("valve", None), VALVES, "user:valve"),
    ("with another's", ("lamp", None), VALVES, BAD),
    ("with another's and its password", ("lamp", USER_PASSWORD), VALVES, "user:lamp"),
    ("by a user's name", (None, None), certificate("CN=lamp"), "user:lamp"),
    ("by a device's uuid", (None, None), DEVICES, f"device:{UUID}"),
    ("with that uuid", (UUID, None), DEVICES, f"device:{UUID}"),
    ("with another's uuid", (OTHER_UUID, None), DEVICES, BAD),
    ("of no device", (None, None), certificate(f"CN={NO_UUID}"), NOT),
    ("of an account", (None, None), certificate("CN=alice"), NOT),
    ("with two names", (None, None), certificate("CN=lamp,CN=valve"), NOT),
    ("without a name", (None, None), certificate("O=lamp"), NOT),
    ("that is rubbish", (None, None), b"rubbish", NOT),
]


@pytest.mark.parametrize(("given", "shown", "expected"), [row[1:] for row in CERTIFIED], ids=[row[0] for row in CERTIFIED])  # fmt: skip
async def test_who_comes_in_by_a_certificate(
    given: tuple[Any, Any], shown: bytes, expected: str | Refusal
) -> None:
    house = await House.build(users=USERS)
    if isinstance(expected, Refusal):
        with pytest.raises(Refused) as raised:
            await house.come(*given, certificate=shown)
        assert raised.value.reason_code == expected
    else:
        assert (await house.come(*given, certificate=shown)).id == expected


async def test_a_common_name_says_nothing_where_settings_forbid_it() -> None:
    house = await House.build(users=USERS, certificate_names=False)
    assert (await house.come(certificate=VALVES)).id == "user:valve"
    for shown in (DEVICES, certificate("CN=lamp")):
        with pytest.raises(Refused):
            await house.come(certificate=shown)


async def test_a_device_by_certificate_may_what_its_key_may_and_goes_with_the_device() -> None:
    house = await House.build()
    rights = house.access.rights_of(await house.come(certificate=DEVICES))
    assert rights.may_publish(f"{UUID}/x")
    assert rights.may_publish(f"/v2/feeds/{house.device.device_id}.json")
    assert not rights.may_publish(f"/v2/feeds/{house.other.device_id}.json")
    assert not rights.may_publish("a")
    await house.directory.delete_device(house.device.device_id)
    assert not rights.is_alive()


async def test_who_is_wrong_too_often_waits() -> None:
    house = await House.build(users=USERS)
    for name, secret in (("alice", PASSWORD), ("lamp", USER_PASSWORD)):
        for _ in range(FAILURES_MAX):
            with pytest.raises(Refused) as raised:
                await house.come(name, "wrong")
            assert raised.value.reason_code == BAD
        checked_count = len(house.passwords.checked)
        with pytest.raises(Refused) as raised:
            await house.come(name, secret)
        assert raised.value.reason_code == Refusal.BANNED
        assert len(house.passwords.checked) == checked_count
        assert (await house.come(name, secret, peer="192.0.2.8")).user_name == name
    assert (await house.come(MASTER_SECRET)).id == "key:3"  # too long to be guessed
    house.now_us += FORGET_US
    assert (await house.come("alice", PASSWORD)).id == "account:1"


async def test_a_right_password_forgets_the_wrong_ones() -> None:
    house = await House.build()
    for _ in range(3):
        for _ in range(FAILURES_MAX - 1):
            with pytest.raises(Refused):
                await house.come("alice", "wrong")
        assert (await house.come("alice", PASSWORD)).id == "account:1"


async def test_a_wrong_password_takes_as_long_for_a_user_as_for_others() -> None:
    house = await House.build(users=USERS)
    for name in ("lamp", "alice", "nobody"):
        with pytest.raises(Refused):
            await house.come(name, "wrong")
    assert house.passwords.checked == ["", "alice", "nobody"]


async def test_a_dead_key_costs_nothing_to_refuse() -> None:
    house = await House.build()
    for _ in range(FAILURES_MAX + 1):
        with pytest.raises(Refused) as raised:
            await house.come("k" * 48, "k")
        assert raised.value.reason_code == BAD
    assert house.passwords.checked == []


async def test_an_expired_key_is_refused() -> None:
    house = await House.build()
    assert (await house.come(EXPIRING_SECRET)).id == "key:6"
    house.now_us = NOW_US + 60_000_000
    with pytest.raises(Refused) as raised:
        await house.come(EXPIRING_SECRET)
    assert raised.value.reason_code == BAD


async def test_many_passwords_at_once_are_told_to_come_later() -> None:
    house = await House.build()
    house.passwords.gate = asyncio.Event()
    async with asyncio.TaskGroup() as tasks:
        first = [
            tasks.create_task(house.come("alice", PASSWORD))
            for _ in range(WAITING_OF_ONE_NETWORK_MAX)
        ]
        await asyncio.sleep(0)
        with pytest.raises(Refused) as raised:
            await house.come("alice", PASSWORD)
        assert raised.value.reason_code == Refusal.SERVER_BUSY
        house.passwords.gate.set()
    assert {task.result().id for task in first} == {"account:1"}


async def test_a_database_that_does_not_answer_is_no_wrong_password() -> None:
    house = await House.build()
    house.passwords.is_broken = True
    with pytest.raises(Refused) as raised:
        await house.come("alice", PASSWORD)
    assert raised.value.reason_code == Refusal.SERVER_UNAVAILABLE


async def test_a_client_id_is_for_whom_it_is_for() -> None:
    only = {**LAMP, "client_ids": ["lamp-*", "spare"]}
    house = await House.build(users=[only])
    for client_id in ("lamp-1", "lamp-", "spare"):
        assert (await house.come("lamp", USER_PASSWORD, client_id)).client_id == client_id
    for name, secret, client_id in (
        ("lamp", USER_PASSWORD, "lamp"),
        ("lamp", USER_PASSWORD, "spare-1"),
        ("lamp", USER_PASSWORD, UUID),
        (OTHER_UUID, "another-device-secret-that-is-long", UUID),
    ):
        with pytest.raises(Refused) as raised:
            await house.come(name, secret, client_id)
        assert raised.value.reason_code == Refusal.CLIENT_IDENTIFIER_NOT_VALID


async def test_a_session_is_its_owners_alone() -> None:
    house = await House.build(users=USERS)
    alice, key, device = (
        await house.come("alice", PASSWORD),
        await house.come(MASTER_SECRET),
        await house.come(UUID, DEVICE_SECRET),
    )
    assert len({alice.id, key.id, device.id}) == 3
    again = await house.come(UUID, MASTER_SECRET)
    assert again.id == device.id


async def test_no_secret_is_shown() -> None:
    house = await House.build(users=USERS)
    await house.directory.replace_root_token(house.device.device_id, TOKEN)
    attempt = ConnectAttempt("c1", MASTER_SECRET, PASSWORD.encode(), ELSEWHERE)
    shown = [repr(attempt)]
    for who in (
        (MASTER_SECRET, None),
        (UUID, DEVICE_SECRET),
        (UUID, TOKEN),
        ("lamp", USER_PASSWORD),
    ):
        shown.append(repr(await house.come(*who)))
    for name, secret in ((UUID, "wrong-secret"), ("lamp", "wrong-secret"), ("k" * 48, None)):
        with pytest.raises(Refused) as raised:
            await house.come(name, secret)
        shown.append(str(raised.value))
    secrets = (
        MASTER_SECRET,
        DEVICE_SECRET,
        TOKEN,
        PASSWORD,
        USER_PASSWORD,
        "wrong-secret",
        "k" * 48,
    )
    assert [each for each in shown if any(secret in each for secret in secrets)] == []


async def test_a_device_that_came_by_its_token_may_what_devices_may() -> None:
    house = await House.build(users=USERS)
    rights = house.access.rights_of(await house.come(UUID, "token"))
    assert rights.may_publish(f"/v2/feeds/{house.device.device_id}.csv")
    assert not rights.may_publish(f"/v2/feeds/{house.other.device_id}.csv")


async def test_wrong_tokens_of_a_device_are_counted() -> None:
    house = await House.build(users=USERS)
    for _ in range(FAILURES_MAX):
        with pytest.raises(Refused) as raised:
            await house.come(UUID, "wrong")
        assert raised.value.reason_code == BAD
    with pytest.raises(Refused) as raised:
        await house.come(UUID, "token")
    assert raised.value.reason_code != BAD
