// The current values that a page shows beside its charts.
import { setMoment } from "./moments.js";

const FLASH_MS = 1500;

/** The article of a channel. */
export function articleOf(name) {
  return document.querySelector(`#channels > [data-key="${CSS.escape(name)}"]`);
}

/** Show a value, unless a newer one is shown. */
export function showValue(article, update, isNews) {
  const value = article.querySelector("[data-value]");
  const age = article.querySelector("[data-age]");
  let time = age.querySelector("time");
  if (time && Number(time.dataset.atMs) > update.at_ms) return;
  if (!time) {
    time = document.createElement("time");
    time.dataset.moment = "age";
    age.replaceChildren(time);
  }
  setMoment(time, update.at_ms);
  value.textContent = update.value;
  value.parentElement.classList.toggle("channel__value--text", !isNumber(update.value));
  if (isNews) flash(value);
}

function isNumber(text) {
  return text.trim() !== "" && Number.isFinite(Number(text));
}

const flashedMs = new WeakMap(); // element → when last

function flash(element) {
  const nowMs = performance.now();
  // What changes ten times a second would only blink, and each start has the page laid out anew.
  if (nowMs - (flashedMs.get(element) ?? -Infinity) < FLASH_MS) return;
  flashedMs.set(element, nowMs);
  element.classList.remove("is-fresh");
  void element.offsetWidth; // restarts the animation
  element.classList.add("is-fresh");
}

/** Whether the page has not yet heard of channels that came or went before its stream began. */
export function isBehind(names) {
  const shown = [...document.querySelectorAll("#channels > [data-key]")];
  const known = new Set(names);
  return shown.length !== known.size || shown.some((article) => !known.has(article.dataset.key));
}
