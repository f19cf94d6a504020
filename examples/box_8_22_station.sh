#!/bin/sh
# The Station REST API with curl: make a station, list and read them, change one, delete it.
#
#   examples/box_8_22_station.sh NAME [http://127.0.0.1:8000]
#
# After box 8.22 of the book. NAME is an admin's account; curl asks for its password, or takes it from
# a file ~/.netrc when STATION_NETRC names one.
set -eu
user=${1:?an account name is needed, that of an admin}
server=${2:-http://127.0.0.1:8000}
json="Content-Type: application/json"
indented="Accept: application/json; indent=4"
answer=$(mktemp)
trap 'rm -f "$answer"' EXIT

say() { printf '\n# %s\n' "$*"; }
if [ -n "${STATION_NETRC:-}" ]; then
    ask() { curl --silent --show-error --fail-with-body --max-time 20 --netrc-file "$STATION_NETRC" -i "$@"; echo; }
else
    ask() { curl --silent --show-error --fail-with-body --max-time 20 -u "$user" -i "$@"; echo; }
fi

say "Creating a station"
ask -X POST -H "$json" -H "$indented" "$server/station/" \
    -d '{"name": "CityName", "timestamp": "1393926310", "temperature": "28", "lat": "30.733315", "lon": "76.779418"}' |
    tee "$answer"
station=$(tr -d '\r' <"$answer" | sed -n 's/^[Ll]ocation: //p')

say "Listing stations"
ask -H "$indented" "$server/station/"

say "Reading one"
ask -H "$indented" "$station"

say "Changing it: all of it, and its temperature alone"
ask -X PUT -H "$json" -H "$indented" "$station" \
    -d '{"name": "CityName", "timestamp": "1393926310", "temperature": "29", "lat": "30.733315", "lon": "76.779418"}'
ask -X PATCH -H "$json" -H "$indented" "$station" -d '{"temperature": "29.5"}'

say "Deleting it"
ask -X DELETE -H "$indented" "$station"
