// The ways to connect a device: one of them is shown, and the page says why somebody was refused.
import { setMoment } from "./moments.js";
import { remember, remembered } from "./tab_memory.js";

const CHOICE = "thingtank-way"; // as one device after the other is connected

export function startConnecting() {
  const ways = document.getElementById("ways");
  if (!ways) return;
  const isAsked = new URLSearchParams(location.search).has("with");
  const known = isAsked ? null : ways.querySelector(`input[value="${CSS.escape(remembered(CHOICE) ?? "")}"]`);
  if (known) known.checked = true;
  ways.addEventListener("change", (event) => remember(CHOICE, event.target.value));
}

/** Whether the device has said nothing yet, as far as the page knows. */
export function isWaiting() {
  return document.getElementById("waiting")?.childElementCount > 0;
}

/** Say why the newest of some requests, oldest first, was refused. */
export function showRefused(rows) {
  const row = rows.findLast((each) => each.reason);
  const place = document.getElementById("refused");
  if (!row || !place) return;
  const time = document.createElement("time");
  time.dataset.moment = "age";
  setMoment(time, row.at_ms);
  place.querySelector('[data-part="age"]').replaceChildren(time);
  place.querySelector('[data-part="reason"]').textContent = row.reason;
  place.querySelector('[data-part="facts"]').textContent = `(${row.method} by ${row.door}, ${row.status})`;
  place.hidden = false;
}
