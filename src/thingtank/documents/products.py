"""Xively's product documents ↔ the tank's products and their devices."""

import msgspec
from msgspec import UNSET

from thingtank.protocols.xively import product_documents as documents
from thingtank.protocols.xively.documents import UnitBody
from thingtank.tank.actions.products import Activation, ProductDeviceRow
from thingtank.tank.products import FeedTemplate, FeedTemplateChange, Product, ProductChange
from thingtank.tank.tank import Tank
from thingtank.tank.things import Datastream, Unit


def product_change(document: documents.ProductDocument) -> ProductChange:
    """What a document changes of a product."""
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


def product_body(tank: Tank, product: Product) -> documents.ProductBody:
    """A product."""
    return documents.ProductBody(
        name=product.name,
        description=product.description,
        product_id=product.product_id,
        secret=product.secret,
        state=product.state,
        devices_count=product.devices_count,
        activated_devices_count=product.activated_devices_count,
        user=tank.directory.get_account(product.account_id).login,
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


def device_body(row: ProductDeviceRow) -> documents.ProductDeviceBody:
    """A product's device."""
    device = row.device
    activated_us = device.activated_us
    return documents.ProductDeviceBody(
        device.serial,
        device.activation_code,
        documents.format_second(device.created_us),
        None if activated_us is None else documents.format_second(activated_us),
        UNSET if device.feed_id is None else device.feed_id,
        row.api_key or UNSET,
    )


def activation_body(told: Activation) -> documents.ActivationBody:
    """What an activated device is told."""
    return documents.ActivationBody(told.api_key, told.feed_id, told.datastreams)
