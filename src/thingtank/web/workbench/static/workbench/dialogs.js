// Links with data-dialog open the form behind them over the page. Without scripts, or when
// something fails, they are ordinary links to a page with the same form.
import { takeNotices } from "./notices.js";
import { applyPage } from "./refresh.js";
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
    dialog.addEventListener("close", () => dialog.replaceChildren());
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

async function post(form) {
  if ("upload" in form.dataset) return send(form);
  const answer = await fetch(form.action, {
    method: "POST",
    body: new FormData(form),
    credentials: "same-origin",
  });
  return { url: answer.url, text: await answer.text(), ok: answer.ok };
}

async function submit(event) {
  const form = event.target;
  event.preventDefault();
  const button = form.querySelector("button:not([type=button])");
  button.disabled = true;
  let answer;
  try {
    answer = await post(form);
  } catch (error) {
    button.disabled = false;
    showProblem(form, wordsOf(error));
    return;
  }
  const { pathname } = new URL(answer.url);
  const isRedirected = pathname !== new URL(form.action).pathname;
  if (isRedirected && pathname !== location.pathname) {
    location.assign(answer.url);
    return;
  }
  const fresh = parse(answer.text);
  if (isRedirected) {
    dialog.close();
    applyPage(fresh);
    takeNotices(fresh);
    return;
  }
  const sheet = fresh.getElementById("sheet");
  if (sheet) show(sheet);
  else location.reload();
}

export function startDialogs() {
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
