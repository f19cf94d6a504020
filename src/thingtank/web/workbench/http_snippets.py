"""Lines, programs and a sketch to copy that write a device's values by HTTP.

Where a key belongs, SECRET stands; the page's script puts the key there.
"""

import json
import shlex

from thingtank.net.origins import host_of, is_loopback

EXAMPLE_CHANNEL = "temperature"
SECRET = "••••••••"  # noqa: S105 # stands where a secret goes
INTERVAL_S = 5


def curl_line(endpoint: str, channel: str) -> str:
    """A line for a shell that writes a value.

    Args:
        endpoint: the feed's address in the API, without a format.
    """
    body = {"datastreams": [{"id": channel, "current_value": "21.5"}]}
    text = json.dumps(body, separators=(",", ":"))
    words = ["curl", "-X", "PUT", f"{endpoint}.json", "-H", f"X-ApiKey: {SECRET}", "-d", text]
    return shlex.join(words)


def requests_program(endpoint: str, channel: str) -> str:
    """A program in Python that writes a value again and again, and says what is answered.

    Args:
        endpoint: as above.
    """
    return f'''\
# pip install requests
import random
import time

import requests

URL = "{endpoint}.json"
HEADERS = {{"X-ApiKey": "{SECRET}"}}

value = 21.5
while True:
    value += random.uniform(-0.2, 0.2)  # read your sensor here
    datastream = {{"id": {json.dumps(channel)}, "current_value": f"{{value:.1f}}"}}
    answer = requests.put(URL, json={{"datastreams": [datastream]}}, headers=HEADERS, timeout=10)
    print(f"{{value:.1f}}", answer.status_code, answer.text, flush=True)
    time.sleep({INTERVAL_S})
'''


def esp32_sketch(endpoint: str, channel: str) -> str:
    """A sketch for the Arduino IDE and an ESP32 that does the same; it needs no library.

    Args:
        endpoint: as above.
    """
    body = json.dumps({"datastreams": [{"id": channel, "current_value": "VALUE"}]})
    before, after = body.split("VALUE")
    return f'''\
// For an ESP32, such as the board "ESP32 Dev Module" of the Arduino IDE. No library to install.
#include <HTTPClient.h>
#include <WiFi.h>

const char* WIFI_NAME = "your Wi-Fi";
const char* WIFI_PASSWORD = "its password";
const char* FEED_URL = "{endpoint}.json";
const char* API_KEY = "{SECRET}";

float readSensor() {{
  return 20.0 + analogRead(34) * 10.0 / 4095.0;  // read your sensor here
}}

void setup() {{
  Serial.begin(115200);
  WiFi.begin(WIFI_NAME, WIFI_PASSWORD);
  while (WiFi.status() != WL_CONNECTED) {{
    delay(500);
  }}
}}

void loop() {{
  String body = {json.dumps(before)};
  body += String(readSensor(), 1);
  body += {json.dumps(after)};

  HTTPClient http;
  http.begin(FEED_URL);
  http.addHeader("X-ApiKey", API_KEY);
  http.addHeader("Content-Type", "application/json");
  int status = http.PUT(body);
  Serial.print(status);
  Serial.print(" ");
  Serial.println(http.getString());  // why, where it was refused
  http.end();
  delay({INTERVAL_S * 1000});
}}
'''


def local_host_of(url: str) -> str:
    """The host of a URL, if it is an address or name that means the machine itself."""
    host = host_of(url)
    return host if is_loopback(host) else ""
