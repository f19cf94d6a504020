"""Box 8.4 in Python 3: a controller that reads a temperature sensor and sends it to a feed.

Uses the unmodified `xively-python` library:

    pip install "xively-python==0.1.0rc1"
    python box_8_04_xively_temperature.py --feed-id 1001 --api-key KEY

Feed and key may also come from FEED_ID and API_KEY in the environment.
"""

import argparse
import collections
import collections.abc
import datetime
import os
import random
import time

# The library is of 2013 and looks for this name where Python had it until 3.9.
collections.Sequence = collections.abc.Sequence

import requests
import xively


def read_temperature():
    """A made-up sensor: whole degrees Celsius from 20 to 30."""
    return random.randint(20, 30)


def find_or_create_datastream(feed):
    """The feed's `temperature` datastream, made when the feed has none."""
    try:
        return feed.datastreams.get("temperature")
    except requests.HTTPError as error:
        if error.response.status_code != requests.codes.not_found:
            raise
        return feed.datastreams.create("temperature", tags="temperature")


def set_up(api, feed_id):
    """Give the feed its place and tag, and return its datastream.

    The book's program also asks for fresh extremes, by None. The library's release 0.1.0-rc1 does
    not send what is None, so that the feed keeps the extremes it has.
    """
    feed = api.feeds.get(feed_id)
    feed.location.lat = "30.733315"
    feed.location.lon = "76.779418"
    feed.tags = "Weather"
    feed.update()
    datastream = find_or_create_datastream(feed)
    datastream.max_value = None
    datastream.min_value = None
    return datastream


def send_one(datastream):
    """Read the sensor and send what it says; a refusal is printed and the loop goes on."""
    temperature = read_temperature()
    datastream.current_value = temperature
    datastream.at = datetime.datetime.now(datetime.UTC).replace(tzinfo=None)
    print(f"Updating Xively feed with temperature: {temperature}", flush=True)
    try:
        datastream.update()
    except requests.HTTPError as error:
        print(f"The feed refused it: {error}", flush=True)


def parse_arguments():
    """What the command line and the environment say."""
    parser = argparse.ArgumentParser(description="Send a temperature to a Xively feed.")
    parser.add_argument("--feed-id", default=os.environ.get("FEED_ID"))
    parser.add_argument("--api-key", default=os.environ.get("API_KEY"))
    parser.add_argument("--server", default="http://127.0.0.1:8000", help="where Thing Tank runs")
    parser.add_argument("--every", type=float, default=10, help="seconds between updates")
    parser.add_argument("--count", type=int, help="stop after so many updates")
    arguments = parser.parse_args()
    if not arguments.feed_id or not arguments.api_key:
        parser.error("a feed id and an API key are needed; the device's page shows both")
    return arguments


def main():
    """Run the controller."""
    arguments = parse_arguments()
    # The library puts "http:" in front.
    xively.Client.BASE_URL = arguments.server.removeprefix("http:").rstrip("/")
    datastream = set_up(xively.XivelyAPIClient(arguments.api_key), arguments.feed_id)
    sent = 0
    while arguments.count is None or sent < arguments.count:
        send_one(datastream)
        sent += 1
        if sent != arguments.count:
            time.sleep(arguments.every)


if __name__ == "__main__":
    main()
