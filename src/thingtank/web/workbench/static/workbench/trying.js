// Trying a door out: forms that send, and lists of what comes. All that comes is shown as text.
import { stampOf } from "./moments.js";
import { Stream } from "./stream.js";

const EVENTS_SHOWN_MAX = 100;

const panel = document.getElementById("try");
const outcomeTemplate = document.getElementById("outcome-template");
const heardTemplate = document.getElementById("heard-template");

/** Show one of the forms. */
export function choose(name) {
  panel.querySelector(`input[name="try"][value="${name}"]`).checked = true;
  panel.scrollIntoView({ block: "nearest" });
  return panel.querySelector(`[data-try="${name}"] form`);
}

function outcomeOf(outcome) {
  const element = outcomeTemplate.content.firstElementChild.cloneNode(true);
  element.classList.toggle("outcome--bad", !outcome.is_good);
  for (const part of element.querySelectorAll("[data-part]")) {
    const value = outcome[part.dataset.part] ?? "";
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

/** Say that the session has ended; what was typed stays, for when another tab has signed in. */
function showSignedOut(form) {
  showWords(form, "You are signed out. Nothing was sent. ");
  const link = Object.assign(document.createElement("a"), {
    href: "/sign-in", target: "_blank", rel: "noopener", textContent: "Sign in again",
  });
  answerOf(form).lastElementChild.append(link, " in a new tab, then send it from here.");
}

/** Give the page's forms the token of the newest session: a sign-in in another tab makes another. */
async function renewTokens() {
  const reply = await fetch(location.href, { credentials: "same-origin" });
  const fresh = new DOMParser().parseFromString(await reply.text(), "text/html");
  const token = fresh.querySelector('input[name="csrfmiddlewaretoken"]')?.value;
  if (!token) return;
  for (const input of document.querySelectorAll('input[name="csrfmiddlewaretoken"]')) input.value = token;
}

function post(form) {
  return fetch(form.action, {
    method: "POST",
    body: new FormData(form),
    headers: { Accept: "application/json" },
    credentials: "same-origin",
  });
}

async function send(form, button) {
  if (button.ariaDisabled) return; // one that is disabled would lose the focus
  button.ariaDisabled = "true";
  answerOf(form).replaceChildren();
  try {
    let reply = await post(form);
    if (reply.status === 403) {
      await renewTokens();
      reply = await post(form);
    }
    if (reply.status === 401) {
      showSignedOut(form);
      return;
    }
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

/** Something that a form asks for and that then comes, until it is stopped: the newest first. */
export class Heard {
  #form;
  #stop;
  #head;
  #count;
  #heard;
  #state;
  #stream = null;
  #hooks;

  /**
   * @param name of the form.
   * @param hooks `problemsOf(terms)`, by field; `hello(body)`; `end()`. Each may be left out.
   */
  constructor(name, hooks = {}) {
    const place = panel.querySelector(`[data-try="${name}"]`);
    this.#form = place.querySelector("form");
    this.#stop = place.querySelector("[data-stop]");
    this.#head = place.querySelector("[data-heard-head]");
    this.#count = place.querySelector("[data-heard-count]");
    this.#heard = place.querySelector("[data-heard]");
    this.#state = place.querySelector("[data-state]");
    this.#hooks = hooks;
    this.#form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.start();
    });
    this.#stop.addEventListener("click", () => {
      this.end();
      this.#form.querySelector("button:not([data-stop])").focus();
    });
  }

  /** Ask for what the form says. */
  start() {
    this.end();
    const terms = new URLSearchParams(new FormData(this.#form));
    const problems = this.#hooks.problemsOf?.(terms) ?? {};
    showProblems(this.#form, problems);
    answerOf(this.#form).replaceChildren();
    if (Object.keys(problems).length > 0) return;
    this.#heard.replaceChildren();
    this.#heard.hidden = true;
    this.#count.textContent = "";
    this.#stop.hidden = this.#head.hidden = false;
    this.#stream = new Stream(
      `${this.#form.getAttribute("action")}?${terms}`,
      this.#state,
      {
        hello: (body) => {
          this.#hooks.hello?.(body);
          if (body.outcome) answerOf(this.#form).replaceChildren(outcomeOf(body.outcome));
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
    this.#hooks.end?.();
    this.#stop.hidden = this.#head.hidden = true;
  }

  #gone({ outcome, reason }) {
    this.end();
    if (outcome) answerOf(this.#form).replaceChildren(outcomeOf(outcome));
    else showWords(this.#form, reason);
  }

  #take({ rows, skipped, heard }) {
    this.#heard.hidden = false;
    this.#heard.prepend(...rows.map(heardItem).reverse());
    while (this.#heard.children.length > EVENTS_SHOWN_MAX) this.#heard.lastElementChild.remove();
    const words = skipped ? `, ${skipped} of the last ones not shown` : "";
    this.#count.textContent = `${heard} ${this.#head.dataset.word}${words}`;
  }
}

function heardItem(row) {
  const item = heardTemplate.content.firstElementChild.cloneNode(true);
  const texts = { ...row, at: stampOf(row.at_ms) };
  for (const part of item.querySelectorAll("[data-part]")) {
    part.textContent = texts[part.dataset.part] ?? "";
    part.hidden = part.textContent === "";
  }
  return item;
}

document.addEventListener("submit", (event) => {
  const form = event.target.closest("form[data-tries]");
  if (!form) return;
  event.preventDefault();
  send(form, event.submitter ?? form.querySelector("button"));
});
