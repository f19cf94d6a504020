"""Forms of the workbench, filled in as a browser does without scripts."""

import re

import requests

PASSWORD = "correct horse battery"


def csrf_of(reply: requests.Response) -> str:
    found = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', reply.text)
    assert found, reply.text[:500]
    return found[1]


def post(browser: requests.Session, url: str, **fields: str) -> requests.Response:
    """Fill in the form that is at `url` and send it."""
    token = csrf_of(browser.get(url, timeout=20))
    return browser.post(url, data={"csrfmiddlewaretoken": token, **fields}, timeout=30)
