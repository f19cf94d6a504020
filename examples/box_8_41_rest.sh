#!/bin/sh
# SkyNet's REST API with curl: make a device, look at it, change it, hear of it, send to it.
#
#   examples/box_8_41_rest.sh [http://127.0.0.1:3000]
#
# After box 8.41 of the book, in this order: one hears of a message only who listens before it comes.
set -eu
skynet=${1:-http://127.0.0.1:3000}
answer=$(mktemp)
trap 'rm -f "$answer"; kill "$subscription" 2>/dev/null || true' EXIT
subscription=

say() { printf '\n# %s\n' "$*"; }
ask() { curl --silent --show-error --max-time 20 "$@"; }

say "Creating a device"
ask -X POST -d "name=mydevicename&token=mytoken&color=green" "$skynet/devices" | tee "$answer"
uuid=$(sed 's/.*"uuid": *"\([^"]*\)".*/\1/' "$answer")

say "Listing devices"
ask "$skynet/devices/$uuid"

say "Updating a device"
ask -X PUT -d "token=mytoken&color=red" "$skynet/devices/$uuid"

say "Subscribing to a device, and sending a message"
: >"$answer"
curl --silent --no-buffer -X GET "$skynet/subscribe/$uuid?token=mytoken" >"$answer" &
subscription=$!
# The stream has begun when its first bytes are here, which come before any message.
tries=0
until [ -s "$answer" ] || [ $tries -ge 100 ]; do
    sleep 0.1
    tries=$((tries + 1))
done
ask -X POST -d '{"devices": "'"$uuid"'", "message": {"color": "red"}}' "$skynet/messages"
echo
tries=0
until grep -q '"color"' "$answer" || [ $tries -ge 100 ]; do
    sleep 0.1
    tries=$((tries + 1))
done
kill "$subscription"
cat "$answer"

say "Getting the last 10 events of a device"
ask -X GET "$skynet/events/$uuid?token=mytoken"
echo
