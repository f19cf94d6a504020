// The weather station's page: a chart like those of devices. It follows a feed by its stream, whose
// values are in the station's table a second later; what people type in, by a look now and then.
import { Charts } from "../workbench/charts.js";
import { refresh } from "../workbench/refresh.js";
import { Stream } from "../workbench/stream.js";

const LOOK_MS = 20_000;
const FILLED_MS = 1500;

const list = document.getElementById("weather-chart");
const charts = list ? new Charts(list, document.getElementById("ranges"), document.getElementById("chart-tools")) : null;
const newest = () => document.querySelector("#weather-now time")?.dataset.atMs;

let shown = newest();
document.addEventListener("refreshed", () => {
  if (newest() === shown) return;
  if (!list) location.reload(); // the first value: now there is something to draw
  shown = newest();
  charts?.reload();
});

let looking = 0;

/** Look once for all that comes together. */
function lookSoon(waitMs) {
  looking ||= setTimeout(() => {
    looking = 0;
    refresh();
  }, waitMs);
}

const state = document.getElementById("stream-state");
if (state) {
  const waitMs = Number(state.dataset.waitMs ?? FILLED_MS);
  new Stream(state.dataset.liveUrl, state, {
    hello: (_, isFirst) => isFirst || lookSoon(0),
    values: (body) => "temperature" in body && lookSoon(waitMs),
    device: () => lookSoon(0),
    reload: () => lookSoon(waitMs),
    gone: () => location.reload(),
  }).start();
} else {
  setInterval(() => document.hidden || refresh(), LOOK_MS);
}
