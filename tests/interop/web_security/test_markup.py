"""Markup in any given text is a text on every page that the server renders, and nothing else."""

from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import quote

from tests.interop.web_security.list_routes import list_routes
from tests.interop.web_security.marks import make_marked_world, mark, marks_in, talkers
from tests.interop.web_security.routes import ELSEWHERE, ROUTES
from tests.interop.web_security.world import ADMIN, OWNER, Operator, browsers_of
from tests.live_server import start_server

# Beside the routes themselves.
MORE = [
    "/?q={mark}", "/?scope=all", "/directory/?q={mark}&tag={mark}&user={mark}&units={mark}&lat={mark}", "/keys/?q={mark}",
    "/products/?state=all", "/products/{product_id}/?q={mark}", "/sign-in?next=/{mark}", "/messages/?topic={mark}&to={mark}&device={mark}",
    "/mqtt/?q={mark}", "/mqtt/?show=filters", "/mqtt/?show=retained", "/mqtt/?show=sys&q={mark}", "/mqtt/clients/close?client_id={mark}",
    "/mqtt/clients/close?client_id={client}", "/mqtt/retained/delete?topic={topic}",
    "/wamp/?show=topics", "/wamp/?show=procedures", "/wamp/?q={mark}", "/wamp/?realm={mark}", "/deliveries/?state={mark}", "/activate/{mark}",
    "/nowhere/{mark}", "/feeds/{feed_id}?done={mark}", "/deploy/{mark}", "/weather/?feed={mark}", "/home/", "/products/{product_id}/deploy?text={mark}",
    "/admin/catalog/device/", "/admin/catalog/device/{feed_id}/change/", "/admin/catalog/apikey/", "/admin/catalog/apikey/{key_id}/change/",
    "/admin/catalog/trigger/", "/admin/catalog/product/", "/admin/catalog/datastream/", "/admin/weather/station/", "/admin/catalog/device/?q={mark}",
    "/station/", "/station/1/", "/wall/?feed={feed_id}", "/wall/?feed={mark}", "/map/?q={mark}", "/start/", "/log/?q={mark}", "/log/?device={feed_id}",
]  # fmt: skip
# Every text that somebody may give, and that some page shows.
SHOWN = {
    "title", "description", "website", "email", "device tag", "place", "elevation", "channel tag", "unit symbol", "unit label", "value",
    "key label", "token tag", "property", "property value", "threshold", "product", "product description", "product tag", "product unit",
    "station", "thing", "message topic", "payload", "payload key", "MQTT client", "MQTT filter", "MQTT topic", "MQTT payload",
    "WAMP-topic", "WAMP-procedure", "asked path", "asked",
}  # fmt: skip


class Shown(HTMLParser):
    """What a browser would show of a page, with the values of its fields and the data of scripts."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.texts: list[str] = []
        self.elements = 0
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements += tag == "x-mark" or any(name == "onerror" for name, _ in attrs)
        self.texts += [value or "" for _, value in attrs]

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def test_markup_is_shown_as_the_text_it_is(tmp_path: Path) -> None:
    seen: set[str] = set()
    with start_server(tmp_path) as server:
        operator = Operator(server)
        browsers = browsers_of(server, operator)
        world = make_marked_world(server, operator, browsers)
        with talkers(server) as talking:
            talking.publish()
            talking.message(world["uuid"])
            for path in addresses(world):
                for role in (OWNER, ADMIN):
                    reply = browsers[role].get(path, headers={"Accept": "text/html"})
                    if not reply.headers.get("content-type", "").startswith("text/html"):
                        continue  # no browser makes elements of it: see hardening.py
                    shown = Shown(reply.text)
                    assert shown.elements == 0, (role, path)
                    seen |= {name for text in shown.texts for name in marks_in(text)}
    assert SHOWN - seen == set(), "no page shows these, so they were not tried"


def addresses(world: dict[str, object]) -> Iterator[str]:
    """Every page of the table, and some more."""
    first = {found.name: found for found in reversed(list_routes())}
    for name, route in ROUTES.items():
        if route.get not in ("", ELSEWHERE):
            renamed = {place: world[known] for place, known in route.places.items()}
            yield first[name].path({**world, **renamed})
    quoted = {"mark": "asked", "client": "MQTT client", "topic": "MQTT topic"}
    places = {name: quote(mark(text), safe="") for name, text in quoted.items()}
    places["topic"] = "marked%2F" + places["topic"]
    for template in MORE:
        yield template.format_map({**world, **places})
