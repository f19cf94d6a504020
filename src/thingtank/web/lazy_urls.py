"""Paths whose views are imported when somebody first asks for one, for what is heavy and rare."""

import re

from django.urls import URLResolver
from django.urls.resolvers import RegexPattern


class _LazyResolver(URLResolver):
    """Tells nobody its names in advance: for that Django imports its module with the first link.

    Who gives its namespace, as in `rest:station-list`, finds them.
    """

    def _populate(self) -> None:
        return


def lazy_include(beginnings: tuple[str, ...], urlconf: str, namespace: str) -> URLResolver:
    """Include a module's paths as `include` does, but import it only when needed.

    Args:
        beginnings: what the paths in it begin with.
        urlconf: the module's name.
    """
    some = "|".join(map(re.escape, beginnings))
    pattern = RegexPattern(rf"^(?={some})")
    return _LazyResolver(pattern, urlconf, app_name=namespace, namespace=namespace)
