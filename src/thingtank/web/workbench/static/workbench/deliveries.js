// The delivery log follows what happens, as long as its first page is looked at.
import { refresh } from "./refresh.js";

const QUICK_MS = 2000; // while something waits
const SLOW_MS = 10_000;

function isBusy() {
  return document.hidden || document.querySelector("dialog[open]");
}

function next() {
  const hasWaiting = document.querySelector(".delivery--waiting") !== null;
  setTimeout(async () => {
    if (!isBusy() && document.querySelector("[data-follow]")) await refresh();
    next();
  }, hasWaiting ? QUICK_MS : SLOW_MS);
}

next();
