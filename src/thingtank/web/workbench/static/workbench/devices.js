// The list of devices: one stream keeps the rows that are shown up to date.
import { flash } from "./flash.js";
import { setMoment } from "./moments.js";
import { say } from "./notices.js";
import { refresh } from "./refresh.js";
import { Stream } from "./stream.js";

const ANNOUNCE_MS = 30_000; // many devices may write all the time
const STATES_MS = 1000;

const state = document.getElementById("stream-state");
const announcer = document.getElementById("announcer");
const template = document.getElementById("value-template").content.firstElementChild;
const newer = new Map(); // feed ID → what has come of its row since this page was last asked for
const unannounced = new Map(); // feed ID → what is to be told of its row
let stream = null;
let address = ""; // the stream's
let announcedMs = Date.now(); // what the page says at the start needs no second word
let aheadMs = 0; // the server's clock

const list = () => document.getElementById("device-list"); // it is another one after a refresh
const rowOf = (id) => list().querySelector(`.device-row[data-key="${CSS.escape(id)}"]`);
const titleOf = (row) => row.querySelector(".device-row__title").textContent.trim();

function put(parent, part, text) {
  const element = parent.querySelector(`[data-part="${part}"]`);
  const isOther = element.textContent !== text;
  if (isOther) element.textContent = text;
  return isOther ? element : null;
}

function showValues(row, values, isNews) {
  const place = row.querySelector('[data-part="values"]');
  const present = new Map([...place.children].map((item) => [item.dataset.name, item]));
  const items = values.map((each) => {
    const item = present.get(each.name) ?? template.cloneNode(true);
    item.dataset.name = each.name;
    put(item, "name", each.name);
    put(item, "symbol", each.symbol);
    const changed = put(item, "value", each.value);
    if (changed && isNews) flash(changed);
    return item;
  });
  const isSame = items.length === place.children.length && items.every((item, i) => item === place.children[i]);
  if (!isSame) place.replaceChildren(...items);
}

function showAge(row, atMs) {
  const age = row.querySelector('[data-part="age"]');
  let time = age.querySelector("time");
  if (atMs === null) return;
  if (!time) {
    time = document.createElement("time");
    time.dataset.moment = "age";
    age.replaceChildren(time);
  }
  if (Number(time.dataset.atMs) !== atMs) setMoment(time, atMs);
}

function showState(row) {
  const time = row.querySelector('[data-part="age"] time');
  if (!time) return;
  const ageMs = Date.now() + aheadMs - Number(time.dataset.atMs);
  const isLive = ageMs < Number(list().dataset.liveS) * 1000;
  const badge = put(row, "state", isLive ? "Live" : "Frozen");
  badge?.classList.toggle("badge--live", isLive);
  badge?.classList.toggle("badge--frozen", !isLive);
}

function showRow(row, body, isNews) {
  put(row, "count", String(body.channel_count));
  put(row, "channels", body.channel_count === 1 ? "channel" : "channels");
  showAge(row, body.at_ms);
  showValues(row, body.values, isNews);
  showState(row);
}

/** Once in a while, of all that was written since: the last of it, and how many devices it was. */
function announce() {
  const nowMs = Date.now();
  if (nowMs - announcedMs < ANNOUNCE_MS) return;
  announcedMs = nowMs;
  const [id, body] = [...unannounced].at(-1);
  const values = body.values.map((each) => `${each.name} ${each.value} ${each.symbol}`.trim());
  const others = unannounced.size > 1 ? `${unannounced.size} devices have sent values. ` : "";
  announcer.textContent = `${others}${titleOf(rowOf(id))}: ${values.join(", ")}`;
  unannounced.clear();
}

function take(rows, isNews) {
  const firsts = []; // names of devices of which the page had no value
  for (const [id, body] of Object.entries(rows)) {
    newer.set(id, body);
    const row = rowOf(id);
    if (!row) continue;
    const isFirst = body.at_ms !== null && !row.querySelector('[data-part="age"] time');
    showRow(row, body, isNews);
    if (isFirst) firsts.push(titleOf(row));
    if (!isNews) continue;
    unannounced.delete(id); // to the end
    unannounced.set(id, body);
  }
  if (isNews && unannounced.size > 0) announce();
  if (firsts.length === 0) return;
  if (isNews) say(firsts.length === 1 ? `The first value of ${firsts[0]} has come.` : `The first values of ${firsts.length} devices have come.`);
  if (document.getElementById("start")) refresh(); // a step is done
}

function follow() {
  if (address === list().dataset.liveUrl) return;
  stream?.stop();
  address = list().dataset.liveUrl;
  stream = new Stream(address, state, {
    hello(body, isFirst) {
      aheadMs = body.now_ms - Date.now();
      take(body.rows, false);
      const shown = list().querySelectorAll(".device-row");
      const isBehind = [...shown].some((row) => !(row.dataset.key in body.rows));
      if (!isFirst || isBehind) refresh();
    },
    rows: (body) => take(body, true),
    changed: () => refresh(),
  });
  stream.start();
}

document.addEventListener("refreshing", () => newer.clear());
document.addEventListener("refreshed", () => {
  for (const [id, body] of newer) {
    const row = rowOf(id);
    const time = row?.querySelector('[data-part="age"] time');
    if (row && !(Number(time?.dataset.atMs) > body.at_ms)) showRow(row, body, false);
  }
  for (const id of unannounced.keys()) if (!rowOf(id)) unannounced.delete(id);
  follow(); // there may be other rows now
});
setInterval(() => {
  // While the connection is lost nobody knows.
  if (document.hidden || state.dataset.state !== "live") return;
  for (const row of list().querySelectorAll(".device-row")) showState(row);
}, STATES_MS);
follow();
