"""What every answer of the web must have, so that a browser helps to keep a page safe."""

import re
from html.parser import HTMLParser

import requests

# What each page says, and the one value that is meant.
_HEADERS = {
    "x-frame-options": "DENY",
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
}
_POLICY = ("default-src 'self'", "object-src 'none'", "base-uri 'none'", "frame-ancestors 'none'", "form-action 'self'")  # fmt: skip
_LOADING = {"src", "href", "action", "formaction", "data", "poster", "srcset"}
_DATA_SCRIPTS = ("application/json", "text/template")


def weaknesses(reply: requests.Response) -> list[str]:
    """What is missing or too much in an answer; nothing should be."""
    found = [
        f"{name} is {reply.headers.get(name)}"
        for name, value in _HEADERS.items()
        if reply.headers.get(name) != value and (_is_page(reply) or name == "x-content-type-options")
    ]  # fmt: skip
    if _is_page(reply):
        found += _weak_policy(reply)
        found += _markup_of(reply.url.partition("?")[0], reply.status_code, reply.text)
    return found


_seen: set[tuple[str, int]] = set()


def _markup_of(path: str, status: int, text: str) -> list[str]:
    """What is weak in a page's markup, looked at once: to read it takes longer than to make it."""
    if (path, status) in _seen:
        return []
    _seen.add((path, status))
    return _weak_markup(text)


def _is_page(reply: requests.Response) -> bool:
    return reply.headers.get("content-type", "").startswith("text/html")


def _weak_policy(reply: requests.Response) -> list[str]:
    policy = reply.headers.get("content-security-policy", "")
    parts = [part.strip() for part in policy.split(";")]
    missing = [f"the policy lacks {part}" for part in _POLICY if part not in parts]
    return missing + [f"the policy has {word}" for word in ("unsafe", "*") if word in policy]


def _weak_markup(text: str) -> list[str]:
    parser = _Inline()
    parser.feed(text)
    return parser.found


class _Inline(HTMLParser):
    """Notes what the policy would not run, and what comes from elsewhere."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag == "style" or (tag == "script" and "src" not in given and given.get("type") not in _DATA_SCRIPTS):  # fmt: skip
            self.found.append(f"<{tag}> inline")
        for name, value in given.items():
            if name == "style" or name.startswith("on"):
                self.found.append(f"<{tag} {name}=…>")
            if name in _LOADING and re.match(r"\s*(javascript|data|vbscript):", value or "", re.I):
                self.found.append(f"<{tag} {name}={value}>")
            if name in _LOADING and tag not in ("a", "area") and re.match(r"(https?:)?//", value or ""):  # fmt: skip
                self.found.append(f"<{tag} {name}={value}> from elsewhere")
