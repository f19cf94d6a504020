// A device's page: the stream of what happens feeds values, charts and the request log.
import { articleOf, isBehind, showValue } from "./channel_values.js";
import { Charts } from "./charts.js";
import { isWaiting, showRefused, startConnecting } from "./connect.js";
import { say } from "./notices.js";
import { refresh } from "./refresh.js";
import { RequestLog } from "./request_log.js";
import { Stream } from "./stream.js";
import { hasOthers, showFired, showTriggers } from "./triggers.js";

const GONE_MS = 5000;
const ANNOUNCE_MS = 10_000; // often enough to follow, rarely enough to listen to anything else
const device = document.getElementById("device");
const charts = new Charts(document.getElementById("channels"), document.getElementById("ranges"), document.getElementById("chart-tools"));
const logElement = document.getElementById("request-log");
const log = logElement ? new RequestLog(logElement) : null;
const announcer = document.getElementById("announcer");
let announcedMs = Date.now(); // what the page says at the start needs no second word

function announce(values) {
  if (Date.now() - announcedMs < ANNOUNCE_MS) return;
  announcedMs = Date.now();
  announcer.textContent = Object.entries(values)
    .slice(0, 3)
    .map(([name, update]) => `${name} ${update.value} ${articleOf(name)?.dataset.unit ?? ""}`)
    .join(", ");
}

async function takeValues(values, isNews) {
  const isFirst = isWaiting() && Object.keys(values).length > 0;
  if (isFirst || Object.keys(values).some((name) => !articleOf(name))) await refresh();
  if (isFirst && isNews) say("The first value has come.");
  for (const [name, update] of Object.entries(values)) {
    const article = articleOf(name);
    if (!article) continue;
    showValue(article, update, isNews);
    charts.take(article, update);
  }
  if (isNews) {
    announce(values);
    showLive();
  }
}

function showLive() {
  const badge = document.querySelector("[data-state].badge");
  badge.textContent = "Live";
  badge.classList.replace("badge--frozen", "badge--live");
}

const stream = new Stream(device.dataset.liveUrl, document.getElementById("stream-state"), {
  hello(body, isFirst) {
    takeValues(body.values, false);
    log?.take(body.requests);
    showRefused(body.requests);
    showTriggers(body.triggers);
    if (!isFirst || isBehind(body.channels) || hasOthers(body.triggers)) refresh();
    if (!isFirst) charts.reload();
  },
  values: (body) => takeValues(body, true),
  requests(rows) {
    log?.take(rows);
    showRefused(rows);
  },
  fired(rows) {
    showFired(rows);
    const names = [...new Set(rows.map((row) => row.name))].slice(0, 3).join(", ");
    announcer.textContent = `Trigger fired on ${names}`;
  },
  triggers: (rows) => showTriggers(rows),
  device: () => refresh(),
  noted: () => refresh(),
  reload() {
    refresh();
    charts.reload();
  },
  gone() {
    // Who deletes it here is led elsewhere by the dialog's answer, which may come after this.
    setTimeout(() => location.reload(), document.querySelector("dialog[open]") ? GONE_MS : 0);
  },
});

document.addEventListener("refreshed", () => charts.adopt());
startConnecting();
stream.start();
