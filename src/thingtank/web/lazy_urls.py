"""Paths whose views are imported when somebody first asks for one, for what is heavy and rare."""

import re

from django.urls import URLResolver
from django.urls.resolvers import RegexPattern


def lazy_include(beginnings: tuple[str, ...], urlconf: str, namespace: str) -> URLResolver:
    """Include a module's paths as `include` does, but import it only when needed.

    It needs a namespace: without one Django imports it as soon as any page has a link.

    Args:
        beginnings: what the paths in it begin with.
        urlconf: the module's name.
    """
    some = "|".join(map(re.escape, beginnings))
    return URLResolver(
        RegexPattern(rf"^(?={some})"), urlconf, app_name=namespace, namespace=namespace
    )
