"""Pages of a product's devices: adding serials, one serial, and what is done with it."""

from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_safe

from thingtank.tank.access import Caller
from thingtank.tank.actions.products import (
    add_product_devices,
    deactivate_device,
    delete_product_device,
    get_product_device,
    rename_product_device,
)
from thingtank.tank.errors import LimitReached, ValidationFailed
from thingtank.tank.products import Product, ProductDevice
from thingtank.web import tank_access
from thingtank.web.django_settings import UPLOAD_BYTES_MAX
from thingtank.web.workbench.forms import TankForm
from thingtank.web.workbench.pages import (
    attempt,
    back_to_device,
    form_page,
    notice_of,
    owned_device,
    page,
    require_form,
)
from thingtank.web.workbench.product_forms import RenameForm, SerialsForm
from thingtank.web.workbench.provisioning import activation_url, parts_of, read_provision
from thingtank.web.workbench.qr_codes import qr_svg
from thingtank.web.workbench.views.products import (
    back_to_product,
    managed_product,
    owns,
    way_back,
)


@page
@require_form
def add(request: HttpRequest, product_id: str) -> HttpResponse:
    """Add serials to a product, all or none."""
    caller, product = managed_product(request, product_id)
    tank = tank_access.tank()
    form = SerialsForm(
        request.POST or None,
        request.FILES or None,
        serials_max=tank.limits.serials_per_upload_max,
        is_cut=int(request.META.get("CONTENT_LENGTH") or 0) > UPLOAD_BYTES_MAX,
    )
    if request.method == "POST" and form.is_valid():
        try:
            tank_access.run(add_product_devices(tank, caller, product_id, form.found))
        except ValidationFailed as error:
            form.add_row_problems(list(error.problems))
        except LimitReached as error:
            form.add_error(None, str(error))
        else:
            return back_to_product(product_id, "serials-added")
    return form_page(request, "serials_add.html", form, product=product, **way_back(product))


def _serial(
    request: HttpRequest, product_id: str, serial: str
) -> tuple[Caller, Product, ProductDevice]:
    caller, product = managed_product(request, product_id)
    action = get_product_device(tank_access.tank(), caller, product_id, serial)
    return caller, product, tank_access.run(action).device


@page
@require_safe
def serial(request: HttpRequest, product_id: str, serial: str) -> HttpResponse:
    """Show one device of a product: state, code, label."""
    caller, product, device = _serial(request, product_id, serial)
    context: dict[str, object] = {
        "product": product,
        "device": None,
        "unit": device,
        "may_reveal": owns(caller, product),
        "notice": notice_of(request),
    }
    if context["may_reveal"]:
        url = activation_url(request, device.activation_code)
        context |= {"activation_url": url, "qr": qr_svg(url)}
        context["code_parts"] = parts_of(device.activation_code)
    return render(request, "workbench/serial.html", context)


def _back(product_id: str, serial: str, notice: str) -> HttpResponseRedirect:
    url = reverse("workbench:serial", args=[product_id, serial])
    return HttpResponseRedirect(f"{url}?done={notice}")


def _form_page(
    request: HttpRequest, template: str, form: TankForm, product: Product, device: ProductDevice
) -> HttpResponse:
    url = reverse("workbench:serial", args=[product.product_id, device.serial])
    way = {"back_url": url, "back_name": device.serial}
    return form_page(request, template, form, product=product, unit=device, **way)


@page
@require_form
def rename(request: HttpRequest, product_id: str, serial: str) -> HttpResponse:
    """Give a device another serial."""
    caller, product, device = _serial(request, product_id, serial)
    form = RenameForm(request.POST or None, initial={"serial": serial})
    if request.method == "POST" and form.is_valid():
        renamed = form.cleaned_data["serial"]
        tank = tank_access.tank()
        action = rename_product_device(tank, caller, product_id, serial, renamed)
        if attempt(form, action) is not None:
            return _back(product_id, renamed, "serial-renamed")
    return _form_page(request, "serial_rename.html", form, product, device)


@page
@require_form
def delete(request: HttpRequest, product_id: str, serial: str) -> HttpResponse:
    """Take a serial off a product after a question."""
    caller, product, device = _serial(request, product_id, serial)
    if request.method == "POST":
        tank_access.run(delete_product_device(tank_access.tank(), caller, product_id, serial))
        return back_to_product(product_id, "serial-deleted")
    return _form_page(request, "serial_delete.html", TankForm(), product, device)


@page
@require_form
def deactivate(request: HttpRequest, product_id: str, serial: str) -> HttpResponse:
    """Let a device be activated afresh, after a question."""
    caller, product, device = _serial(request, product_id, serial)
    if request.method == "POST":
        tank_access.run(deactivate_device(tank_access.tank(), caller, product_id, serial))
        return _back(product_id, serial, "deactivated")
    return _form_page(request, "serial_deactivate.html", TankForm(), product, device)


@page
@require_form
def deactivate_feed(request: HttpRequest, feed_id: int) -> HttpResponse:
    """The same from the page of the device's feed, which it leads back to."""
    caller, feed = owned_device(request, feed_id)
    tank = tank_access.tank()
    found = tank_access.run(read_provision(tank, caller, feed))
    if found.device is None or found.state not in ("activated", "deactivated"):
        raise Http404(f"feed {feed_id} has no device that could be deactivated")
    if request.method == "POST":
        action = deactivate_device(tank, caller, feed.product_id, feed.device_serial)
        tank_access.run(action)
        return back_to_device(feed_id, "deactivated")
    context = {"device": feed, "product": found.product, "unit": found.device}
    return form_page(request, "serial_deactivate.html", TankForm(), **context)
