"""The page of box 8.18 in today's Django: a view that asks the Station REST API for the last.

The whole project is this one file, with the book's template (box 8.14) in a few lines:

    pip install django requests
    python box_8_18_home.py --user NAME
    python -m webbrowser http://127.0.0.1:8001/

The password of that account, an admin's, comes from STATION_PASSWORD in the environment, or is
asked for. The book takes the entry `count - 1` of the first page, which holds ten of them; this
goes to the last page first.
"""

import argparse
import getpass
import os

import django
import requests
from django.conf import settings
from django.core.handlers.wsgi import WSGIHandler
from django.core.management.commands.runserver import run
from django.http import HttpResponse
from django.template import engines
from django.urls import path

INDEX = """<!doctype html>
<html lang="en">
<title>Weather Station</title>
<h1>Weather Station</h1>
{% if name %}<h3>{{ name }}</h3>
<p>Temperature <b id="temperature">{{ temperature }}</b></p>
<p>at {{ lat }}, {{ lon }}</p>
{% else %}<p>There are no stations yet.</p>{% endif %}
</html>
"""


class Api:
    """The Station REST API, as one account may use it."""

    def __init__(self, server, user, password):
        self.url = f"{server.rstrip('/')}/station/"
        self.session = requests.Session()
        self.session.auth = (user, password)

    def last(self):
        """The station that was added last; None while there are none."""
        page = self.read(self.url)
        if page["next"]:
            page = self.read(f"{self.url}?page={-(-page['count'] // len(page['results']))}")
        return page["results"][-1] if page["results"] else None

    def read(self, url):
        """A page of the list."""
        answer = self.session.get(url, headers={"Accept": "application/json"}, timeout=20)
        answer.raise_for_status()
        return answer.json()


def home(request):
    """Show the last station's reading."""
    context = settings.STATIONS.last() or {}
    return HttpResponse(engines["django"].from_string(INDEX).render(context, request))


urlpatterns = [path("", home, name="home")]


def main():
    """Run the project."""
    parser = argparse.ArgumentParser(description="Show the last station of the REST API.")
    parser.add_argument("--user", required=True, help="an admin's account")
    parser.add_argument("--server", default="http://127.0.0.1:8000", help="where Thing Tank runs")
    parser.add_argument("--port", type=int, default=8001, help="where this page is; 0 for any")
    arguments = parser.parse_args()
    password = os.environ.get("STATION_PASSWORD") or getpass.getpass()
    settings.configure(
        ALLOWED_HOSTS=["127.0.0.1", "localhost"],
        ROOT_URLCONF=__name__,
        SECRET_KEY=os.urandom(32).hex(),
        STATIONS=Api(arguments.server, arguments.user, password),
        TEMPLATES=[{"BACKEND": "django.template.backends.django.DjangoTemplates"}],
    )
    django.setup()
    run("127.0.0.1", arguments.port, WSGIHandler(), on_bind=announce)


def announce(port):
    """Say where the page is."""
    print(f"The weather station is at http://127.0.0.1:{port}/", flush=True)


if __name__ == "__main__":
    main()
