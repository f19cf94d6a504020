// Times in the reader's own zone, and ages that tick.

const UNITS = [
  [60, "s"],
  [60, "min"],
  [24, "h"],
  [30.44, "d"],
  [12, "months"],
];

/** How long ago, short: "just now", "12 s ago", "3 h ago". */
export function ageOf(atMs, nowMs = Date.now()) {
  let age = Math.round((nowMs - atMs) / 1000);
  if (age < -60) return clockOf(atMs, true); // a device's clock may run ahead
  if (age < 2) return "just now";
  for (const [size, unit] of UNITS) {
    if (age < size) return `${Math.floor(age)} ${age < 2 && unit === "months" ? "month" : unit} ago`;
    age /= size;
  }
  return age < 2 ? "1 year ago" : `${Math.floor(age)} years ago`;
}

const two = (number) => String(number).padStart(2, "0");

/** Time of day with the zone's offset, as the request log shows it: 14:50:12+0530. */
export function stampOf(atMs) {
  const at = new Date(atMs);
  const offset = -at.getTimezoneOffset();
  const sign = offset < 0 ? "-" : "+";
  const size = Math.abs(offset);
  const clock = [at.getHours(), at.getMinutes(), at.getSeconds()].map(two).join(":");
  return `${clock}${sign}${two(Math.floor(size / 60))}${two(size % 60)}`;
}

/** Date and time of day in the reader's zone. */
export function clockOf(atMs, withSeconds = false) {
  return new Date(atMs).toLocaleString("en-GB", {
    day: "numeric",
    month: "short",
    year: "numeric",
    hour: "2-digit",
    minute: "2-digit",
    ...(withSeconds ? { second: "2-digit" } : {}),
  });
}

/** How long until then, short: "now", "in 12 s", "in 3 h". */
export function untilOf(atMs, nowMs = Date.now()) {
  let left = Math.round((atMs - nowMs) / 1000);
  if (left < 1) return "now";
  for (const [size, unit] of UNITS) {
    if (left < size) return `in ${Math.floor(left)} ${left < 2 && unit === "months" ? "month" : unit}`;
    left /= size;
  }
  return clockOf(atMs);
}

const STYLES = {
  age: ageOf,
  due: untilOf,
  clock: (atMs) => clockOf(atMs, true),
  date: (atMs) => clockOf(atMs),
};

function show(element, nowMs) {
  const atMs = Number(element.dataset.atMs);
  const style = element.dataset.moment;
  const text = (STYLES[style] ?? STYLES.date)(atMs, nowMs);
  if (element.textContent !== text) element.textContent = text;
  if ((style === "age" || style === "due") && !element.title) element.title = clockOf(atMs, true);
}

/** Make an element show another moment. */
export function setMoment(element, atMs) {
  element.dataset.atMs = String(atMs);
  element.dateTime = new Date(atMs).toISOString();
  element.title = clockOf(atMs, true);
  show(element, Date.now());
}

export function showMoments() {
  const nowMs = Date.now();
  for (const element of document.querySelectorAll("[data-moment]")) show(element, nowMs);
}

export function startMoments() {
  showMoments();
  document.addEventListener("refreshed", showMoments);
  document.addEventListener("sheetshown", showMoments);
  setInterval(() => document.hidden || showMoments(), 1000);
}
