"""A process that records firings and delivers them until it is killed.

`python -m tests.faults.delivery_child FOLDER URL FIRST`: journal numbers FIRST upwards fire each of
three triggers; `recorded NUMBER` is printed once the outbox has said so.
"""

import asyncio
import sys
from pathlib import Path

from tests.deliveries import derive

from thingtank.sinks.dispatcher import Dispatcher
from thingtank.sinks.resolver import SystemResolver
from thingtank.sinks.settings import DeliverySettings, WebhookSettings
from thingtank.sinks.webhooks import WebhookSink
from thingtank.stores.sqlite_outbox import SqliteOutbox
from thingtank.tank.deliveries import Delivery
from thingtank.tank.outbox import NewDelivery
from thingtank.tank.tank import SystemClock

TRIGGERS = (1, 2, 3)
READER = "triggers"


async def main(folder: Path, url: str, first: int) -> None:
    """Record and deliver."""
    clock = SystemClock()
    outbox = await SqliteOutbox.open(folder, derive)
    settings = WebhookSettings(allowed_networks=("127.0.0.1/32",), attempt_s_max=2)
    sink = WebhookSink(settings, SystemResolver(), outbox.signing_secrets, clock)

    async def nobody_is_gone(delivery: Delivery) -> None:
        raise AssertionError("the receiver never says 410")

    quick = DeliverySettings(retry_s=(0.02,) * 500)
    Dispatcher(outbox, {"webhook": sink}, quick, clock, nobody_is_gone).start()
    place = await outbox.place(READER)
    states = await outbox.states()
    print(f"place {place} {states.get(1, b'0').decode()}", flush=True)
    for number in range(first, first + 10_000):
        deliveries = [
            NewDelivery(
                trigger_id, 7, 1, "webhook", url, b"%d-%d" % (trigger_id, number), clock.now_us()
            )
            for trigger_id in TRIGGERS
        ]
        await outbox.record(READER, number, {1: b"%d" % number}, deliveries)
        print(f"recorded {number}", flush=True)
        await asyncio.sleep(0.01)


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])))
