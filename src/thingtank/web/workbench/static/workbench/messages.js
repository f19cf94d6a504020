// The page of messages: rows as they come, newest first, and who is there. All is shown as text.
import { setMoment } from "./moments.js";
import { Stream } from "./stream.js";
import "./trying.js";

const ROWS_MAX = 100;

const page = document.getElementById("messages");
const rows = document.getElementById("message-rows");
const rowTemplate = document.getElementById("message-template");
const empty = document.getElementById("messages-empty");
const skipped = document.getElementById("skipped");
const online = document.getElementById("online");
const onlineTemplate = document.getElementById("online-template");
const onlineEmpty = document.getElementById("online-empty");
const pause = document.getElementById("pause");
const pauseLabel = document.getElementById("pause-label");

let isPaused = false;
let waiting = []; // rows that came while it was paused, oldest first
let waitingCount = 0;

function showMoment(place, atMs) {
  if (atMs === null) {
    place.textContent = "";
    return;
  }
  let time = place.querySelector("time");
  if (!time) {
    time = document.createElement("time");
    time.dataset.moment = "age";
    place.replaceChildren(time);
  }
  setMoment(time, atMs);
}

function fill(item, row) {
  item.dataset.key = row.key;
  if (row.state) item.dataset.state = row.state;
  for (const part of item.querySelectorAll("[data-part]")) {
    part.textContent = row[part.dataset.part];
    if (part.dataset.part === "topic") part.hidden = !row.topic;
    const url = row[part.dataset.url];
    if (url) part.href = url;
  }
  for (const part of item.querySelectorAll("[data-shows]")) part.hidden = !row[part.dataset.shows];
  for (const part of item.querySelectorAll("[data-moment-of]")) {
    showMoment(part, row[part.dataset.momentOf]);
  }
  return item;
}

function made(template, row) {
  return fill(template.content.firstElementChild.cloneNode(true), row);
}

/** Show rows, oldest first, above the others; those shown already are left out. */
function take(fresh) {
  const known = new Set([...rows.children].map((item) => item.dataset.key));
  for (const row of fresh) if (!known.has(row.key)) rows.prepend(made(rowTemplate, row));
  while (rows.children.length > ROWS_MAX) rows.lastElementChild.remove();
  rows.hidden = rows.children.length === 0;
  empty.hidden = !rows.hidden;
}

function hold(fresh) {
  waitingCount += fresh.length;
  waiting = [...waiting, ...fresh].slice(-ROWS_MAX);
  showPause();
}

function showPause() {
  pause.setAttribute("aria-pressed", String(isPaused));
  const news = waitingCount ? ` (${waitingCount} new)` : "";
  pauseLabel.textContent = isPaused ? `Resume${news}` : "Pause";
}

function showSkipped(count) {
  skipped.hidden = count === 0;
  skipped.textContent = `${count} more came at the same time and are not shown.`;
}

function showOnline(body) {
  online.replaceChildren(...body.rows.map((row) => made(onlineTemplate, row)));
  online.hidden = body.rows.length === 0;
  onlineEmpty.hidden = !online.hidden;
  document.getElementById("online-count").textContent = body.is_more ? `${body.count}+` : body.count;
}

pause.addEventListener("click", () => {
  isPaused = !isPaused;
  if (!isPaused) {
    take(waiting);
    waiting = [];
    waitingCount = 0;
  }
  showPause();
});

const stream = new Stream(page.dataset.liveUrl, document.getElementById("stream-state"), {
  hello(body) {
    if (!isPaused) take([...body.rows].reverse());
    showOnline(body.online);
  },
  messages(body) {
    if (isPaused) hold(body.rows);
    else take(body.rows);
    showSkipped(isPaused ? 0 : body.skipped);
  },
  online: showOnline,
  gone: () => location.reload(),
});
stream.start();
