"""The Deploy page: a sheet of labels to print, one for each device, whose QR code activates it."""

from urllib.parse import urlsplit

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from thingtank.tank.access import Caller
from thingtank.tank.actions.products import list_product_devices
from thingtank.tank.products import Product
from thingtank.tank.products_interface import ProductDeviceQuery
from thingtank.web import tank_access
from thingtank.web.django_settings import LOOPBACK_HOSTS
from thingtank.web.workbench.pages import address_of, page, page_count, page_number
from thingtank.web.workbench.product_forms import SheetForm
from thingtank.web.workbench.provisioning import Label, label_of
from thingtank.web.workbench.views.products import managed_product, owns

# A multiple of every choice of labels per page. Each takes about 2 ms to draw.
LABELS_MAX = 240


@page
@require_safe
def deploy(request: HttpRequest, product_id: str) -> HttpResponse:
    """Show the sheet, LABELS_MAX labels at a time."""
    caller, product = managed_product(request, product_id)
    form = SheetForm.of(request.GET.dict())
    number = page_number(request, "page")
    may_reveal = owns(caller, product)
    labels: list[Label] = []
    total_count = 0
    if may_reveal:  # an activation code lets whoever has it in
        only = False if form.cleaned_data["which"] == "waiting" else None
        query = ProductDeviceQuery(product_id, "", only, number, LABELS_MAX)
        action = list_product_devices(tank_access.tank(), caller, query)
        rows, total_count = tank_access.run(action)
        labels = [label_of(request, row.device) for row in rows]
    size = int(form.cleaned_data["size"])
    context = {
        "product": product,
        "feed_id": _developed_feed_id(caller, product),
        "form": form,
        "may_reveal": may_reveal,
        "sheets": [labels[start : start + size] for start in range(0, len(labels), size)],
        "total_count": total_count,
        "first": (number - 1) * LABELS_MAX + 1,
        "last": (number - 1) * LABELS_MAX + len(labels),
        "page_number": number,
        "page_count": page_count(total_count, LABELS_MAX),
        "is_loopback": _is_loopback(address_of(request, "/")),
        "address": address_of(request, "/activate/") + "…",
    }
    return render(request, "workbench/deploy.html", context)


def _developed_feed_id(caller: Caller, product: Product) -> int | None:
    """The feed of a product's one device while it is in development."""
    if product.state != "develop":
        return None
    query = ProductDeviceQuery(product.product_id, per_page=1)
    rows, _ = tank_access.run(list_product_devices(tank_access.tank(), caller, query))
    return rows[0].device.feed_id if rows else None


def _is_loopback(address: str) -> bool:
    """Whether a phone cannot reach an address, because it names its own machine only."""
    host = urlsplit(address).hostname or ""
    return host in [name.strip("[]") for name in LOOPBACK_HOSTS]
