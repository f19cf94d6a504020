"""What a newcomer has done and what is left to do, as far as the first page can tell."""

from collections.abc import Sequence

import msgspec
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.urls import reverse

from thingtank.simulator.mark import is_simulated
from thingtank.simulator.weather import CHANNELS
from thingtank.tank.access import Caller
from thingtank.tank.tank import Tank
from thingtank.web import tank_access
from thingtank.web.workbench import simulators
from thingtank.web.workbench.connect_ways import WAY_NAMES
from thingtank.web.workbench.live_simulator import SIMULATOR_PREFIX
from thingtank.web.workbench.panels import DeviceRow
from thingtank.web.workbench.simulators import Simulators, SimulatorState

# Who has more devices than one page of them knows the way; and no more are looked at.
DEVICES_MAX = 25
DISMISSED_S = 400 * 86_400  # browsers keep cookies no longer


class Step(msgspec.Struct, frozen=True):
    """Something to do.

    Attributes:
        url: where it is done; blank where this is on the page itself.
        link: the words that lead there.
    """

    title: str
    words: str
    is_done: bool
    url: str = ""
    link: str = ""


class ConnectChoice(msgspec.Struct, frozen=True):
    """A way to connect, from the first page.

    Attributes:
        is_form: whether it asks for a new device's name first.
    """

    label: str
    url: str
    is_form: bool


def connect_choices(rows: Sequence[DeviceRow]) -> list[ConnectChoice]:
    """Every way to connect: the newest device that has said nothing yet, or else a new one."""
    waiting = next((row for row in rows if row.is_mine and row.last_us is None), None)
    if waiting is None:
        address = reverse("workbench:device_add")
    else:
        address = reverse("workbench:device", args=[waiting.device.device_id])
    end = "" if waiting is None else "#connect"
    return [
        ConnectChoice(label, f"{address}?with={name}{end}", waiting is None)
        for name, label in WAY_NAMES.items()
    ]


async def read_steps(tank: Tank, rows: Sequence[DeviceRow], *, has_password: bool) -> list[Step]:
    """The steps, in order.

    Args:
        rows: the account's newest devices, DEVICES_MAX at most.
    """
    speaking = [row for row in rows if row.last_us is not None]
    own = [row for row in speaking if not is_simulated(row.device.properties)]
    has_trigger = any(tank.triggers.of_device(row.device.device_id) for row in rows)
    watched = next(iter(own or speaking), None)
    return [
        Step(
            "See values arrive",
            "Start the weather simulator above, or connect something of your own.",
            bool(speaking),
        ),
        Step(
            "Connect a device of your own",
            "Choose above what it speaks: you get lines that run as they stand.",
            bool(own),
        ),
        Step(
            "Be told when something happens",
            "A trigger watches a channel and calls a webhook or writes an e-mail.",
            has_trigger,
            ""
            if watched is None
            else reverse("workbench:device", args=[watched.device.device_id]) + "#triggers",
            "Add a trigger",
        ),
        Step(
            "Set a password",
            "With it you sign in from any browser, without a new one-time link.",
            has_password,
            reverse("accounts:password"),
            "Set a password",
        ),
    ]


def start_context(request: HttpRequest, rows: Sequence[DeviceRow]) -> dict[str, object]:
    """What the first steps' part of a page shows.

    Args:
        rows: as above.
    """
    tank = tank_access.tank()
    has_password = bool(getattr(request.user, "has_usable_password", bool)())
    steps = tank_access.run(read_steps(tank, rows, has_password=has_password))
    return {
        "steps": steps,
        "step_count": len(steps),
        "done_count": sum(step.is_done for step in steps),
        "choices": connect_choices(rows),
        **simulator_context(tank_access.caller(request)),
    }


def simulator_context(caller: Caller) -> dict[str, object]:
    """What the simulator's part of a page shows; nothing where there is none."""
    known = simulators.simulators()
    if known is None or caller.account is None:
        return {}
    state = tank_access.run(_state(known, caller.account.account_id))
    return {
        "simulator": state,
        "simulator_channels": [
            (channel.name, channel.name.replace("_", " ").capitalize(), channel.symbol)
            for channel in CHANNELS
        ],
        "simulator_live_url": f"{SIMULATOR_PREFIX}overview",
    }


async def _state(known: Simulators, account_id: int) -> SimulatorState:
    return known.state(account_id)


def is_dismissed(request: HttpRequest) -> bool:
    """Whether this browser is to show the account the first steps no more."""
    return _cookie_name(request) in request.COOKIES


def dismiss(request: HttpRequest, response: HttpResponse) -> None:
    """Have this browser show the account the first steps no more."""
    response.set_cookie(
        _cookie_name(request),
        "dismissed",
        DISMISSED_S,
        secure=settings.SESSION_COOKIE_SECURE,
        httponly=True,
        samesite="Lax",
    )


def _cookie_name(request: HttpRequest) -> str:
    # Beside Django's own, which have the instance in their names: cookies do not tell ports apart.
    return f"{settings.CSRF_COOKIE_NAME}_started_{request.user.pk}"
