"""Every operation by name, and the one place that runs them."""

from collections.abc import Awaitable, Callable
from typing import Any

import msgspec

from thingtank.server.operations import (
    archive,
    backup,
    batch,
    deliveries,
    devices,
    feeds,
    health,
    keys,
    products,
    simulator,
    sinks,
    sources,
    transfer,
    triggers,
    users,
)
from thingtank.server.operations.addresses import addresses
from thingtank.server.operations.context import Context
from thingtank.server.operations.rule_shapes import ListOfRule, OneRule
from thingtank.server.operations.shapes import Nothing, Paged, Refused
from thingtank.tank.errors import TankError, reason_of
from thingtank.validation_words import IN_ARGUMENTS, validation_words

Operation = Callable[[Context, Any], Awaitable[msgspec.Struct]]

OPERATIONS: dict[str, tuple[type[msgspec.Struct], Operation]] = {
    "device.create": (devices.CreateDevice, devices.create),
    "device.list": (devices.ListDevices, devices.list_all),
    "device.show": (devices.OneDevice, devices.show),
    "device.delete": (devices.OneDevice, devices.delete),
    "key.create": (keys.CreateKey, keys.create),
    "key.list": (keys.ListKeys, keys.list_all),
    "key.show": (keys.OneKey, keys.show),
    "key.delete": (keys.OneKey, keys.delete),
    "key.update": (keys.UpdateKey, keys.update),
    "key.regenerate": (keys.OneKey, keys.regenerate),
    "product.create": (products.CreateProduct, products.create),
    "product.list": (products.ListProducts, products.list_all),
    "product.show": (products.OneProduct, products.show),
    "product.delete": (products.OneProduct, products.delete),
    "product.add_serials": (products.AddSerials, products.add_serials),
    "product.list_serials": (products.ListSerials, products.list_serials),
    "product.activate": (products.OneCode, products.activate),
    "product.deactivate": (products.OneSerial, products.deactivate),
    "user.create": (users.CreateUser, users.create),
    "user.list": (Paged, users.list_all),
    "user.password": (users.SetPassword, users.set_password),
    "user.link": (users.OneUser, users.make_link),
    "user.disable": (users.OneUser, users.disable),
    "user.enable": (users.OneUser, users.enable),
    "feed.write": (feeds.WriteValues, feeds.write),
    "feed.history": (feeds.AskHistory, feeds.history),
    "feed.delete_history": (feeds.DeleteHistory, feeds.delete_history),
    "trigger.create": (triggers.CreateTrigger, triggers.create),
    "trigger.list": (triggers.ListTriggers, triggers.list_all),
    "trigger.show": (triggers.OneTrigger, triggers.show),
    "trigger.enable": (triggers.OneTrigger, triggers.enable),
    "trigger.disable": (triggers.OneTrigger, triggers.disable),
    "trigger.delete": (triggers.OneTrigger, triggers.delete),
    "trigger.test": (triggers.OneTrigger, triggers.test),
    "delivery.list": (deliveries.ListDeliveries, deliveries.list_all),
    "delivery.show": (deliveries.OneDelivery, deliveries.show),
    "delivery.retry": (deliveries.OneDelivery, deliveries.retry),
    "delivery.cancel": (deliveries.OneDelivery, deliveries.cancel),
    "sink.list": (Nothing, sinks.list_all),
    "sink.show": (OneRule, sinks.show),
    "sink.letters": (ListOfRule, sinks.letters),
    "sink.retry": (sinks.SomeLetters, sinks.retry),
    "sink.discard": (sinks.SomeLetters, sinks.discard),
    "sink.pause": (sinks.PauseSink, sinks.pause),
    "source.list": (Nothing, sources.list_all),
    "source.show": (OneRule, sources.show),
    "source.rejected": (ListOfRule, sources.rejected),
    "source.retry": (sources.SomeRejected, sources.retry),
    "source.discard": (sources.SomeRejected, sources.discard),
    "simulator.prepare": (simulator.PrepareSimulator, simulator.prepare),
    "server.addresses": (Nothing, addresses),
    "server.health": (Nothing, health.health),
    "backup.copy": (Nothing, backup.copy),
    "batch.schedule_add": (batch.AddSchedule, batch.add),
    "batch.schedule_list": (Nothing, batch.list_all),
    "batch.schedule_pause": (batch.PauseSchedule, batch.pause),
    "batch.schedule_remove": (batch.OneSchedule, batch.remove),
    "batch.schedule_run": (batch.OneSchedule, batch.run),
    "batch.schedule_show": (batch.OneSchedule, batch.show),
    "archive.stats": (Nothing, archive.stats),
    "archive.compact": (Nothing, archive.compact),
    "archive.adopt": (Nothing, archive.adopt),
    "archive.retention": (archive.AskRetention, archive.retention),
    "archive.export_batch": (transfer.ExportBatch, transfer.export_batch),
    "archive.import_batch": (transfer.ImportBatch, transfer.import_batch),
}


async def run_operation(context: Context, name: str, parameters: Any) -> Any:
    """Run an operation on plain values, and answer with plain values.

    Raises:
        Refused: there is no such operation, its parameters are wrong, or the tank refuses it.
    """
    found = OPERATIONS.get(name)
    if found is None:
        raise Refused(f"this version has no operation {name}")
    shape, operation = found
    try:
        asked = msgspec.convert(parameters, shape)
        return msgspec.to_builtins(await operation(context, asked))
    except msgspec.ValidationError as error:
        raise Refused(f"{name}: {validation_words(error, shape, IN_ARGUMENTS)}") from None
    except TankError as error:
        raise Refused(reason_of(error)) from None
