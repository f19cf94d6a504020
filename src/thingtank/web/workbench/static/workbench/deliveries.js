// The delivery log follows what happens, as long as its first page is looked at.
import { refresh } from "./refresh.js";

const QUICK_MS = 2000; // while something waits
const SLOW_MS = 10_000;

function isBusy() {
  // Not under somebody's hands, nor behind a dialog, nor in another tab.
  return document.hidden || document.querySelector("dialog[open]") || document.querySelector("#delivery-log :focus");
}

function next() {
  const hasWaiting = document.querySelector(".delivery--waiting") !== null;
  setTimeout(async () => {
    if (!isBusy() && document.querySelector("[data-follow]")) await refresh();
    next();
  }, hasWaiting ? QUICK_MS : SLOW_MS);
}

next();
