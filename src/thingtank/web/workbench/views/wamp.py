"""The page of the WAMP router: who is there, what they hear and offer, and a place to try it."""

from collections.abc import Callable, Coroutine
from typing import Any
from urllib.parse import urlencode

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from thingtank.protocols.wamp.errors import NoSuchRealm, UnconvertiblePayload
from thingtank.protocols.wamp.options import Match
from thingtank.protocols.wamp.router_facts import SORTS, Outcome, SessionFacts
from thingtank.tank.access import Caller
from thingtank.web import tank_access
from thingtank.web.workbench import wamp_router
from thingtank.web.workbench.live_wamp import WAMP_PREFIX
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
from thingtank.web.workbench.wamp_forms import (
    CallForm,
    CloseForm,
    ListenForm,
    PayloadForm,
    PublishForm,
)
from thingtank.web.workbench.wamp_lists import (
    LISTINGS,
    Asked,
    Shown,
    asked_of,
    shown_of,
)
from thingtank.web.workbench.wamp_panels import shown_outcome
from thingtank.web.workbench.wamp_router import WampRouter
from thingtank.web.workbench.wamp_snippets import publisher_snippet, subscriber_snippet

NAMES = {"sessions": "Sessions", "topics": "Topics", "procedures": "Procedures"}
PLACEHOLDERS = {
    "sessions": "authid, role, address or session id",
    "topics": "Part of a URI",
    "procedures": "Part of a URI",
}
SORT_NAMES = {
    "newest": "Newest first",
    "authid": "By authid",
    "behind": "Slow readers first",
    "rate": "Busiest first",
    "uri": "By name",
    "subscribers": "Most subscribers first",
    "callees": "Most callees first",
}


@page
@require_safe
def wamp(request: HttpRequest) -> HttpResponse:
    """Show a realm."""
    caller, router = tank_access.caller(request), wamp_router.router()
    if router is None:
        return render(request, "workbench/wamp_shut.html", {"is_off": True})
    terms = {name: request.GET[name] for name in request.GET}
    seen = tank_access.run(_looked(router, caller, terms))
    if seen is None:
        return render(request, "workbench/wamp_shut.html", {"is_off": False})
    realms, asked, shown, own_procedures, is_open = seen
    account = caller.account
    is_admin = account is not None and account.is_admin
    # What comes in anonymously is nobody's own.
    login = "" if account is None or (is_open and is_admin) else account.login
    return render(
        request,
        "workbench/wamp.html",
        {
            **_list_context(asked, shown),
            "realms": realms,
            "own_procedures": own_procedures,
            "is_admin": is_admin,
            "publish": PublishForm(initial={"realm": asked.realm}),
            "call": CallForm(initial={"realm": asked.realm}, auto_id="id_call_%s"),
            "listen": ListenForm(initial={"realm": asked.realm}, auto_id="id_listen_%s"),
            "events_url": f"{WAMP_PREFIX}events",
            "notice": notice_of(request),
            **_snippets(request, router, asked.realm, login),
        },
    )


async def _looked(
    router: WampRouter, caller: Caller, terms: dict[str, str]
) -> tuple[list[str], Asked, Shown, list[tuple[str, Match]], bool] | None:
    realms = list(router.realms(caller))
    if not realms:
        return None
    asked = asked_of(terms, realms)
    view = router.view(asked.realm, caller)
    words = asked.query.words.lower()
    own_procedures = [each for each in view.own_procedures() if words in each[0]]
    is_open = router.lets_anonymous_in(asked.realm)
    return realms, asked, shown_of(view, asked), own_procedures, is_open


def _list_context(asked: Asked, shown: Shown) -> dict[str, object]:
    query, facts = asked.query, shown.facts
    counts = {
        "sessions": facts.session_count,
        "topics": facts.topic_count,
        "procedures": facts.procedure_count,
    }
    terms = {"realm": asked.realm, "show": asked.show, "q": query.words}
    terms |= {"sort": query.sort, "page": str(query.page)}
    return {
        "asked": asked,
        "facts": facts,
        "rows": shown.page.rows,
        "first_rows": live_rows(shown.page),
        "is_cut": shown.page.is_cut,
        "found_count": shown.page.found_count,
        "total_count": counts[asked.show],
        "page_number": query.page,
        "page_count": page_count(shown.page.found_count, ROWS_PER_PAGE),
        "choices": [(name, NAMES[name], counts[name]) for name in LISTINGS],
        "placeholder": PLACEHOLDERS[asked.show],
        "sorts": [(name, SORT_NAMES[name]) for name in SORTS[asked.show]],
        "row_template": f"workbench/parts/wamp_{asked.show}_row.html",
        "live_url": f"{WAMP_PREFIX}overview?{urlencode(terms)}",
    }


def _snippets(
    request: HttpRequest, router: WampRouter, realm: str, login: str
) -> dict[str, object]:
    url = seen_from(request, router.url) if router.is_everywhere else router.url
    return {
        "wamp_url": url,
        "subscriber": subscriber_snippet(url, realm, login),
        "publisher": publisher_snippet(url, realm, login),
        "needs_password": bool(login),
    }


@page
@require_POST
def publish(request: HttpRequest) -> HttpResponse:
    """Publish on the account's behalf."""
    form = PublishForm(request.POST)

    def start(router: WampRouter, caller: Caller) -> Coroutine[Any, Any, Outcome]:
        cleaned = form.cleaned_data
        return router.publish(
            cleaned["realm"],
            caller,
            cleaned["topic"],
            form.payload,
            form.options(),
            cleaned["session"] or 0,
        )

    return _tried(request, form, start, "Not acknowledged, so nobody says what became of it.")


@page
@require_POST
def call(request: HttpRequest) -> HttpResponse:
    """Call on the account's behalf."""
    form = CallForm(request.POST)

    def start(router: WampRouter, caller: Caller) -> Coroutine[Any, Any, Outcome]:
        cleaned = form.cleaned_data
        return router.call(
            cleaned["realm"], caller, cleaned["procedure"], form.payload, form.options()
        )

    return _tried(request, form, start, "")


def _tried(
    request: HttpRequest,
    form: PayloadForm,
    start: Callable[[WampRouter, Caller], Coroutine[Any, Any, Outcome]],
    unanswered: str,
) -> HttpResponse:
    router = wamp_router.router()
    if router is None:
        raise Http404("the WAMP door is shut")

    def ask() -> ShownOutcome | None:
        try:
            found = tank_access.run(start(router, tank_access.caller(request)))
            return shown_outcome(found, unanswered)
        except NoSuchRealm:
            form.add_error(None, "There is no such realm for you.")
        except UnconvertiblePayload as error:
            form.add_error(None, f"This cannot be sent: {error}.")
        return None

    back_url = f"{reverse('workbench:wamp')}?{urlencode({'realm': form['realm'].value() or ''})}"
    return tried(request, form, ask, back_url, "WAMP")


@page
@require_form
def close(request: HttpRequest, session_id: int) -> HttpResponse:
    """Close a session after a question."""
    caller, router = tank_access.caller(request), wamp_router.router()
    realm = request.POST.get("realm") or request.GET.get("realm", "")
    if router is None:
        raise Http404("the WAMP door is shut")
    session = tank_access.run(_session(router, realm, caller, session_id))
    if session is None and request.method != "POST":
        raise Http404(f"there is no session {session_id} to be seen")
    list_url = f"{reverse('workbench:wamp')}?{urlencode({'realm': realm})}"
    form = CloseForm(request.POST or None, initial={"realm": realm})
    if request.method == "POST" and form.is_valid():
        if session is not None:
            reason = form.cleaned_data["reason"]
            tank_access.run(_closed(router, realm, caller, session_id, reason))
        notice = "session-closed" if session is not None else "session-gone"
        return back_to(request, list_url, notice)
    return form_page(
        request, "wamp_close.html", form, session=session, back_url=list_url, back_name="WAMP"
    )


async def _session(
    router: WampRouter, realm: str, caller: Caller, session_id: int
) -> SessionFacts | None:
    if realm not in router.realms(caller):
        return None
    return router.view(realm, caller).session(session_id)


async def _closed(
    router: WampRouter, realm: str, caller: Caller, session_id: int, text: str
) -> bool:
    return router.close_session(realm, caller, session_id, text)
