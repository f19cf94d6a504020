// Triggers in a page: what they are doing now, and the answer to a test.
import { setMoment } from "./moments.js";
import { say } from "./notices.js";

const POLL_MS = 400;
const POLL_MS_MAX = 45_000; // a test is tried once; e-mail may take half a minute
const answers = new Map(); // trigger id → lines of its last test, kept over refreshes

const rowOf = (id) => document.querySelector(`#trigger-list > [data-trigger="${id}"]`);

/** Whether the page lists other triggers than there are. */
export function hasOthers(rows) {
  const list = document.querySelectorAll("#trigger-list > [data-trigger]");
  return list.length !== Object.keys(rows).length || [...list].some((row) => !(row.dataset.trigger in rows));
}

/** Show what triggers are doing: id → state, label, fired_ms, due_ms, waiting, dead. */
export function showTriggers(rows) {
  for (const [id, live] of Object.entries(rows)) {
    const row = rowOf(id);
    if (!row) continue;
    const badge = row.querySelector("[data-trigger-state]");
    badge.className = `badge badge--${live.state}`;
    badge.textContent = live.label;
    if (live.fired_ms !== null) showFiredAt(row, live.fired_ms);
    showDue(row, live.due_ms);
    showCount(row, "waiting", live.waiting);
    showCount(row, "dead", live.dead);
  }
}

function momentIn(element, style) {
  let time = element.querySelector("time");
  if (!time) {
    time = document.createElement("time");
    time.dataset.moment = style;
    element.replaceChildren(time);
  }
  return time;
}

function showFiredAt(row, atMs) {
  const fired = row.querySelector("[data-fired]");
  if (!fired.querySelector("time")) fired.textContent = "";
  setMoment(momentIn(fired, "age"), atMs);
  row.querySelector("[data-never]").hidden = true;
  row.querySelector("[data-once]").hidden = false;
}

function showDue(row, dueMs) {
  const due = row.querySelector("[data-due]");
  due.hidden = dueMs === null;
  if (dueMs !== null) setMoment(momentIn(due.querySelector("[data-due-at]"), "due"), dueMs);
}

function showCount(row, name, count) {
  const element = row.querySelector(`[data-count="${name}"]`);
  element.hidden = count === 0;
  element.querySelector("[data-number]").textContent = count;
  const word = element.querySelector("[data-plural]");
  if (word) word.hidden = count === 1;
}

/** Light up triggers that have just fired. */
export function showFired(rows) {
  for (const fired of rows) {
    const row = rowOf(fired.id);
    if (!row || fired.is_test) continue;
    showFiredAt(row, fired.at_ms);
    row.classList.remove("is-fired");
    void row.offsetWidth; // restarts the animation
    row.classList.add("is-fired");
  }
}

// Tests ------------------------------------------------------------------------------------------

const json = { headers: { Accept: "application/json" }, credentials: "same-origin" };
const CHANNELS = { webhook: "Webhook", email: "E-mail" };

async function test(form) {
  const id = form.dataset.test;
  const button = form.querySelector("button");
  if (button.ariaDisabled) return; // one that is disabled would lose the focus
  button.ariaDisabled = "true";
  const lines = [];
  answers.set(id, lines);
  showAnswers();
  try {
    const reply = await fetch(form.action, { ...json, method: "POST", body: new FormData(form) });
    const sent = await reply.json();
    if (sent.is_signed_out) throw new Error("you are signed out; reload the page to sign in");
    if (!reply.ok) throw new Error(sent.error);
    await Promise.all(sent.map((delivery) => follow(lines, delivery)));
  } catch (error) {
    const why = error instanceof TypeError || error instanceof SyntaxError ? "the server cannot be reached" : error.message;
    lines.push({ kind: "bad", text: `The test was not sent: ${why}.` });
  }
  button.ariaDisabled = null;
  showAnswers();
}

async function follow(lines, { channel, url }) {
  const name = CHANNELS[channel] ?? channel;
  const line = { kind: "waiting", text: `${name}: sending…`, url };
  lines.push(line);
  const endMs = Date.now() + POLL_MS_MAX;
  for (;;) {
    showAnswers();
    const reply = await fetch(url, json);
    if (!reply.ok) break;
    const found = await reply.json();
    if (found.state !== "waiting") {
      line.kind = found.state === "delivered" ? "good" : "bad";
      line.text = `${name}: ${wordsOf(found, channel)}`;
      line.answer = found.answer;
      return;
    }
    if (Date.now() > endMs) break;
    await new Promise((done) => setTimeout(done, POLL_MS));
  }
  line.text = `${name}: no answer yet. The delivery log will tell.`;
}

function wordsOf(found, channel) {
  if (found.state === "delivered") {
    return channel === "email" ? `accepted by the mail server in ${found.duration}` : `answered ${found.status} in ${found.duration}`;
  }
  return `${found.error || "not delivered"}.`;
}

function showAnswers() {
  for (const [id, lines] of answers) {
    const place = rowOf(id)?.querySelector("[data-answers]");
    if (!place) continue;
    const shown = JSON.stringify(lines);
    if (place.dataset.shown === shown) continue; // a screen reader would say it again
    place.dataset.shown = shown;
    place.replaceChildren(...lines.map(answerOf));
  }
}

function answerOf(line) {
  const item = document.createElement("div");
  item.className = `test-answer test-answer--${line.kind}`;
  const text = Object.assign(document.createElement("p"), { textContent: line.text });
  item.append(text);
  if (line.url && line.kind !== "waiting") {
    const link = Object.assign(document.createElement("a"), { href: line.url, textContent: "Details" });
    link.dataset.dialog = "";
    text.append(" ", link);
  }
  if (line.answer) item.append(Object.assign(document.createElement("code"), { textContent: line.answer.slice(0, 200) }));
  return item;
}

document.addEventListener("submit", (event) => {
  const form = event.target.closest("form[data-test]");
  if (!form) return;
  event.preventDefault();
  test(form).catch(() => say("The test could not be followed. See the delivery log."));
});
document.addEventListener("refreshed", showAnswers);
