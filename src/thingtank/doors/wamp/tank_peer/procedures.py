"""All procedures of the tank, in one table: which function answers, and which action it runs.

A procedure is `tank.`, the noun, and what is done. What a procedure takes is its function's
signature, what it is for its docstring; the reference page and `tank.help` are made of both.
"""

from collections.abc import Awaitable, Callable
from typing import Any

from thingtank.doors.wamp.tank_peer.arguments import Shape
from thingtank.doors.wamp.tank_peer.resources import (
    datapoints,
    datastreams,
    deliveries,
    devices,
    feeds,
    keys,
    messages,
    products,
    tokens,
    triggers,
    users,
)
from thingtank.tank.actions import backtest, transfer
from thingtank.tank.actions import datapoints as datapoint_actions
from thingtank.tank.actions import datastreams as datastream_actions
from thingtank.tank.actions import deliveries as delivery_actions
from thingtank.tank.actions import devices as device_actions
from thingtank.tank.actions import feeds as feed_actions
from thingtank.tank.actions import keys as key_actions
from thingtank.tank.actions import messages as message_actions
from thingtank.tank.actions import products as product_actions
from thingtank.tank.actions import properties as property_actions
from thingtank.tank.actions import tokens as token_actions
from thingtank.tank.actions import triggers as trigger_actions
from thingtank.tank.actions import users as user_actions

Function = Callable[..., Awaitable[Any]]


class Procedure:
    """One procedure.

    Attributes:
        action: what it runs; None where it only reads what the directory has.
        is_logged: whether the request log of the feed that it names shows it. Not where arguments
            or results may hold secrets.
    """

    __slots__ = ("action", "function", "is_logged", "shape", "uri")

    def __init__(
        self,
        uri: str,
        function: Function,
        action: Callable[..., Any] | None,
        *,
        is_logged: bool = False,
    ) -> None:
        self.uri = uri
        self.function = function
        self.action = action
        self.is_logged = is_logged
        self.shape = Shape(function)


def _logged(uri: str, function: Function, action: Callable[..., Any] | None) -> Procedure:
    return Procedure(uri, function, action, is_logged=True)


PROCEDURES: tuple[Procedure, ...] = (
    Procedure("tank.feeds.list", feeds.list_all, None),
    _logged("tank.feeds.get", feeds.read, None),
    Procedure("tank.feeds.create", feeds.create, feed_actions.create_feed),
    _logged("tank.feeds.write", feeds.write, feed_actions.write_feed),
    _logged("tank.feeds.update", feeds.update, device_actions.update_device),
    _logged("tank.feeds.delete", feeds.delete, device_actions.delete_device),
    _logged("tank.datastreams.list", datastreams.list_all, None),
    _logged("tank.datastreams.get", datastreams.read, datastream_actions.get_datastream),
    _logged("tank.datastreams.create", datastreams.create, datapoint_actions.record_datapoints),
    _logged("tank.datastreams.update", datastreams.update, datapoint_actions.record_datapoints),
    _logged("tank.datastreams.delete", datastreams.delete, datastream_actions.delete_datastream),
    _logged("tank.datapoints.record", datapoints.record, datapoint_actions.record_datapoints),
    _logged("tank.datapoints.history", datapoints.history, datapoint_actions.read_history),
    _logged("tank.datapoints.get", datapoints.read, datapoint_actions.get_datapoint),
    _logged("tank.datapoints.update", datapoints.update, datapoint_actions.update_datapoint),
    _logged("tank.datapoints.delete", datapoints.delete, datapoint_actions.delete_datapoint),
    _logged(
        "tank.datapoints.delete_range", datapoints.delete_range, datapoint_actions.delete_datapoints
    ),
    _logged("tank.datapoints.export", datapoints.export, transfer.export_datapoints),
    _logged("tank.datapoints.import", datapoints.import_in, transfer.import_datapoints),
    Procedure("tank.triggers.list", triggers.list_all, trigger_actions.list_triggers),
    Procedure("tank.triggers.get", triggers.read, trigger_actions.get_trigger),
    Procedure("tank.triggers.create", triggers.create, trigger_actions.create_trigger),
    Procedure("tank.triggers.update", triggers.update, trigger_actions.update_trigger),
    Procedure("tank.triggers.enable", triggers.enable, trigger_actions.enable_trigger),
    Procedure("tank.triggers.disable", triggers.disable, trigger_actions.enable_trigger),
    Procedure("tank.triggers.delete", triggers.delete, trigger_actions.delete_trigger),
    Procedure("tank.triggers.test", triggers.test, trigger_actions.test_trigger),
    Procedure("tank.triggers.backtest", triggers.backtest, backtest.backtest_trigger),
    Procedure(
        "tank.triggers.backtest_stored", triggers.backtest_stored, backtest.backtest_stored_trigger
    ),
    Procedure("tank.deliveries.list", deliveries.list_all, delivery_actions.list_deliveries),
    Procedure("tank.deliveries.count", deliveries.count, delivery_actions.count_deliveries),
    Procedure("tank.deliveries.get", deliveries.read, delivery_actions.get_delivery),
    Procedure("tank.deliveries.retry", deliveries.retry, delivery_actions.retry_delivery),
    Procedure("tank.deliveries.cancel", deliveries.cancel, delivery_actions.cancel_delivery),
    Procedure(
        "tank.signing_secrets.list",
        deliveries.list_secrets,
        delivery_actions.reveal_signing_secrets,
    ),
    Procedure(
        "tank.signing_secrets.rotate",
        deliveries.rotate_secret,
        delivery_actions.rotate_signing_secret,
    ),
    Procedure("tank.keys.list", keys.list_all, key_actions.list_keys),
    Procedure("tank.keys.list_revealed", keys.list_revealed, key_actions.list_revealed_keys),
    Procedure("tank.keys.get", keys.read, key_actions.get_key),
    Procedure("tank.keys.create", keys.create, key_actions.create_key),
    Procedure("tank.keys.update", keys.update, key_actions.update_key),
    Procedure("tank.keys.reveal", keys.reveal, key_actions.reveal_key),
    Procedure("tank.keys.regenerate", keys.regenerate, key_actions.regenerate_key),
    Procedure("tank.keys.delete", keys.delete, key_actions.delete_key),
    Procedure("tank.products.list", products.list_all, product_actions.list_products),
    Procedure("tank.products.get", products.read, product_actions.get_product),
    Procedure("tank.products.create", products.create, product_actions.create_product),
    Procedure("tank.products.update", products.update, product_actions.update_product),
    Procedure("tank.products.delete", products.delete, product_actions.delete_product),
    Procedure(
        "tank.products.add_devices", products.add_devices, product_actions.add_product_devices
    ),
    Procedure(
        "tank.products.list_devices", products.list_devices, product_actions.list_product_devices
    ),
    Procedure("tank.products.get_device", products.read_device, product_actions.get_product_device),
    Procedure(
        "tank.products.rename_device", products.rename_device, product_actions.rename_product_device
    ),
    Procedure(
        "tank.products.delete_device", products.delete_device, product_actions.delete_product_device
    ),
    Procedure(
        "tank.products.deactivate_device",
        products.deactivate_device,
        product_actions.deactivate_device,
    ),
    Procedure("tank.devices.get", devices.read, None),
    Procedure("tank.devices.create", devices.create, device_actions.create_device),
    Procedure("tank.devices.develop", devices.develop, product_actions.develop_device),
    Procedure("tank.devices.activate", devices.activate, product_actions.activate_device),
    Procedure("tank.devices.find", devices.find, product_actions.find_code_holder),
    Procedure("tank.messages.send", messages.send, message_actions.send_message),
    Procedure("tank.devices.properties", devices.properties, None),
    Procedure("tank.devices.change", devices.change, property_actions.change_properties),
    Procedure("tank.tokens.list", tokens.list_all, token_actions.list_tokens),
    Procedure("tank.tokens.create", tokens.create, token_actions.create_token),
    Procedure("tank.tokens.reset", tokens.reset, token_actions.reset_token),
    Procedure("tank.tokens.revoke", tokens.revoke, token_actions.revoke_token),
    Procedure("tank.tokens.revoke_some", tokens.revoke_some, token_actions.revoke_tokens),
    Procedure("tank.users.list", users.list_all, user_actions.list_users),
    Procedure("tank.users.get", users.read, user_actions.get_user),
    Procedure("tank.users.create", users.create, user_actions.create_user),
    Procedure("tank.users.update", users.update, user_actions.update_user),
    Procedure("tank.users.delete", users.delete, user_actions.delete_user),
)
