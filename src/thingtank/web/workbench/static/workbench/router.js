// The pages of WAMP's router and MQTT's broker: one stream keeps numbers, rows and the chart of the
// traffic up to date.
import { setMoment } from "./moments.js";
import { refresh } from "./refresh.js";
import { Stream } from "./stream.js";
import { Traffic, rateText } from "./traffic.js";

const ROWS_PER_PAGE = 50;

const page = document.getElementById("router");
const list = document.getElementById("router-rows");
const empty = document.getElementById("router-empty");
const rowTemplate = document.getElementById("row-template");
const chart = document.getElementById("traffic");
const traffic = chart ? new Traffic(chart) : null;
const byKey = new Map(); // key → what the router says of the row

const STYLES = {
  rate: rateText,
  bytes: bytesText,
  text: (text) => text || (page.dataset.blank ?? ""),
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
    time.dataset.moment = place.dataset.style ?? "age";
    place.replaceChildren(time);
  }
  if (Number(time.dataset.atMs) !== atMs) setMoment(time, atMs);
}

function showRow(item, row) {
  const values = { ...row, is_away: row.is_connected === false, pattern: row.match !== undefined && row.match !== "exact" };
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

/** A row's own address: its key stands in a path in place of 0, else at the end of the query. */
function addressOf(pattern, key) {
  const place = "/0/";
  if (pattern.includes(place)) return pattern.replace(place, `/${key}/`);
  return pattern + encodeURIComponent(key);
}

function newRow(row) {
  const item = rowTemplate.content.firstElementChild.cloneNode(true);
  item.dataset.key = row.key;
  for (const link of item.querySelectorAll("[data-href]")) {
    link.href = addressOf(link.dataset.href, row.key);
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
  for (const [name, count] of Object.entries(body.counts)) {
    if (count !== null) put(document.querySelector(`[data-count="${name}"]`), String(count));
  }
  if (traffic && body.traffic) {
    traffic.take(body.traffic, isFirst);
    put(document.querySelector('[data-now="dropped"]'), String(body.dropped));
    document.querySelector("[data-dropped-line]").hidden = body.dropped === 0;
  }
  if (body.rows) showRows(body.rows);
  const { pageCount, nextAfter } = page.dataset;
  // Lists have numbered pages, or say where the next one begins.
  if (nextAfter === undefined) page.dataset.pageCount = Math.max(1, Math.ceil(body.found / ROWS_PER_PAGE));
  else page.dataset.nextAfter = body.next;
  if (pageCount !== page.dataset.pageCount || nextAfter !== page.dataset.nextAfter) {
    refresh(); // the way from page to page
  }
}

/** What the server says of the row that an element is in. */
export function rowOf(element) {
  return byKey.get(element.closest("[data-key]")?.dataset.key);
}

for (const row of JSON.parse(document.getElementById("first-rows").textContent)) {
  byKey.set(row.key, row);
}
for (const form of document.querySelectorAll("form[data-applies]")) {
  for (const select of form.querySelectorAll("select")) {
    select.addEventListener("change", () => form.requestSubmit());
  }
}

const stream = new Stream(page.dataset.liveUrl, document.getElementById("stream-state"), {
  hello: (body) => take(body, true),
  overview: (body) => take(body, false),
  gone: () => location.reload(),
});
stream.start();
