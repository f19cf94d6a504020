// Trying WAMP out: publish, call, and listen to a topic. Everything that comes is shown as text.
import { stampOf } from "./moments.js";
import { say } from "./notices.js";
import { Stream } from "./stream.js";

const EVENTS_SHOWN_MAX = 100;

const panel = document.getElementById("try");
const outcomeTemplate = document.getElementById("outcome-template");
const heardTemplate = document.getElementById("heard-template");

function choose(name) {
  panel.querySelector(`input[name="try"][value="${name}"]`).checked = true;
  panel.scrollIntoView({ block: "nearest" });
  return panel.querySelector(`[data-try="${name}"] form`);
}

function outcomeOf(outcome) {
  const element = outcomeTemplate.content.firstElementChild.cloneNode(true);
  element.classList.toggle("outcome--bad", !outcome.is_good);
  for (const part of element.querySelectorAll("[data-part]")) {
    const value = outcome[part.dataset.part];
    part.hidden = value.length === 0;
    if (Array.isArray(value)) part.replaceChildren(...value.map(progressOf));
    else part.textContent = value;
  }
  return element;
}

function progressOf(text) {
  const item = document.createElement("li");
  item.append(Object.assign(document.createElement("pre"), { textContent: text }));
  return item;
}

function answerOf(form) {
  return form.closest("[data-try]").querySelector("[data-answer]");
}

function showWords(form, words) {
  const line = Object.assign(document.createElement("p"), { className: "form-errors", textContent: words });
  answerOf(form).replaceChildren(line);
}

function showProblems(form, problems) {
  for (const field of form.querySelectorAll("[data-field]")) {
    const words = problems[field.dataset.field] ?? "";
    const place = field.querySelector("[data-problem]");
    const input = field.querySelector("input, textarea, select");
    place.id = `${input.id}_problem`;
    place.textContent = words;
    place.hidden = !words;
    field.classList.toggle("field--wrong", Boolean(words));
    if (words) {
      input.setAttribute("aria-invalid", "true");
      input.setAttribute("aria-describedby", place.id);
    } else {
      input.removeAttribute("aria-invalid");
      input.removeAttribute("aria-describedby");
    }
  }
  form.querySelector('[aria-invalid="true"]')?.focus();
}

async function send(form, button) {
  if (button.ariaDisabled) return; // one that is disabled would lose the focus
  button.ariaDisabled = "true";
  answerOf(form).replaceChildren();
  try {
    const reply = await fetch(form.action, {
      method: "POST",
      body: new FormData(form),
      headers: { Accept: "application/json" },
      credentials: "same-origin",
    });
    if (!reply.headers.get("Content-Type")?.startsWith("application/json")) throw new Error();
    const { outcome, problems } = await reply.json();
    showProblems(form, problems ?? {});
    if (outcome) answerOf(form).replaceChildren(outcomeOf(outcome));
    else if (problems?.__all__) showWords(form, problems.__all__);
  } catch {
    showWords(form, "The server gave no answer. Reload the page and try again.");
  } finally {
    button.ariaDisabled = null;
  }
}

class Listening {
  #form = panel.querySelector("form[data-listens]");
  #stop = panel.querySelector("[data-stop]");
  #head = panel.querySelector("[data-heard-head]");
  #count = panel.querySelector("[data-heard-count]");
  #heard = panel.querySelector("[data-heard]");
  #session = panel.querySelector('input[name="session"]');
  #state = document.getElementById("heard-state");
  #stream = null;

  constructor() {
    this.#form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.start();
    });
    this.#stop.addEventListener("click", () => {
      this.end();
      this.#form.querySelector("button:not([data-stop])").focus();
    });
  }

  /** Listen to what the form says. */
  start() {
    this.end();
    const terms = new URLSearchParams(new FormData(this.#form));
    const isBlank = terms.get("topic").trim() === "" && terms.get("match") === "exact";
    showProblems(this.#form, isBlank ? { topic: "Say which topic, or choose another match." } : {});
    answerOf(this.#form).replaceChildren();
    if (isBlank) return;
    terms.set("topic", terms.get("topic").trim());
    this.#heard.replaceChildren();
    this.#count.textContent = "";
    this.#stop.hidden = this.#head.hidden = false;
    this.#stream = new Stream(
      `${panel.dataset.eventsUrl}?${terms}`,
      this.#state,
      {
        hello: (body) => {
          this.#session.value = body.session;
          answerOf(this.#form).replaceChildren(outcomeOf(body.outcome));
        },
        events: (body) => this.#take(body),
        gone: (body) => this.#gone(body),
      },
      { isKept: true },
    );
    this.#stream.start();
  }

  end() {
    this.#stream?.stop();
    this.#stream = null;
    this.#session.value = "";
    this.#stop.hidden = this.#head.hidden = true;
  }

  #gone({ outcome, reason }) {
    this.end();
    if (outcome) answerOf(this.#form).replaceChildren(outcomeOf(outcome));
    else showWords(this.#form, reason);
  }

  #take({ rows, skipped, heard }) {
    const items = rows.map((row) => {
      const item = heardTemplate.content.firstElementChild.cloneNode(true);
      item.querySelector('[data-part="topic"]').textContent = row.topic;
      item.querySelector('[data-part="at"]').textContent = stampOf(row.at_ms);
      item.querySelector('[data-part="text"]').textContent = row.details ? `${row.text}\n${row.details}` : row.text;
      return item;
    });
    this.#heard.hidden = false;
    this.#heard.prepend(...items.reverse());
    while (this.#heard.children.length > EVENTS_SHOWN_MAX) this.#heard.lastElementChild.remove();
    const words = skipped ? `, ${skipped} of the last ones not shown` : "";
    this.#count.textContent = `${heard} heard${words}`;
  }
}

/**
 * Have forms send, and buttons of rows fill them in.
 * @param rowOf what the router says of the row that a button is in.
 */
export function startTrying(rowOf) {
  const listening = new Listening();
  document.addEventListener("submit", (event) => {
    const form = event.target.closest("form[data-tries]");
    if (!form) return;
    event.preventDefault();
    send(form, event.submitter ?? form.querySelector("button"));
  });
  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-listen], [data-call]");
    if (!button) return;
    const uri = button.dataset.call || rowOf(button)?.uri;
    if (uri === undefined) {
      say("It has ended meanwhile.");
    } else if ("listen" in button.dataset) {
      const form = choose("listen");
      form.elements.topic.value = uri;
      form.elements.match.value = rowOf(button).match;
      listening.start();
    } else {
      const form = choose("call");
      form.elements.procedure.value = uri;
      form.elements.args.focus();
    }
  });
}
