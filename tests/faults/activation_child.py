"""Activates a device in a data folder; told so, dies by SIGKILL inside the transaction.

Usage: python -m tests.faults.activation_child FOLDER (die|live)
Prints one line of JSON: feeds, keys, and whether the device is active, before; the answer.
"""

import asyncio
import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

from thingtank.stores.memory_archive import MemoryArchive
from thingtank.tank.access import STRANGER, Caller
from thingtank.tank.actions.products import activate_device, add_product_devices, create_product
from thingtank.tank.products import ProductChange
from thingtank.tank.products_interface import ProductQuery
from thingtank.tank.tank import Tank
from thingtank.web.setup import configure, migrate
from thingtank.web.web_settings import WebSettings

SECRET = bytes(range(32))


def die(*_: Any, **__: Any) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


async def run(dies: bool) -> None:
    from thingtank.web.accounts.models import Account as AccountRow
    from thingtank.web.catalog import models
    from thingtank.web.catalog.directory import DjangoDirectory
    from thingtank.web.catalog.products import DjangoProducts

    if not AccountRow.objects.exists():
        AccountRow.objects.create_user("alice")
    directory = DjangoDirectory(SECRET)
    directory.load()
    products = DjangoProducts(directory, SECRET)
    tank = Tank(directory, MemoryArchive(), products=products)
    account = directory.find_account("alice")
    assert account is not None
    page = await products.list_products(ProductQuery(account.account_id))
    if not page.products:
        made = await create_product(tank, Caller(account), ProductChange(name="Sensor"))
        await add_product_devices(tank, Caller(account), made.product_id, ["A"])
        page = await products.list_products(ProductQuery(account.account_id))
    product = page.products[0]
    device = await products.get_device(product.product_id, "A")
    found = [models.Device.objects.count(), models.ApiKey.objects.count()]
    if dies:
        models.ProductDevice.save = die  # type: ignore[method-assign] # the last step before commit
    answer = await activate_device(tank, STRANGER, device.activation_code)
    key = directory.find_key(answer.api_key)
    print(
        json.dumps(
            {
                "feeds_and_keys": found,
                "was_active": device.activated_us is not None,
                "has_key": key is not None,
            }
        )
    )
    products.close()
    directory.close()


if __name__ == "__main__":
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "1"
    configure(WebSettings(), Path(sys.argv[1]), SECRET)
    migrate()
    asyncio.run(run(sys.argv[2] == "die"))
