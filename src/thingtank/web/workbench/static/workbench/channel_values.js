// The current values that a page shows beside its charts.
import { flash } from "./flash.js";
import { setMoment } from "./moments.js";

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

/** Whether the page has not yet heard of channels that came or went before its stream began. */
export function isBehind(names) {
  const shown = [...document.querySelectorAll("#channels > [data-key]")];
  const known = new Set(names);
  return shown.length !== known.size || shown.some((article) => !known.has(article.dataset.key));
}
