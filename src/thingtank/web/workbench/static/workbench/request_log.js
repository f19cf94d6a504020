// The request log: rows of what was asked, newest first, with details to open. All is shown as text.
import { stampOf } from "./moments.js";

const SECRETS_NOTE = "$KEY and $TOKEN stand for the secrets, which are not kept.";

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
  #marks;
  #rowsMax;
  #known = new Set();
  #waiting = [];
  #waitingCount = 0;
  #isPaused = false;

  constructor(element, rowsMax = 50) {
    this.#rowsMax = rowsMax;
    this.#rows = element.querySelector("#log-rows");
    this.#template = element.querySelector("#log-row");
    this.#empty = element.querySelector("#log-empty");
    this.#button = document.getElementById("log-pause");
    this.#label = document.getElementById("log-pause-label");
    this.#marks = Object.entries(JSON.parse(document.getElementById("log-marks").textContent));
    this.#button.addEventListener("click", () => this.#toggle());
    const first = JSON.parse(document.getElementById("log-first").textContent);
    this.take(first.reverse());
  }

  get isPaused() {
    return this.#isPaused;
  }

  /** Show rows, oldest first; those shown already are left out. */
  take(rows) {
    const fresh = rows.filter((row) => !this.#known.has(row.id));
    if (this.#isPaused) {
      this.#waitingCount += fresh.length;
      this.#waiting = [...this.#waiting, ...fresh].slice(-this.#rowsMax);
      this.#showLabel();
    } else {
      this.#show(fresh);
    }
    this.#remember();
  }

  /** Keep the ids of what is here, and no others: a page may stay open for days. */
  #remember() {
    const shown = [...this.#rows.children].map((item) => item.dataset.id);
    this.#known = new Set([...shown, ...this.#waiting.map((row) => row.id)]);
  }

  #show(fresh) {
    if (fresh.length === 0) return;
    for (const row of fresh.slice(-this.#rowsMax)) this.#rows.prepend(this.#element(row));
    while (this.#rows.children.length > this.#rowsMax) this.#rows.lastElementChild.remove();
    this.#empty.hidden = true;
  }

  #toggle() {
    this.#isPaused = !this.#isPaused;
    this.#button.setAttribute("aria-pressed", String(this.#isPaused));
    if (!this.#isPaused) {
      this.#show(this.#waiting);
      this.#waiting = [];
      this.#waitingCount = 0;
    }
    this.#showLabel();
  }

  #showLabel() {
    const count = this.#waitingCount;
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
    put("answer", row.outcome.split(" ")[0]);
    put("method", row.method);
    put("what", row.what);
    put("why", row.reason);
    put("by", row.who);
    put("device", row.device);
    put("time", stampOf(row.at_ms));
    item.querySelector("time").dateTime = new Date(row.at_ms).toISOString();
    put("reason", row.reason);
    put("path_name", row.path_name);
    put("path", row.path);
    put("outcome", row.outcome);
    put("who", row.who);
    put("took", row.duration_ms ? `${row.door}, ${row.duration_ms.toFixed(1)} ms` : row.door);
    put("from", [row.address, row.user_agent].filter(Boolean).join(", "));
    put("fields_name", row.fields_name);
    put("fields", row.fields.map(([name, value]) => `${name}: ${value}`).join("\n"));
    put("request_body", pretty(row.request_body));
    put("response_body", pretty(row.response_body));
    this.#putCommand(item, row, put);
    put("link", row.device);
    item.querySelector('[data-part="link"]').href = `/feeds/${row.feed_id}`;
    item.classList.add(`log__item--${row.kind}`);
    return item;
  }

  #putCommand(item, row, put) {
    let command = row.command;
    for (const [mark, text] of this.#marks) command = command.replaceAll(mark, text);
    put("command", command);
    put("command_name", `Copy as ${command.split(" ")[0]}`);
    const place = item.querySelector('[data-part="command"]');
    place.id = `command-${row.id}`;
    place.title = SECRETS_NOTE;
    item.querySelector("[data-copy]").dataset.copy = place.id;
  }
}
