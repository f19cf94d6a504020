// The WAMP page: one stream keeps numbers, rows and the chart of its traffic up to date.
import { setMoment } from "./moments.js";
import { refresh } from "./refresh.js";
import { Stream } from "./stream.js";
import { Traffic, rateText } from "./wamp_traffic.js";
import { startTrying } from "./wamp_try.js";

const ROWS_PER_PAGE = 50;

const page = document.getElementById("wamp");
const list = document.getElementById("wamp-rows");
const empty = document.getElementById("wamp-empty");
const rowTemplate = document.getElementById("row-template");
const chart = document.getElementById("traffic");
const traffic = chart ? new Traffic(chart) : null;
const byKey = new Map(); // key → what the router says of the row

const STYLES = {
  rate: rateText,
  bytes: bytesText,
  uri: (uri) => uri || `(every ${page.dataset.show === "topics" ? "topic" : "procedure"})`,
};

function bytesText(bytes) {
  if (bytes < 1024) return `${bytes} bytes`;
  const isMega = bytes >= 1024 * 1024;
  return `${(bytes / (isMega ? 1024 * 1024 : 1024)).toFixed(1)} ${isMega ? "MB" : "KB"}`;
}

function put(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

function showMoment(place, atMs) {
  if (atMs === null) {
    put(place, "never");
    return;
  }
  let time = place.querySelector("time");
  if (!time) {
    time = document.createElement("time");
    time.dataset.moment = "age";
    place.replaceChildren(time);
  }
  if (Number(time.dataset.atMs) !== atMs) setMoment(time, atMs);
}

function showRow(item, row) {
  const values = { ...row, pattern: row.match !== undefined && row.match !== "exact" };
  for (const part of item.querySelectorAll("[data-part]")) {
    const style = STYLES[part.dataset.as] ?? String;
    put(part, style(values[part.dataset.part]));
  }
  for (const part of item.querySelectorAll("[data-show]")) part.hidden = !values[part.dataset.show];
  for (const part of item.querySelectorAll("[data-warn]")) {
    part.classList.toggle("is-behind", values[part.dataset.warn] > 0);
  }
  for (const part of item.querySelectorAll("[data-moment-of]")) {
    showMoment(part, values[part.dataset.momentOf]);
  }
}

function newRow(row) {
  const item = rowTemplate.content.firstElementChild.cloneNode(true);
  item.dataset.key = row.key;
  for (const link of item.querySelectorAll("[data-href]")) {
    link.href = link.dataset.href.replace("/0/", `/${row.key}/`);
  }
  return item;
}

function showRows(rows) {
  const present = new Map([...list.children].map((item) => [item.dataset.key, item]));
  byKey.clear();
  rows.forEach((row, index) => {
    byKey.set(row.key, row);
    const item = present.get(row.key) ?? newRow(row);
    present.delete(row.key);
    showRow(item, row);
    if (list.children[index] !== item) list.insertBefore(item, list.children[index] ?? null);
  });
  for (const item of present.values()) {
    const hadFocus = item.contains(document.activeElement);
    item.remove();
    if (hadFocus) document.getElementById("main").focus({ preventScroll: true });
  }
  list.hidden = rows.length === 0;
  empty.hidden = rows.length > 0;
}

function take(body, isFirst) {
  for (const name of ["sessions", "topics", "procedures"]) {
    put(document.querySelector(`[data-count="${name}"]`), String(body[name]));
  }
  if (traffic && body.traffic) {
    traffic.take(body.traffic, isFirst);
    put(document.querySelector('[data-now="dropped"]'), String(body.dropped));
    document.querySelector("[data-dropped-line]").hidden = body.dropped === 0;
  }
  if (body.rows) showRows(body.rows);
  const pageCount = Math.max(1, Math.ceil(body.found / ROWS_PER_PAGE));
  if (pageCount !== Number(page.dataset.pageCount)) {
    page.dataset.pageCount = pageCount;
    refresh(); // the way from page to page
  }
}

for (const row of JSON.parse(document.getElementById("first-rows").textContent)) {
  byKey.set(row.key, row);
}
for (const form of document.querySelectorAll("form[data-applies]")) {
  for (const select of form.querySelectorAll("select")) {
    select.addEventListener("change", () => form.requestSubmit());
  }
}
startTrying((button) => byKey.get(button.closest("[data-key]")?.dataset.key));

const stream = new Stream(page.dataset.liveUrl, document.getElementById("stream-state"), {
  hello: (body) => take(body, true),
  overview: (body) => take(body, false),
  gone: () => location.reload(),
});
stream.start();
