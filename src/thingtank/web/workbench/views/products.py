"""Pages of products: the list, one product, and the forms that make, change and delete one."""

import msgspec
from django.core.exceptions import PermissionDenied
from django.http import (
    Http404,
    HttpRequest,
    HttpResponse,
    HttpResponseRedirect,
    JsonResponse,
)
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.debug import sensitive_variables
from django.views.decorators.http import require_POST, require_safe

from thingtank.tank.access import Caller
from thingtank.tank.actions.products import (
    create_product,
    delete_product,
    get_product,
    list_product_devices,
    list_products,
    update_product,
)
from thingtank.tank.errors import NoSuchDevice, NotAllowed, Unauthenticated
from thingtank.tank.products import FeedTemplate, Product, State
from thingtank.tank.products_interface import ProductDeviceQuery, ProductQuery
from thingtank.tank.things import Device
from thingtank.web import tank_access
from thingtank.web.workbench.forms import DeleteForm, TankForm
from thingtank.web.workbench.pages import (
    attempt,
    form_page,
    notice_of,
    page,
    page_count,
    page_number,
    require_form,
)
from thingtank.web.workbench.product_forms import ProductForm

PER_PAGE = 25
DEVICES_PER_PAGE = 50
_STATES: dict[str, State] = {"deploy": "deploy", "develop": "develop"}
_ACTIVATED = {"yes": True, "no": False}


@page
@require_safe
def products(request: HttpRequest) -> HttpResponse:
    """List the account's products; `state` chooses those in development, or all."""
    caller = tank_access.caller(request)
    if caller.account is None:
        raise Unauthenticated("a sign-in is needed")
    asked = request.GET.get("state", "deploy")
    number = page_number(request, "page")
    query = ProductQuery(caller.account.account_id, _STATES.get(asked, ""), number, PER_PAGE)
    found = tank_access.run(list_products(tank_access.tank(), caller, query))
    context = {
        "products": found.products,
        "state": asked if asked in _STATES else "all",
        "total_count": found.total_count,
        "page_number": number,
        "page_count": page_count(found.total_count, PER_PAGE),
        "notice": notice_of(request),
    }
    return render(request, "workbench/products.html", context)


@page
@require_form
def add(request: HttpRequest) -> HttpResponse:
    """Add a product; its page follows."""
    form = ProductForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        tank, caller = tank_access.tank(), tank_access.caller(request)
        made = attempt(form, create_product(tank, caller, form.change()))
        if made is not None:
            return back_to_product(made.product_id, "product-added")
    return _form_page(request, "product_form.html", form)


def back_to_product(product_id: str, notice: str) -> HttpResponseRedirect:
    """Redirect to the product's page, which will say one of NOTICES."""
    return HttpResponseRedirect(f"{reverse('workbench:product', args=[product_id])}?done={notice}")


def _form_page(
    request: HttpRequest, template: str, form: TankForm, product: Product | None = None
) -> HttpResponse:
    if product is None:
        way = {"back_url": reverse("workbench:products"), "back_name": "Products"}
    else:
        way = way_back(product)
    return form_page(request, template, form, product=product, **way)


def way_back(product: Product) -> dict[str, str]:
    """Where forms of a product lead back to."""
    url = reverse("workbench:product", args=[product.product_id])
    return {"back_url": url, "back_name": product.name}


def managed_product(request: HttpRequest, product_id: str) -> tuple[Caller, Product]:
    """The product and who asks.

    Raises:
        NoSuchProduct, Unauthenticated.
        Http404: it is another account's, who are not told that there is one.
    """
    caller = tank_access.caller(request)
    try:
        return caller, tank_access.run(get_product(tank_access.tank(), caller, product_id))
    except NotAllowed as error:
        raise Http404(f"there is no product {product_id}") from error


def owns(caller: Caller, product: Product) -> bool:
    """Whether the caller may see its secrets; an admin of the instance manages it without them."""
    return caller.account is not None and caller.account.account_id == product.account_id


@page
@require_safe
def product(request: HttpRequest, product_id: str) -> HttpResponse:
    """Show one product with a page of its devices."""
    caller, found = managed_product(request, product_id)
    number = page_number(request, "page")
    text = request.GET.get("q", "").strip()[:100]
    activated = request.GET.get("activated", "")
    query = ProductDeviceQuery(
        product_id, text, _ACTIVATED.get(activated), number, DEVICES_PER_PAGE
    )
    tank = tank_access.tank()
    rows, total_count = tank_access.run(list_product_devices(tank, caller, query))
    context = {
        "product": found,
        "devices": [row.device for row in rows],
        "total_count": total_count,
        "text": text,
        "activated": activated if activated in _ACTIVATED else "",
        "page_number": number,
        "page_count": page_count(total_count, DEVICES_PER_PAGE),
        "may_reveal": owns(caller, found),
        "notice": notice_of(request),
    }
    return render(request, "workbench/product.html", context)


@page
@require_POST
@sensitive_variables("found")
def reveal(request: HttpRequest, product_id: str) -> HttpResponse:
    """Show the product's secret: as JSON to the page's script, else as a page."""
    caller, found = managed_product(request, product_id)
    if not owns(caller, found):
        raise PermissionDenied("only a product's own account may see its secret")
    if request.headers.get("Accept") == "application/json":
        return JsonResponse({"secret": found.secret})
    context = {"product": found, "secret": found.secret, **way_back(found)}
    return render(request, "workbench/product_secret.html", context)


@page
@require_form
def edit(request: HttpRequest, product_id: str) -> HttpResponse:
    """Change a product and its template; with `from_feed` the form begins with a feed's content."""
    caller, found = managed_product(request, product_id)
    tank = tank_access.tank()
    feed = _feed_to_copy(request, found)
    shown = _with_template_of(found, feed) if feed else found
    form = ProductForm(request.POST or None, product=shown)
    if request.method == "POST" and form.is_valid():
        changed = attempt(form, update_product(tank, caller, product_id, form.change()))
        if changed is not None:
            return back_to_product(product_id, "product-saved")
    return _form_page(request, "product_form.html", form, found)


def _feed_to_copy(request: HttpRequest, found: Product) -> Device | None:
    """The feed that the address names, if it was made from this product."""
    text = request.GET.get("from_feed", "")
    if not (text.isascii() and text.isdigit() and len(text) < 19):
        return None
    try:
        feed = tank_access.tank().directory.get_device(int(text))
    except NoSuchDevice:  # as for one that is somebody else's
        return None
    return feed if feed.product_id == found.product_id else None


def _with_template_of(found: Product, feed: Device) -> Product:
    datastreams = [
        msgspec.structs.replace(stream, stream_id=0, device_id=0)
        for stream in tank_access.tank().directory.datastreams(feed.device_id).values()
    ]
    template = FeedTemplate(
        "", feed.description, feed.tags, feed.private, feed.website, tuple(datastreams)
    )
    return msgspec.structs.replace(found, template=template)


@page
@require_form
def delete(request: HttpRequest, product_id: str) -> HttpResponse:
    """Delete a product once its name has been typed."""
    caller, found = managed_product(request, product_id)
    form = DeleteForm(request.POST or None, expected=found.name)
    if request.method == "POST" and form.is_valid():
        tank_access.run(delete_product(tank_access.tank(), caller, product_id))
        return HttpResponseRedirect(f"{reverse('workbench:products')}?done=product-deleted")
    return _form_page(request, "product_delete.html", form, found)
