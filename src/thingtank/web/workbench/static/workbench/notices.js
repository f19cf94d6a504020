// Short words after something was done.

const SHOWN_MS = 6000;

function fade(element) {
  setTimeout(() => element.remove(), SHOWN_MS);
}

export function say(text) {
  const element = document.createElement("p");
  element.className = "notice";
  element.textContent = text;
  document.getElementById("notices")?.replaceChildren(element);
  fade(element);
}

/** Show what another document of ours has to say. */
export function takeNotices(other) {
  const found = other.querySelector("[data-notice]");
  if (found) say(found.textContent.trim());
}

export function startNotices() {
  for (const element of document.querySelectorAll("[data-notice]")) fade(element);
  const address = new URL(location.href);
  if (address.searchParams.has("done")) {
    // A reload should not say it again.
    address.searchParams.delete("done");
    history.replaceState(null, "", address);
  }
}
