"""Products: list, create, read, change, delete.

Source: Xively API v2, products.
"""

from thingtank.documents.products import product_body, product_change
from thingtank.doors.xively.requests import Request
from thingtank.doors.xively.resources.shared import Context
from thingtank.doors.xively.responses import DONE, Reply
from thingtank.protocols.xively import product_documents as documents
from thingtank.protocols.xively.paths import ProductPath
from thingtank.protocols.xively.query import page_of
from thingtank.tank.actions import products as actions
from thingtank.tank.errors import Unauthenticated
from thingtank.tank.products_interface import ProductQuery


async def list_all(context: Context, request: Request) -> Reply:
    """`GET /products`: the account's, in pages."""
    account = request.caller.account
    if account is None:
        raise Unauthenticated("a master key is needed")
    state = documents.parse_state(request.parameters)
    page, per_page = page_of(request.parameters, documents.DEVICES_PER_PAGE)
    query = ProductQuery(account.account_id, state, page, per_page)
    found = await actions.list_products(context.tank, request.caller, query)
    bodies = [product_body(context.tank, product) for product in found.products]
    return Reply(body=documents.serialize_products(bodies, found.total_count, page, per_page))


async def create(context: Context, request: Request) -> Reply:
    """`POST /products`: 201 and `Location`."""
    change = product_change(documents.parse_product(request.body))
    product = await actions.create_product(context.tank, request.caller, change)
    return Reply(201, location=f"{request.base_url}/v2/products/{product.product_id}")


async def read(context: Context, request: Request) -> Reply:
    """`GET /products/P`."""
    product = await actions.get_product(context.tank, request.caller, _product_id(request))
    return Reply(body=documents.serialize_product(product_body(context.tank, product)))


async def update(context: Context, request: Request) -> Reply:
    """`PUT /products/P`: name, description and template."""
    change = product_change(documents.parse_product(request.body))
    await actions.update_product(context.tank, request.caller, _product_id(request), change)
    return DONE


async def delete(context: Context, request: Request) -> Reply:
    """`DELETE /products/P`."""
    await actions.delete_product(context.tank, request.caller, _product_id(request))
    return DONE


def _product_id(request: Request) -> str:
    path = request.target.path
    assert isinstance(path, ProductPath)
    return path.product_id
