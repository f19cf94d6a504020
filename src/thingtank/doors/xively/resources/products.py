"""Products: list, create, read, change, delete.

Source: Xively API v2, products.
"""

import msgspec
from msgspec import UNSET

from thingtank.doors.xively.requests import Request
from thingtank.doors.xively.resources.shared import Context
from thingtank.doors.xively.responses import DONE, Reply
from thingtank.protocols.xively import product_documents as documents
from thingtank.protocols.xively.documents import UnitBody
from thingtank.protocols.xively.paths import ProductPath
from thingtank.protocols.xively.query import page_of
from thingtank.tank.actions import products as actions
from thingtank.tank.errors import Unauthenticated
from thingtank.tank.products import FeedTemplate, FeedTemplateChange, Product, ProductChange
from thingtank.tank.products_interface import ProductQuery
from thingtank.tank.things import Datastream, Unit


async def list_all(context: Context, request: Request) -> Reply:
    """`GET /products`: the account's, in pages."""
    account = request.caller.account
    if account is None:
        raise Unauthenticated("a master key is needed")
    state = documents.parse_state(request.parameters)
    page, per_page = page_of(request.parameters, documents.DEVICES_PER_PAGE)
    query = ProductQuery(account.account_id, state, page, per_page)
    found = await actions.list_products(context.tank, request.caller, query)
    bodies = [_body(context, product) for product in found.products]
    return Reply(body=documents.serialize_products(bodies, found.total_count, page, per_page))


async def create(context: Context, request: Request) -> Reply:
    """`POST /products`: 201 and `Location`."""
    change = _change(documents.parse_product(request.body))
    product = await actions.create_product(context.tank, request.caller, change)
    return Reply(201, location=f"{request.base_url}/v2/products/{product.product_id}")


async def read(context: Context, request: Request) -> Reply:
    """`GET /products/P`."""
    product = await actions.get_product(context.tank, request.caller, _product_id(request))
    return Reply(body=documents.serialize_product(_body(context, product)))


async def update(context: Context, request: Request) -> Reply:
    """`PUT /products/P`: name, description and template."""
    change = _change(documents.parse_product(request.body))
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


def _change(document: documents.ProductDocument) -> ProductChange:
    defaults = document.feed_defaults
    template = UNSET if defaults is UNSET else _template_change(defaults)
    return ProductChange(document.name, document.description, template)


def _template_change(defaults: documents.FeedDefaultsDocument) -> FeedTemplateChange:
    streams = defaults.datastreams
    return FeedTemplateChange(
        defaults.title,
        defaults.description,
        defaults.tags,
        defaults.private,
        defaults.website,
        UNSET if streams is UNSET else tuple(map(_datastream, streams)),
    )


def _datastream(document: documents.TemplateDatastreamDocument) -> Datastream:
    unit = document.unit
    return Datastream(
        0, 0, document.id, document.tags, Unit(unit.type, unit.symbol, unit.label) if unit else None
    )


def _body(context: Context, product: Product) -> documents.ProductBody:
    return documents.ProductBody(
        name=product.name,
        description=product.description,
        product_id=product.product_id,
        secret=product.secret,
        state=product.state,
        devices_count=product.devices_count,
        activated_devices_count=product.activated_devices_count,
        user=context.tank.directory.get_account(product.account_id).login,
        feed_defaults=_defaults_body(product.template),
    )


def _defaults_body(template: FeedTemplate) -> documents.FeedDefaultsBody:
    return documents.FeedDefaultsBody(
        title=template.title,
        description=template.description,
        tags=template.tags,
        private="true" if template.private else "false",
        website=template.website,
        datastreams=[
            documents.TemplateDatastreamBody(
                stream.name,
                stream.tags,
                UnitBody(**msgspec.structs.asdict(stream.unit)) if stream.unit else None,
            )
            for stream in template.datastreams
        ],
    )
