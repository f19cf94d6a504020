"""Prints every route of the web as JSON, from the URL resolver itself, and where streams begin.

A process of its own: Django is configured once in each.
"""

import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

STREAM = "stream"


class Found(NamedTuple):
    """A route.

    Attributes:
        name: `namespace:name`, or the path itself where it has none; STREAM for what is no page.
        template: its path, with `{feed_id}` where a number or a name stands.
    """

    name: str
    template: str

    def path(self, places: Mapping[str, Any]) -> str:
        return self.template.format_map(places)


def list_routes() -> list[Found]:
    """Every route, in the order in which they are looked at; then the beginnings of streams."""
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(
            [sys.executable, __file__, folder], capture_output=True, check=True, timeout=60
        )
    return [Found(*each) for each in json.loads(done.stdout)]


def _walk(resolver: Any, prefix: str = "/", namespace: str = "") -> Iterator[Found]:
    for each in resolver.url_patterns:
        text = prefix + _template(str(each.pattern))
        if hasattr(each, "url_patterns"):
            yield from _walk(each, text, each.namespace or namespace)
        elif each.name:
            yield Found(f"{namespace}:{each.name}", text)
        elif namespace == "admin":
            yield Found(f"admin:{text}", text)
        else:
            yield Found(text, text)


def _template(pattern: str) -> str:
    """`feeds/<int:feed_id>` or `^station/(?P<pk>[0-9]+)/$` as `feeds/{feed_id}`, `station/{pk}/`."""
    pattern = re.sub(r"\(\?=[^)]*\)", "", pattern)
    pattern = re.sub(r"\(\?P<(\w+)>(?:\[[^]]*\]|[^()\[\]])*\)", r"{\1}", pattern)
    pattern = re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", pattern)
    return (
        pattern.removesuffix("$")
        .removesuffix(r"\Z")
        .replace("^", "")
        .replace("/?", "")
        .replace("\\", "")
    )


if __name__ == "__main__":
    from thingtank.web.setup import configure
    from thingtank.web.web_settings import WebSettings

    configure(WebSettings(), Path(sys.argv[1]), bytes(32))

    from django.urls import get_resolver

    from thingtank.web.workbench import live

    # Its own pages and those of others; `/live/` itself is where all of them are.
    streams = {each for each in vars(live).values() if isinstance(each, str)}
    streams = {each for each in streams if each.startswith("/live/") and each != live.PREFIX}
    found = [*_walk(get_resolver()), *(Found(STREAM, each) for each in sorted(streams))]
    print(json.dumps(found))
