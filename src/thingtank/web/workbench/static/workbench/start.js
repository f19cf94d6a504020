// The weather simulator's part of a page: its state, told every second while it runs.
import { ageOf } from "./moments.js";
import { refresh } from "./refresh.js";
import { Stream } from "./stream.js";

let stream = null;

const panel = () => document.getElementById("simulator");

function show(state) {
  const shown = panel();
  if (!shown) return;
  const isOther = (shown.dataset.running === "1") !== state.is_running || Number(shown.dataset.feedId) !== state.feed_id;
  const isFirst = shown.dataset.reported === "0" && state.report_count > 0;
  if (isOther || isFirst) {
    refresh(); // another button, another device, or the first step is done
    if (isOther) return;
    shown.dataset.reported = "1";
  }
  for (const place of shown.querySelectorAll("[data-reading]")) {
    place.textContent = state.values[place.dataset.reading] ?? "–";
  }
  const put = (part, text) => {
    const place = shown.querySelector(`[data-part="${part}"]`);
    if (place) place.textContent = text;
    return place;
  };
  put("count", state.report_count);
  put("ago", state.at_ms ? `, the newest ${ageOf(state.at_ms)}` : "");
  const problem = put("problem", state.problem);
  if (problem) problem.hidden = !state.problem;
}

/** Listen while it runs: who only looks at a stopped one needs no connection. */
function follow() {
  stream?.stop();
  stream = null;
  const shown = panel();
  if (shown?.dataset.running !== "1") return;
  stream = new Stream(shown.dataset.liveUrl, shown.querySelector(".stream-state"), {
    hello: show,
    overview: show,
    gone: () => location.reload(),
  });
  stream.start();
}

document.addEventListener("refreshed", () => {
  // The panel may be another element now, with a place of its own for the connection's state.
  if (panel() && !panel().dataset.isFollowed) start();
});

function start() {
  panel().dataset.isFollowed = "1";
  follow();
}

if (panel()) start();
