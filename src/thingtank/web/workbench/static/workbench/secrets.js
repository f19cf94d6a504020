// Keys are hidden until their owner asks; then they live in this page's memory only.
import { say } from "./notices.js";
import { refresh } from "./refresh.js";

const known = new Map(); // key id → secret
const shown = new Set(); // key ids that are visible now

const NOT_SHOWN = "The key could not be shown. Reload the page and try again.";
const HIDDEN = "••••••••••••••••";
const IN_LINE = "••••••••";

/**
 * Ask the server for a key's secret; the form carries the address and the CSRF token.
 *
 * @param isNewest whether one that was shown before may be another by now, where the form says so.
 */
export async function secretOf(keyId, isNewest = false) {
  const form = document.querySelector(`form[data-reveal="${CSS.escape(keyId)}"]`);
  if (known.has(keyId) && !(isNewest && "revealAgain" in form.dataset)) return known.get(keyId);
  const answer = await fetch(form.action, {
    method: "POST",
    body: new FormData(form),
    headers: { Accept: "application/json" },
    credentials: "same-origin",
  });
  if (!answer.ok) {
    const body = await answer.json().catch(() => ({}));
    throw new Error(body.problem ? `There is none: ${body.problem}.` : NOT_SHOWN);
  }
  const { secret } = await answer.json();
  const isNew = known.get(keyId) !== secret;
  known.set(keyId, secret);
  if (isNew && "makes" in form.dataset) refresh(); // it may be among the page's keys or tokens now
  return secret;
}

const lines = new WeakMap(); // element → its text as the server made it

/** The text in an element with a key filled in. */
export function lineWith(element, secret) {
  if (!lines.has(element)) lines.set(element, element.textContent);
  return lines.get(element).replaceAll(IN_LINE, () => secret);
}

function showAll() {
  for (const element of document.querySelectorAll("[data-secret]")) {
    const keyId = element.dataset.secret;
    element.textContent = shown.has(keyId) ? known.get(keyId) : HIDDEN;
  }
  for (const element of document.querySelectorAll("[data-secret-in]")) {
    const keyId = element.dataset.secretIn;
    element.textContent = lineWith(element, shown.has(keyId) ? known.get(keyId) : IN_LINE);
  }
  for (const form of document.querySelectorAll("form[data-reveal]")) {
    const label = form.querySelector("[data-reveal-label]");
    const { unmade } = label.dataset; // of one that is made when it is asked for
    const keyId = form.dataset.reveal;
    const verb = shown.has(keyId) ? "Hide" : unmade && !known.has(keyId) ? unmade : "Show";
    label.textContent = label.textContent.replace(/^(Show|Hide|Make a)/, verb);
  }
}

export function startSecrets() {
  document.addEventListener("submit", async (event) => {
    const keyId = event.target.dataset?.reveal;
    if (keyId === undefined) return;
    event.preventDefault();
    if (shown.has(keyId)) {
      shown.delete(keyId);
    } else {
      try {
        await secretOf(keyId);
      } catch (error) {
        say(error instanceof TypeError ? NOT_SHOWN : error.message); // the former is the network's
        return;
      }
      shown.add(keyId);
    }
    showAll();
  });
  document.addEventListener("refreshed", showAll);
  document.addEventListener("sheetshown", ({ detail: sheet }) => {
    const keyId = sheet.dataset.newSecret;
    if (keyId === undefined) return;
    // The one that this page may remember is dead.
    for (const dead of [keyId, "key"]) {
      known.delete(dead);
      shown.delete(dead);
    }
    showAll();
  });
  document.querySelector("form[data-reveal-now]")?.requestSubmit();
}
