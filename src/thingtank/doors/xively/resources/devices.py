"""Devices of products: upload serials, list, read, rename, delete; and activation by code.

Source: Xively API v2, devices, provisioning.
"""

from thingtank.documents.products import activation_body, device_body
from thingtank.doors.xively.requests import Request
from thingtank.doors.xively.resources.shared import Context
from thingtank.doors.xively.responses import DONE, Reply
from thingtank.protocols.xively import product_documents as documents
from thingtank.protocols.xively.paths import ActivationPath, DevicePath, DevicesPath
from thingtank.tank.actions import products as actions
from thingtank.tank.products_interface import ProductDeviceQuery


async def list_all(context: Context, request: Request) -> Reply:
    """`GET /products/P/devices`: in the order they were added, in pages."""
    asked = documents.parse_devices_query(request.parameters)
    query = ProductDeviceQuery(
        _product_id(request), asked.serial, asked.activated, asked.page, asked.per_page
    )
    rows, count = await actions.list_product_devices(context.tank, request.caller, query)
    bodies = [device_body(row) for row in rows]
    return Reply(body=documents.serialize_devices(bodies, count, asked.page, asked.per_page))


async def create(context: Context, request: Request) -> Reply:
    """`POST /products/P/devices`: many serials, all or none; 201 and the list's `Location`."""
    product_id = _product_id(request)
    serials = documents.parse_devices(request.body)
    await actions.add_product_devices(context.tank, request.caller, product_id, serials)
    return Reply(201, location=f"{request.base_url}/v2/products/{product_id}/devices")


def _product_id(request: Request) -> str:
    path = request.target.path
    assert isinstance(path, DevicesPath)
    return path.product_id


async def read(context: Context, request: Request) -> Reply:
    """`GET /products/P/devices/S`."""
    path = _device_path(request)
    row = await actions.get_product_device(
        context.tank, request.caller, path.product_id, path.serial
    )
    return Reply(body=documents.serialize_device(device_body(row)))


async def update(context: Context, request: Request) -> Reply:
    """`PUT /products/P/devices/S`: another serial, and with it another activation code."""
    path = _device_path(request)
    await actions.rename_product_device(
        context.tank,
        request.caller,
        path.product_id,
        path.serial,
        documents.parse_device(request.body),
    )
    return DONE


async def delete(context: Context, request: Request) -> Reply:
    """`DELETE /products/P/devices/S`."""
    path = _device_path(request)
    await actions.delete_product_device(context.tank, request.caller, path.product_id, path.serial)
    return DONE


def _device_path(request: Request) -> DevicePath:
    path = request.target.path
    assert isinstance(path, DevicePath)
    return path


async def activate(context: Context, request: Request) -> Reply:
    """`GET /devices/CODE/activate`: no key is needed the first time."""
    path = request.target.path
    assert isinstance(path, ActivationPath)
    told = await actions.activate_device(context.tank, request.caller, path.code)
    body = activation_body(told)
    if request.format == "csv":
        return Reply(body=documents.serialize_activation_csv(body))
    return Reply(body=documents.serialize_activation_json(body))
