// The wall: one stream for all its charts.
import { articleOf, isBehind, showValue } from "./channel_values.js";
import { Charts } from "./charts.js";
import { refresh } from "./refresh.js";
import { Stream } from "./stream.js";

const state = document.getElementById("stream-state");
const charts = new Charts(
  document.getElementById("channels"), document.getElementById("ranges"), document.getElementById("chart-tools"),
);

/** Values of channels that the page has; those beyond its last chart are not shown. */
function take(values, isNews) {
  for (const [key, update] of Object.entries(values)) {
    const article = articleOf(key);
    if (!article) continue;
    showValue(article, update, isNews);
    charts.take(article, update);
  }
}

const stream = new Stream(state.dataset.liveUrl, state, {
  hello(body, isFirst) {
    take(body.values, false);
    if (!isFirst || isBehind(body.channels)) refresh();
    if (!isFirst) charts.reload();
  },
  values: (body) => take(body, true),
  device: () => refresh(),
  reload() {
    refresh();
    charts.reload();
  },
});

document.addEventListener("refreshed", () => charts.adopt());
stream.start();
