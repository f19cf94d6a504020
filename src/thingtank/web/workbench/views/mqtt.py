"""The page of the MQTT broker: who is there, what they subscribe to, and a place to try it."""

from urllib.parse import urlencode

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from thingtank.protocols.mqtt.broker_facts import SORTS, ClientFacts, RetainedFacts
from thingtank.tank.access import Caller
from thingtank.web import tank_access
from thingtank.web.workbench import mqtt_broker
from thingtank.web.workbench.live_mqtt import MQTT_PREFIX
from thingtank.web.workbench.mqtt_broker import MqttBroker
from thingtank.web.workbench.mqtt_forms import (
    CloseForm,
    DeleteForm,
    ListenForm,
    PublishForm,
    WatchForm,
)
from thingtank.web.workbench.mqtt_lists import LISTINGS, Asked, Shown, asked_of, shown_of
from thingtank.web.workbench.mqtt_panels import shown_answer
from thingtank.web.workbench.mqtt_snippets import (
    mosquitto_snippet,
    paho_snippet,
    thingtank_snippet,
)
from thingtank.web.workbench.outcomes import ShownOutcome
from thingtank.web.workbench.pages import (
    back_to,
    form_page,
    notice_of,
    page,
    page_count,
    require_form,
)
from thingtank.web.workbench.router_lists import ROWS_PER_PAGE, live_rows
from thingtank.web.workbench.trying import seen_from, tried

NAMES = {
    "clients": "Clients",
    "filters": "Topic filters",
    "retained": "Retained",
    "sys": "$SYS",
}
SORT_NAMES = {
    "newest": "Newest first",
    "client_id": "By client id",
    "behind": "Most waiting first",
}
PLACEHOLDERS = {
    "clients": "Client id, account, key or address",
    "filters": "Beginning of a topic filter",
    "retained": "Beginning of a topic",
    "sys": "Beginning after $SYS/, such as broker/clients",
}


@page
@require_safe
def mqtt(request: HttpRequest) -> HttpResponse:
    """Show the broker."""
    caller, broker = tank_access.caller(request), mqtt_broker.broker()
    if broker is None:
        return render(request, "workbench/mqtt_shut.html")
    asked = asked_of({name: request.GET[name] for name in request.GET})
    shown, is_open = tank_access.run(_looked(broker, caller, asked))
    account = caller.account
    is_admin = account is not None and account.is_admin
    # What comes in anonymously is nobody's own.
    login = "" if account is None or (is_open and is_admin) else account.login
    return render(
        request,
        "workbench/mqtt.html",
        {
            **_list_context(asked, shown),
            "is_admin": is_admin,
            "publish": PublishForm(),
            "listen": ListenForm(auto_id="id_listen_%s"),
            "watch": WatchForm(auto_id="id_watch_%s"),
            "messages_url": f"{MQTT_PREFIX}messages",
            "packets_url": f"{MQTT_PREFIX}packets",
            "notice": notice_of(request),
            **_snippets(request, broker, login),
        },
    )


async def _looked(broker: MqttBroker, caller: Caller, asked: Asked) -> tuple[Shown, bool]:
    return shown_of(broker.view(caller), asked), broker.lets_anonymous_in


def _list_context(asked: Asked, shown: Shown) -> dict[str, object]:
    query, counts = asked.query, shown.counts
    terms = {"show": asked.show, "q": query.words, "sort": query.sort, "after": query.after}
    terms["page"] = str(query.page)
    is_numbered = asked.show == "clients"
    return {
        "asked": asked,
        "facts": shown.facts,
        "rows": shown.page.rows,
        "first_rows": live_rows(shown.page),
        "is_cut": shown.page.is_cut,
        "page_number": query.page,
        "page_count": page_count(shown.page.found_count, ROWS_PER_PAGE) if is_numbered else 1,
        "next_after": shown.page.next_after,
        "choices": [(name, NAMES[name], counts[name]) for name in LISTINGS],
        "sorts": [(name, SORT_NAMES[name]) for name in SORTS[asked.show]],
        "placeholder": PLACEHOLDERS[asked.show],
        "row_template": f"workbench/parts/mqtt_{asked.show}_row.html",
        "live_url": f"{MQTT_PREFIX}overview?{urlencode(terms)}",
    }


def _snippets(request: HttpRequest, broker: MqttBroker, login: str) -> dict[str, object]:
    addresses = {
        name: seen_from(request, url) if broker.is_everywhere else url
        for name, url in broker.addresses.items()
    }
    socket_url = addresses.get("mqtt") or addresses.get("mqtt_tls") or ""
    url = next(iter(addresses.values()))
    return {
        "addresses": [(f"{name}-url", each) for name, each in addresses.items()],
        "mosquitto": mosquitto_snippet(socket_url, login) if socket_url else "",
        "thingtank": thingtank_snippet(url, login),
        "paho": paho_snippet(url, login),
        "needs_password": bool(login),
    }


@page
@require_POST
def publish(request: HttpRequest) -> HttpResponse:
    """Publish on the account's behalf."""
    form = PublishForm(request.POST)
    broker = _broker()

    def ask() -> ShownOutcome:
        answer = tank_access.run(broker.publish(tank_access.caller(request), form.packet()))
        return shown_answer(answer, "With QoS 0 nobody says what became of it.")

    return tried(request, form, ask, reverse("workbench:mqtt"), "MQTT")


def _broker() -> MqttBroker:
    broker = mqtt_broker.broker()
    if broker is None:
        raise Http404("the MQTT door is shut")
    return broker


@page
@require_form
def close(request: HttpRequest) -> HttpResponse:
    """Send a client away, or end its session, after a question."""
    caller, broker = tank_access.caller(request), _broker()
    client_id = request.POST.get("client_id", request.GET.get("client_id", ""))
    client = tank_access.run(_client(broker, caller, client_id))
    if client is None and request.method != "POST":
        raise Http404("there is no such client to be seen")
    list_url = reverse("workbench:mqtt")
    form = CloseForm(request.POST or None, initial={"client_id": client_id})
    if request.method == "POST" and form.is_valid():
        is_done = tank_access.run(_closed(broker, caller, client_id))
        return back_to(request, list_url, "client-closed" if is_done else "client-gone")
    return form_page(
        request, "mqtt_close.html", form, client=client, back_url=list_url, back_name="MQTT"
    )


async def _client(broker: MqttBroker, caller: Caller, client_id: str) -> ClientFacts | None:
    return broker.view(caller).client(client_id)


async def _closed(broker: MqttBroker, caller: Caller, client_id: str) -> bool:
    return broker.close_client(caller, client_id)


@page
@require_form
def delete(request: HttpRequest) -> HttpResponse:
    """Delete a retained message after a question."""
    caller, broker = tank_access.caller(request), _broker()
    topic = request.POST.get("topic", request.GET.get("topic", ""))
    retained = tank_access.run(_retained(broker, caller, topic))
    if retained is None and request.method != "POST":
        raise Http404("there is no such retained message to be seen")
    list_url = f"{reverse('workbench:mqtt')}?show=retained"
    form = DeleteForm(request.POST or None, initial={"topic": topic})
    if request.method == "POST" and form.is_valid():
        is_done = tank_access.run(_deleted(broker, caller, topic))
        return back_to(request, list_url, "retained-deleted" if is_done else "retained-kept")
    return form_page(
        request, "mqtt_delete.html", form, retained=retained, back_url=list_url, back_name="MQTT"
    )


async def _retained(broker: MqttBroker, caller: Caller, topic: str) -> RetainedFacts | None:
    return broker.view(caller).retained_one(topic)


async def _deleted(broker: MqttBroker, caller: Caller, topic: str) -> bool:
    return broker.delete_retained(caller, topic)
