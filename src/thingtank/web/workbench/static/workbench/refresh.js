// Brings a page up to date with what the server would now render, without losing charts, focus or
// scroll position. Elements with data-panel are replaced as a whole; those with data-list are
// merged by their children's data-key, and what has data-keep in them stays.

// Panel → the markup it came from, as scripts change it: what comes again unchanged is left alone.
const shown = new WeakMap();
for (const panel of document.querySelectorAll("[data-panel]")) shown.set(panel, markupOf(panel));

function focusAgain(panel, old) {
  const { id, href } = old;
  const same = [...panel.querySelectorAll("a, button")].find(
    (element) => (id && element.id === id) || (href && element.href === href),
  );
  // What was in use is gone, such as the last button of a row: not back to the top of the page.
  (same ?? document.getElementById("main")).focus({ preventScroll: true });
}

/** A panel's markup without what differs each time it is made. */
function markupOf(panel) {
  return panel.outerHTML.replaceAll(/name="csrfmiddlewaretoken" value="[^"]*"/g, "");
}

function replacePanels(fresh) {
  for (const panel of document.querySelectorAll("[data-panel]")) {
    const other = fresh.getElementById(panel.id);
    if (!other) continue;
    const markup = markupOf(other);
    if (markup !== shown.get(panel)) {
      const copy = document.importNode(other, true);
      shown.set(copy, markup);
      const focused = panel.contains(document.activeElement) ? document.activeElement : null;
      panel.replaceWith(copy);
      if (focused) focusAgain(copy, focused);
    }
  }
}

function mergeLists(fresh) {
  for (const list of document.querySelectorAll("[data-list]")) {
    const other = fresh.getElementById(list.id);
    if (!other) continue;
    const present = new Map([...list.children].map((child) => [child.dataset.key, child]));
    const merged = [...other.children].map((child) => {
      const copy = document.importNode(child, true);
      const old = present.get(child.dataset.key);
      if (!old) return copy;
      old.dataset.unit = copy.dataset.unit ?? "";
      for (const part of [...old.children]) if (!("keep" in part.dataset)) part.remove();
      for (const part of [...copy.children].reverse()) {
        if (!("keep" in part.dataset)) old.prepend(part);
      }
      return old;
    });
    for (const child of [...list.children]) if (!merged.includes(child)) child.remove();
    merged.forEach((child, index) => {
      if (list.children[index] !== child) list.insertBefore(child, list.children[index] ?? null);
    });
  }
}

/** Take the state of another rendering of this page. */
export function applyPage(fresh) {
  replacePanels(fresh);
  mergeLists(fresh);
  document.title = fresh.title;
  document.dispatchEvent(new CustomEvent("refreshed"));
}

const RETRY_MS = 3000; // after an answer that is no page: the server is busy, or its disk is full

let running = null;
let isWantedAgain = false;
let retry = 0;

async function fetchPage() {
  document.dispatchEvent(new CustomEvent("refreshing")); // what comes from now on may be newer
  const answer = await fetch(location.pathname + location.search, { credentials: "same-origin" });
  if (answer.redirected || answer.status === 404) {
    location.reload(); // signed out, or gone: the server says which
    return;
  }
  if (!answer.ok) {
    clearTimeout(retry);
    retry = setTimeout(refresh, RETRY_MS);
    return;
  }
  applyPage(new DOMParser().parseFromString(await answer.text(), "text/html"));
}

/** Fetch this page anew and apply it; calls while one runs lead to one more. */
export async function refresh() {
  if (running) {
    isWantedAgain = true;
    return running;
  }
  running = (async () => {
    do {
      isWantedAgain = false;
      await fetchPage().catch(() => undefined); // offline: the stream will call again
    } while (isWantedAgain);
  })();
  await running;
  running = null;
}
