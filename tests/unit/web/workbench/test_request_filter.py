"""A text is looked for in many requests, and the loop serves others meanwhile."""

import asyncio

from thingtank.stores.memory_archive import MemoryArchive
from thingtank.stores.memory_directory import MemoryDirectory
from thingtank.tank.access import Caller
from thingtank.tank.events import Asked, RequestServed
from thingtank.tank.tank import Tank
from thingtank.tank.things import Device
from thingtank.web.workbench import request_filter
from thingtank.web.workbench.request_filter import RequestFilter

DEVICES = 20
REQUESTS = 50  # of each


async def test_the_loop_takes_turns_while_a_text_is_looked_for() -> None:
    directory = MemoryDirectory()
    alice = directory.add_account("alice")
    tank = Tank(directory, MemoryArchive())
    caller = Caller(alice)
    for number in range(DEVICES):
        draft = Device(0, f"u{number}", alice.account_id, f"Node {number}")
        device = await directory.insert_device(draft, [], "", None)
        for at_us in range(REQUESTS):
            asked = Asked(device.device_id, "xively_http", "PUT", "/v2/feeds/1")
            text = b"Needle" if at_us == number else b"hay"
            tank.request_log.note(
                RequestServed(at_us, asked, 200, 1, request_body=text, caller=caller)
            )
    turns_count = 0

    async def count_turns() -> None:
        nonlocal turns_count
        while True:
            turns_count += 1
            await asyncio.sleep(0)

    counting = asyncio.create_task(count_turns())
    wanted = RequestFilter(tank, caller, request_filter.AskedRequests(text="needle"))
    found = await wanted.newest(DEVICES)
    counting.cancel()
    assert [served.at_us for served in found] == list(range(DEVICES - 1, -1, -1))
    assert turns_count >= DEVICES * REQUESTS // request_filter.TEXTS_A_TURN_MAX - 1
    first = await RequestFilter(tank, caller, request_filter.AskedRequests(text="needle")).newest(3)
    assert [served.at_us for served in first] == [19, 18, 17]
