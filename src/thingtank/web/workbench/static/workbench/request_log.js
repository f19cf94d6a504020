// The request log: rows of what was asked of this feed, newest first, with details to open.
import { stampOf } from "./moments.js";

const ROWS_MAX = 50;

function pretty(text) {
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text; // cut short, or not JSON
  }
}

export class RequestLog {
  #rows;
  #template;
  #empty;
  #button;
  #label;
  #known = new Set();
  #waiting = [];
  #isPaused = false;

  constructor(element) {
    this.#rows = element.querySelector("#log-rows");
    this.#template = element.querySelector("#log-row");
    this.#empty = element.querySelector("#log-empty");
    this.#button = element.querySelector("#log-pause");
    this.#label = element.querySelector("#log-pause-label");
    this.#button.addEventListener("click", () => this.#toggle());
    const first = JSON.parse(document.getElementById("log-first").textContent);
    this.take(first.reverse());
  }

  /** Show rows, oldest first; those shown already are left out. */
  take(rows) {
    const fresh = rows.filter((row) => !this.#known.has(row.id));
    for (const row of fresh) this.#known.add(row.id);
    if (this.#isPaused) {
      this.#waiting = [...this.#waiting, ...fresh].slice(-ROWS_MAX);
      this.#showLabel();
      return;
    }
    if (fresh.length === 0) return;
    for (const row of fresh.slice(-ROWS_MAX)) this.#rows.prepend(this.#element(row));
    while (this.#rows.children.length > ROWS_MAX) {
      this.#known.delete(this.#rows.lastElementChild.dataset.id);
      this.#rows.lastElementChild.remove();
    }
    this.#empty.hidden = true;
  }

  #toggle() {
    this.#isPaused = !this.#isPaused;
    this.#button.setAttribute("aria-pressed", String(this.#isPaused));
    if (!this.#isPaused) {
      const rows = this.#waiting;
      this.#waiting = [];
      for (const row of rows) this.#known.delete(row.id);
      this.take(rows);
    }
    this.#showLabel();
  }

  #showLabel() {
    const count = this.#waiting.length;
    const news = count ? ` (${count} new)` : "";
    this.#label.textContent = this.#isPaused ? `Resume${news}` : "Pause";
  }

  #element(row) {
    const item = this.#template.content.firstElementChild.cloneNode(true);
    item.dataset.id = row.id;
    const put = (part, text) => {
      item.querySelector(`[data-part="${part}"]`).textContent = text;
      const line = item.querySelector(`[data-row="${part}"]`);
      if (line) line.hidden = !text;
    };
    put("status", row.status);
    put("method", row.method);
    put("what", row.what);
    put("time", stampOf(row.at_ms));
    item.querySelector("time").dateTime = new Date(row.at_ms).toISOString();
    put("reason", row.reason);
    put("path", row.path);
    put("took", `${row.duration_ms.toFixed(1)} ms by ${row.door}`);
    put("from", [row.address, row.user_agent].filter(Boolean).join(", "));
    put("request_body", pretty(row.request_body));
    put("response_body", pretty(row.response_body));
    const kind = row.status < 400 ? "good" : row.status < 500 ? "refused" : "failed";
    item.classList.add(`log__item--${kind}`);
    return item;
  }
}
