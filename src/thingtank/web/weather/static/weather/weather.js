// The weather station's page: a chart like those of devices, and a look every few seconds for what
// has come.
import { Charts } from "../workbench/charts.js";
import { refresh } from "../workbench/refresh.js";

const LOOK_MS = 10_000;

const list = document.getElementById("weather-chart");
const charts = list ? new Charts(list, document.getElementById("ranges")) : null;
const newest = () => document.querySelector("#weather-now time")?.dataset.atMs;

let shown = newest();
document.addEventListener("refreshed", () => {
  if (newest() === shown) return;
  if (!list) location.reload(); // the first value: now there is something to draw
  shown = newest();
  charts?.reload();
});

setInterval(() => document.hidden || refresh(), LOOK_MS);
