"""The parts put together by the settings deliver, sign with the instance's secret, and stop."""

from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from standardwebhooks import Webhook
from tests.deliveries import Receiver, answering, eventually, new, receiver

from thingtank.server.config import Config, load_config
from thingtank.server.data_folder import open_outbox
from thingtank.server.deliveries import start_dispatcher
from thingtank.stores.memory_archive import MemoryArchive
from thingtank.stores.memory_directory import MemoryDirectory
from thingtank.stores.sqlite_outbox import SqliteOutbox
from thingtank.tank.access import OPERATOR
from thingtank.tank.actions.deliveries import reveal_signing_secrets
from thingtank.tank.deliveries import Delivery, DeliveryState
from thingtank.tank.tank import SystemClock, Tank

SECRET = b"s" * 32


async def deliver(config: Config, folder: Path, there: Receiver) -> tuple[Delivery, list[str]]:
    async def nobody_is_gone(delivery: Delivery) -> None:
        raise AssertionError

    async with AsyncExitStack() as stack:
        outbox = await open_outbox(config, folder, SECRET, stack)
        start_dispatcher(config, outbox, SystemClock(), nobody_is_gone, stack)
        await outbox.record("t", 1, {}, [new(target=there.url, created_us=SystemClock().now_us())])
        await eventually(lambda: is_settled(outbox))
        tank = Tank(MemoryDirectory(), MemoryArchive(), deliveries=outbox)
        return await outbox.get(1), list(await reveal_signing_secrets(tank, OPERATOR, 1))
    raise AssertionError("the stack swallows nothing")


async def is_settled(outbox: SqliteOutbox) -> bool:
    return (await outbox.get(1)).state is not DeliveryState.WAITING


async def test_a_receiver_verifies_with_the_secret_that_the_account_sees(tmp_path: Path) -> None:
    config = load_config(None, {}, ["webhooks.allowed_networks=127.0.0.1/32"]).config
    async with receiver(answering()) as there:
        delivery, (secret,) = await deliver(config, tmp_path, there)
    assert delivery.state is DeliveryState.DELIVERED
    head, _, body = there.requests[0].partition(b"\r\n\r\n")
    headers = dict(line.split(": ", 1) for line in head.decode().split("\r\n")[1:])
    Webhook(secret).verify(body, headers, json_parse=False)


async def test_by_default_this_machine_is_not_reached(tmp_path: Path) -> None:
    async with receiver(answering()) as there:
        delivery, _ = await deliver(Config(), tmp_path, there)
    assert (delivery.state, there.requests) == (DeliveryState.DEAD, [])
    assert "loopback" in delivery.error


async def test_the_documented_receiver_believes_ours_and_nobody_elses(tmp_path: Path) -> None:
    page = (Path(__file__).parents[3] / "docs/howto/receive-webhooks.md").read_text()
    code = page.partition("```python\n")[2].partition("```")[0]
    known: dict[str, object] = {}
    exec(code, known)  # noqa: S102 - the page's own example
    document_of = known["document_of"]
    assert callable(document_of)
    config = load_config(None, {}, ["webhooks.allow_private=true"]).config
    async with receiver(answering()) as there:
        _, (secret,) = await deliver(config, tmp_path, there)
    head, _, body = there.requests[0].partition(b"\r\n\r\n")
    headers = dict(line.split(": ", 1) for line in head.decode().split("\r\n")[1:])
    assert document_of(body, headers, secret)["environment"]["title"] == "Roof & more"
    with pytest.raises(Exception, match="No matching signature"):
        document_of(body + b"x", headers, secret)
