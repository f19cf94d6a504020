"""The lists of the MQTT page: what its address asks for, and the rows that answer it."""

from collections.abc import Mapping
from typing import Any, get_args

import msgspec

from thingtank.protocols.mqtt.broker_facts import SORTS, BrokerFacts, Listing
from thingtank.protocols.overviews import ListPage, ListQuery
from thingtank.web.workbench.mqtt_broker import MqttBrokerView
from thingtank.web.workbench.router_lists import query_of

LISTINGS: tuple[Listing, ...] = get_args(Listing)


class Asked(msgspec.Struct, frozen=True):
    """What an address asks for; nonsense is taken for the usual."""

    show: Listing
    query: ListQuery


class Shown(msgspec.Struct, frozen=True):
    """What answers it."""

    facts: BrokerFacts
    page: ListPage[Any]

    @property
    def counts(self) -> dict[Listing, int | None]:
        """How many there are in each list, where that is known."""
        facts = self.facts
        return {
            "clients": facts.client_count,
            "filters": facts.filter_count,
            "retained": facts.retained_count,
            "sys": facts.sys_count,
        }


def asked_of(terms: Mapping[str, str]) -> Asked:
    """Read an address's query."""
    show = next((each for each in LISTINGS if each == terms.get("show")), LISTINGS[0])
    return Asked(show, query_of(terms, SORTS[show]))


def shown_of(view: MqttBrokerView, asked: Asked) -> Shown:
    """Look; in the loop's thread."""
    lists: dict[Listing, Any] = {
        "clients": view.clients,
        "filters": view.filters,
        "retained": view.retained,
        "sys": view.sys,
    }
    return Shown(view.facts(), lists[asked.show](asked.query))
