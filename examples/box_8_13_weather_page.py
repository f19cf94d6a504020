"""The page of box 8.13 in today's Django: a view that reads a Xively feed instead of a table.

The whole project is this one file. Reading goes by the unmodified `xively-python` library:

    pip install django "xively-python==0.1.0rc1"
    python box_8_13_weather_page.py --feed-id 1001 --api-key KEY
    python -m webbrowser http://127.0.0.1:8001/

Feed and key may also come from FEED_ID and API_KEY in the environment. The book reads the feed
once, when its program starts; this reads it for each visitor.
"""

import argparse
import collections
import collections.abc
import os

# The library is of 2013 and looks for this name where Python had it until 3.9.
collections.Sequence = collections.abc.Sequence

import django
import requests
import xively
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
{% if temperature is None %}<p>The feed has no temperature yet.</p>
{% else %}<p>Temperature <b id="temperature">{{ temperature }}</b></p>
<p>at {{ lat }}, {{ lon }}</p>{% endif %}
</html>
"""


def home(request):
    """Show the feed's current temperature and place."""
    feed = xively.XivelyAPIClient(settings.API_KEY).feeds.get(settings.FEED_ID)
    try:
        temperature = feed.datastreams.get("temperature").current_value
    except requests.HTTPError as error:
        if error.response.status_code != requests.codes.not_found:
            raise
        temperature = None
    place = feed.location
    context = {"temperature": temperature}
    context |= {name: getattr(place, name, None) for name in ("lat", "lon")}
    return HttpResponse(engines["django"].from_string(INDEX).render(context, request))


urlpatterns = [path("", home, name="home")]


def main():
    """Run the project."""
    parser = argparse.ArgumentParser(description="Show the temperature of a Xively feed.")
    parser.add_argument("--feed-id", default=os.environ.get("FEED_ID"))
    parser.add_argument("--api-key", default=os.environ.get("API_KEY"))
    parser.add_argument("--server", default="http://127.0.0.1:8000", help="where Thing Tank runs")
    parser.add_argument("--port", type=int, default=8001, help="where this page is; 0 for any")
    arguments = parser.parse_args()
    if not arguments.feed_id or not arguments.api_key:
        parser.error("a feed id and an API key are needed; the device's page shows both")
    # The library puts "http:" in front.
    xively.Client.BASE_URL = arguments.server.removeprefix("http:").rstrip("/")
    settings.configure(
        ALLOWED_HOSTS=["127.0.0.1", "localhost"],
        API_KEY=arguments.api_key,
        FEED_ID=arguments.feed_id,
        ROOT_URLCONF=__name__,
        SECRET_KEY=os.urandom(32).hex(),
        TEMPLATES=[{"BACKEND": "django.template.backends.django.DjangoTemplates"}],
    )
    django.setup()
    run("127.0.0.1", arguments.port, WSGIHandler(), on_bind=announce)


def announce(port):
    """Say where the page is."""
    print(f"The weather station is at http://127.0.0.1:{port}/", flush=True)


if __name__ == "__main__":
    main()
