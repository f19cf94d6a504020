"""Searches in other threads while devices come, go and turn private."""

import threading
import time

import msgspec

from thingtank.stores.memory_directory import MemoryDirectory
from thingtank.tank.interfaces import DeviceQuery
from thingtank.tank.things import Datastream, Device

QUERIES = [
    DeviceQuery(with_public=True, text="node"),
    DeviceQuery(with_public=True, text="nodee", order="relevance"),
    DeviceQuery(with_public=True, order="title"),
    DeviceQuery(with_public=True, tag="roof"),
]


async def test_a_search_beside_changes_neither_fails_nor_shows_what_is_private() -> None:
    directory = MemoryDirectory()
    alice = directory.add_account("alice")
    errors: list[Exception] = []
    searched = [0] * 2
    is_over = threading.Event()

    def search(place: int) -> None:
        try:
            while not is_over.is_set():
                for query in QUERIES:
                    page = directory.list_devices(query)
                    assert page.total_count >= 0
                    # Private devices say so in their title, and never are anything else.
                    assert not [one for one in page.devices if "private" in one.title]
                    searched[place] += 1
        except Exception as error:  # noqa: BLE001 - told to the test, which fails then
            errors.append(error)

    threads = [threading.Thread(target=search, args=(place,)) for place in range(2)]
    for thread in threads:
        thread.start()
    ids: list[int] = []
    ends_s = time.monotonic() + 2
    number = 0
    while time.monotonic() < ends_s and not errors:
        number += 1
        is_private = number % 2 == 0
        title = f"Node {'private' if is_private else 'public'} {number}"
        draft = Device(0, f"u{number}", alice.account_id, title, is_private, tags=("roof",))
        device = await directory.insert_device(draft, [Datastream(0, 0, f"n{number}")], "", None)
        ids.append(device.device_id)
        if len(ids) > 50:  # slots are used again, by private after public ones
            await directory.delete_device(ids.pop(number % 50))
        await directory.update_device(
            ids[number % len(ids)],
            lambda newest: msgspec.structs.replace(newest, description=newest.title),
        )
    is_over.set()
    for thread in threads:
        thread.join()
    assert not errors
    assert min(searched) > 10
    assert number > 10
