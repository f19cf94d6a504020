"""Refuses requests under foreign host names, before any page is made.

Else a page elsewhere whose name is pointed at this machine could read what strangers may.
"""

from collections.abc import Awaitable, Callable
from typing import Any

from asgiref.sync import iscoroutinefunction
from django.http import HttpRequest
from django.utils.decorators import sync_and_async_middleware


@sync_and_async_middleware
def known_hosts_only(get_response: Callable[[HttpRequest], Any]) -> Callable[[HttpRequest], Any]:
    """Django looks at the host only where a page asks for it, which not all do."""
    if iscoroutinefunction(get_response):

        async def answer_later(request: HttpRequest) -> Any:
            request.get_host()
            answer: Awaitable[Any] = get_response(request)
            return await answer

        return answer_later

    def answer(request: HttpRequest) -> Any:
        request.get_host()
        return get_response(request)

    return answer
