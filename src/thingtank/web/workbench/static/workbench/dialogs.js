// Links with data-dialog open the form behind them over the page. Without scripts, or when
// something fails, they are ordinary links to a page with the same form.
import { say, takeNotices } from "./notices.js";
import { applyPage, refresh } from "./refresh.js";
import { send, showProblem, wordsOf } from "./upload.js";

let dialog = null;

function parse(text) {
  return new DOMParser().parseFromString(text, "text/html");
}

function show(sheet) {
  const copy = document.importNode(sheet, true);
  if (!dialog) {
    dialog = document.createElement("dialog");
    dialog.className = "dialog";
    dialog.setAttribute("aria-labelledby", "sheet-title");
    dialog.addEventListener("close", () => {
      dialog.replaceChildren();
      document.dispatchEvent(new CustomEvent("sheetclosed"));
    });
    dialog.addEventListener("click", (event) => {
      if (event.target === dialog || event.target.closest("[data-cancel]")) {
        event.preventDefault();
        dialog.close();
      }
    });
    dialog.addEventListener("submit", submit);
    document.body.append(dialog);
  }
  dialog.replaceChildren(copy);
  if (!dialog.open) dialog.showModal();
  const wrong = copy.querySelector("[aria-invalid=true]");
  const first = copy.querySelector("input:not([type=hidden]), textarea, select, button");
  (wrong ?? first)?.focus();
  document.dispatchEvent(new CustomEvent("sheetshown", { detail: copy }));
}

async function open(address) {
  try {
    const answer = await fetch(address, { credentials: "same-origin" });
    const sheet = answer.ok && !answer.redirected && parse(await answer.text()).getElementById("sheet");
    if (sheet) {
      show(sheet);
      return;
    }
  } catch {
    // Offline: the browser's own page says so better.
  }
  location.assign(address);
}

async function post(form, body) {
  if ("upload" in form.dataset) return send(form);
  const answer = await fetch(form.action, { method: "POST", body, credentials: "same-origin" });
  return { url: answer.url, text: await answer.text(), ok: answer.ok };
}

async function submit(event) {
  const form = event.target;
  if (form.method === "get") {
    dialog.close(); // a download: the browser takes it from here
    return;
  }
  event.preventDefault();
  const button = form.querySelector("button:not([type=button])");
  button.disabled = true;
  const body = new FormData(form);
  if (body.has("back")) body.set("back", location.pathname + location.search);
  let answer;
  try {
    answer = await post(form, body);
  } catch (error) {
    button.disabled = false;
    showProblem(form, wordsOf(error));
    return;
  }
  const address = new URL(answer.url);
  const isRedirected = address.pathname !== new URL(form.action).pathname;
  if (isRedirected && address.pathname !== location.pathname) {
    location.assign(answer.url);
    return;
  }
  const fresh = parse(answer.text);
  if (isRedirected) {
    dialog.close();
    await takeAnswer(address, fresh);
    return;
  }
  const sheet = fresh.getElementById("sheet");
  if (sheet) show(sheet);
  else location.reload();
}

/** Show what a form led to: this page again, perhaps without the query that it has here. */
async function takeAnswer(address, fresh) {
  address.searchParams.delete("done");
  if (address.search === location.search) applyPage(fresh);
  else await refresh();
  takeNotices(fresh);
}

/** Send a form that stands in the page, and bring the page up to date where it leads back here. */
async function sendInPlace(form, button) {
  if (button.ariaDisabled) return; // one that is disabled would lose the focus
  const body = new FormData(form);
  button.ariaDisabled = "true";
  try {
    const answer = await fetch(form.action, { method: "POST", body, credentials: "same-origin" });
    const address = new URL(answer.url);
    if (!answer.redirected || address.pathname !== location.pathname) {
      location.assign(answer.redirected ? answer.url : location.href);
      return;
    }
    await takeAnswer(address, parse(await answer.text()));
  } catch {
    say("The server cannot be reached. Nothing was changed.");
  } finally {
    button.ariaDisabled = null;
  }
}

export function startDialogs() {
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (event.defaultPrevented || !form.matches("form[data-inplace]") || form.closest("dialog")) return;
    event.preventDefault();
    sendInPlace(form, event.submitter ?? form.querySelector("button"));
  });
  if (!window.HTMLDialogElement) return;
  document.addEventListener("click", (event) => {
    const link = event.target.closest("a[data-dialog]");
    const isPlain = !event.metaKey && !event.ctrlKey && !event.shiftKey && event.button === 0;
    if (link && isPlain) {
      event.preventDefault();
      open(link.href);
    }
  });
}
