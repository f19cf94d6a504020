// Keys are hidden until their owner asks; then they live in this page's memory only.
import { say } from "./notices.js";

const known = new Map(); // key id → secret
const shown = new Set(); // key ids that are visible now

const HIDDEN = "••••••••••••••••";
const IN_LINE = "••••••••";

/** Ask the server for a key's secret; the form carries the address and the CSRF token. */
export async function secretOf(keyId) {
  if (known.has(keyId)) return known.get(keyId);
  const form = document.querySelector(`form[data-reveal="${CSS.escape(keyId)}"]`);
  const answer = await fetch(form.action, {
    method: "POST",
    body: new FormData(form),
    headers: { Accept: "application/json" },
    credentials: "same-origin",
  });
  if (!answer.ok) throw new Error(`the key was not shown: ${answer.status}`);
  const { secret } = await answer.json();
  known.set(keyId, secret);
  return secret;
}

/** The line in an element with a key filled in. */
export function lineWith(element, secret) {
  return element.dataset.line.replace(IN_LINE, () => secret);
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
    const verb = shown.has(form.dataset.reveal) ? "Hide" : "Show";
    label.textContent = label.textContent.replace(/^(Show|Hide)/, verb);
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
      } catch {
        say("The key could not be shown. Reload the page and try again.");
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
    known.delete(keyId);
    shown.delete(keyId);
    showAll();
  });
}
