// The pages of sinks follow what happens, but for older pages of dead letters.
import { refresh } from "./refresh.js";

const INTERVAL_MS = 2000;

function next() {
  setTimeout(async () => {
    const isBusy = document.hidden || document.querySelector("dialog[open]");
    if (!isBusy && document.querySelector("[data-follow]")) await refresh();
    next();
  }, INTERVAL_MS);
}

next();
