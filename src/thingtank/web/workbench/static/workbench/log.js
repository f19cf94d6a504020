// The page of the request log: rows as they are answered.
import { RequestLog } from "./request_log.js";
import { Stream } from "./stream.js";

const ROWS_MAX = 200;

const page = document.getElementById("log-page");
const skipped = document.getElementById("skipped");
const log = new RequestLog(document.getElementById("request-log"), ROWS_MAX);

function showSkipped(count) {
  skipped.hidden = count === 0;
  skipped.textContent = `${count} more came at the same time and are not shown.`;
}

const stream = new Stream(page.dataset.liveUrl, document.getElementById("stream-state"), {
  hello: (body) => log.take([...body.rows].reverse()),
  requests(body) {
    log.take(body.rows);
    showSkipped(log.isPaused ? 0 : body.skipped);
  },
  gone: () => location.reload(),
});
stream.start();
