// A value that has just come is marked for a moment.

const FLASH_MS = 1500;

const flashedMs = new WeakMap(); // element → when last

export function flash(element) {
  const nowMs = performance.now();
  // What changes ten times a second would only blink, and each start has the page laid out anew.
  if (nowMs - (flashedMs.get(element) ?? -Infinity) < FLASH_MS) return;
  flashedMs.set(element, nowMs);
  element.classList.remove("is-fresh");
  void element.offsetWidth; // restarts the animation
  element.classList.add("is-fresh");
}
