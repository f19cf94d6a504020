// "Try on history": when a trigger would have fired, as marks on its channel's chart and as a list.
import { number } from "./labels.js";
import { clockOf } from "./moments.js";
import { bandOptions, padded, style } from "./plots.js";

const HEIGHT_PX = 190;
const PAGES_MAX = 20; // of a million datapoints, or a thousand firings, each
const LISTED_MAX = 200;
const MARK_PX = 3; // marks that are nearer than that are one
const FLAG_PX = 5;
const KINDS_WITH_LINE = ["gt", "gte", "lt", "lte", "eq"];

const count = new Intl.NumberFormat("en");

class Backtest {
  #panel;
  #form;
  #button;
  #plot = null;
  #request = null;
  #data = null; // at, highest, lowest, mean
  #marks = []; // at, ascending
  #lines = []; // values of the threshold and of where it ends
  #range = [0, 1];
  #sized;

  constructor(panel) {
    this.#panel = panel;
    this.#form = panel.closest("form");
    this.#button = panel.querySelector("[data-backtest-run]");
    this.#sized = new ResizeObserver(() => this.#resize());
    this.#sized.observe(this.#part("chart"));
    this.#form.addEventListener("input", (event) => this.#noteChange(event));
  }

  #part(name) {
    return this.#panel.querySelector(`[data-backtest="${name}"]`);
  }

  get hasRun() {
    return this.#data !== null;
  }

  /** Run, or stop what runs. */
  toggle() {
    if (this.#request) this.#request.abort();
    else this.run();
  }

  async run() {
    this.#request?.abort();
    const request = new AbortController();
    this.#request = request;
    this.#begin();
    const found = { firings: [], datapointCount: 0, isComplete: false };
    try {
      const form = new FormData(this.#form);
      const chart = this.#loadChart(form, request.signal).catch(() => null);
      await this.#ask(form, found, request.signal, chart);
      this.#finish(found, form);
    } catch (error) {
      if (error.name === "AbortError" && this.#request !== request) return; // another one runs
      if (error.name === "AbortError") this.#finish(found, new FormData(this.#form));
      else this.#fail(error.isRefusal ? error.message : "The server cannot be reached. Try again.");
    } finally {
      if (this.#request === request) this.#end();
    }
  }

  #begin() {
    this.#panel.dataset.state = "running";
    this.#button.querySelector("[data-label]").textContent = "Stop";
    this.#part("progress").hidden = false;
    this.#part("progress").removeAttribute("value");
    this.#part("stale").hidden = true;
    this.#say("Looking through what was recorded…");
  }

  #end() {
    this.#request = null;
    this.#panel.dataset.state = "done";
    this.#button.querySelector("[data-label]").textContent = "Try again";
    this.#part("progress").hidden = true;
  }

  async #loadChart(form, signal) {
    const { charts, channel } = this.#panel.dataset;
    const name = channel ?? form.get("channel");
    const width = Math.max(100, Math.round(this.#part("chart").clientWidth || this.#panel.clientWidth));
    const address = `${charts}${encodeURIComponent(name)}/chart?range=${form.get("range")}&width=${width}`;
    const answer = await fetch(address, { signal, credentials: "same-origin" });
    if (!answer.ok) return null;
    return answer.json();
  }

  async #ask(form, found, signal, chartAnswer) {
    for (let page = 0; page < PAGES_MAX && !found.isComplete; page += 1) {
      const answer = await fetch(this.#panel.dataset.address, {
        method: "POST", body: form, signal, credentials: "same-origin",
      });
      if (answer.status === 400) throw refusal((await answer.json()).errors.join(" "));
      if (!answer.ok) throw refusal("The server is too busy for it at the moment. Try again, or choose a shorter range.");
      const part = await answer.json();
      found.firings.push(...part.firings);
      found.datapointCount += part.datapoint_count;
      found.isComplete = part.is_complete;
      for (const name of ["start_us", "end_us", "next_us"]) form.set(name, part[name]);
      this.#range = [part.start_us / 1e6, part.end_us / 1e6];
      this.#part("progress").value = (part.next_us - part.start_us) / (part.end_us - part.start_us);
      if (page === 0) {
        const chart = await chartAnswer;
        this.#data = chart ? [chart.at_s, chart.maximum, chart.minimum, chart.mean] : [[], [], [], []];
      }
      this.#marks = found.firings.map(([atS]) => atS);
      this.#lines = this.#linesOf(form);
      this.#draw();
    }
  }

  #linesOf(form) {
    const { kind, threshold, clear } = this.#panel.dataset;
    if (!KINDS_WITH_LINE.includes(kind ?? form.get("kind"))) return [];
    const texts = [threshold ?? form.get("threshold"), clear ?? form.get("clear_value")];
    return texts.filter((text) => text?.trim() && Number.isFinite(Number(text))).map(Number);
  }

  #finish(found, form) {
    const times = found.firings.length;
    const range = this.#panel.querySelector(`input[value="${CSS.escape(form.get("range"))}"] ~ .visually-hidden`);
    const within = range ? ` in the last ${range.textContent.replace(/^1 /, "")}` : "";
    const looked = `${count.format(found.datapointCount)} ${found.datapointCount === 1 ? "value" : "values"} looked at`;
    let text;
    if (!found.datapointCount && !times) text = `Nothing was recorded${within}. Choose a longer range.`;
    else if (!times) text = `Would not have fired${within}. ${looked}.`;
    else text = `Would have fired ${count.format(times)} ${times === 1 ? "time" : "times"}${within}. ${looked}.`;
    if (!found.isComplete) text += " Not all of the range was looked at: choose a shorter one.";
    this.#say(text);
    this.#panel.dataset.firings = String(times);
    this.#list(found.firings);
  }

  #list(firings) {
    const list = this.#part("list");
    const unit = this.#panel.dataset.unit ?? this.#form.querySelector("[data-unit]")?.textContent ?? "";
    const rows = firings.slice(-LISTED_MAX).reverse().map(([atS, value]) => {
      const item = document.createElement("li");
      const time = Object.assign(document.createElement("time"), {
        textContent: clockOf(atS * 1000, true), dateTime: new Date(atS * 1000).toISOString(),
      });
      const shown = value === null ? "" : `${value}${isNumber(value) && unit ? ` ${unit}` : ""}`;
      item.append(time, Object.assign(document.createElement("span"), { textContent: shown }));
      return item;
    });
    list.replaceChildren(...rows);
    list.hidden = rows.length === 0;
    const more = firings.length - rows.length;
    this.#part("more").hidden = more === 0;
    this.#part("more").textContent = more ? `and ${count.format(more)} before these` : "";
  }

  #say(text, isWrong = false) {
    const words = this.#part("words");
    words.textContent = text;
    words.classList.toggle("backtest__words--wrong", isWrong);
  }

  /** Say what went wrong; what an earlier try has found would be of another question. */
  #fail(text) {
    this.#say(text, true);
    this.#data = null;
    this.#plot?.destroy();
    this.#plot = null;
    for (const name of ["chart", "list", "more", "stale"]) this.#part(name).hidden = true;
    delete this.#panel.dataset.firings;
  }

  #noteChange(event) {
    if (event.target.name === "range" || ["url", "email"].includes(event.target.name)) return;
    if (this.hasRun) this.#part("stale").hidden = false;
  }

  #draw() {
    const element = this.#part("chart");
    element.hidden = false;
    this.#plot?.destroy();
    const isEmpty = this.#data[0].length === 0;
    const data = isEmpty ? [this.#range, [null, null], [null, null], [null, null]] : this.#data;
    element.replaceChildren();
    const options = bandOptions({
      width: element.clientWidth,
      height: isEmpty ? HEIGHT_PX / 2 : HEIGHT_PX,
      pointPx: data[0].length === 1 ? 10 : 4,
      xRange: () => this.#range,
      yRange: (low, high) => this.#withLines(low, high),
      hooks: { draw: [(plot) => this.#mark(plot)] },
    });
    options.padding[0] = 14; // room for the flags
    options.cursor.show = false;
    options.axes[1].show = !isEmpty;
    this.#plot = new uPlot(options, data, element);
    element.dataset.marks = String(this.#marks.length);
    element.setAttribute("aria-label", this.#label());
  }

  #withLines(low, high) {
    if (low == null) return [0, 1];
    return padded(Math.min(low, ...this.#lines), Math.max(high, ...this.#lines));
  }

  #label() {
    const [at, highest, lowest] = this.#data;
    if (!at.length) return `${this.#marks.length} firings; no numbers in this range`;
    const low = number.format(lowest.reduce((a, b) => Math.min(a, b)));
    const high = number.format(highest.reduce((a, b) => Math.max(a, b)));
    return `Chart from ${low} to ${high} with ${this.#marks.length} firings`;
  }

  #mark(plot) {
    const { ctx, bbox } = plot;
    const ratio = devicePixelRatio;
    ctx.save();
    ctx.strokeStyle = ctx.fillStyle = style("--chart-mark");
    ctx.lineWidth = ratio;
    this.#lines.forEach((value, index) => {
      const y = Math.round(plot.valToPos(value, "y", true));
      ctx.globalAlpha = index === 0 ? 0.9 : 0.5;
      ctx.setLineDash(index === 0 ? [6 * ratio, 4 * ratio] : [2 * ratio, 4 * ratio]);
      stroke(ctx, bbox.left, y, bbox.left + bbox.width, y);
    });
    ctx.setLineDash([]);
    let lastX = -Infinity;
    for (const atS of this.#marks) {
      const x = Math.round(plot.valToPos(atS, "x", true));
      if (x - lastX < MARK_PX * ratio) continue;
      lastX = x;
      ctx.globalAlpha = 0.45;
      stroke(ctx, x, bbox.top, x, bbox.top + bbox.height);
      ctx.globalAlpha = 1;
      flag(ctx, x, bbox.top, FLAG_PX * ratio);
    }
    ctx.restore();
  }

  redraw() {
    if (this.hasRun) this.#draw();
  }

  #resize() {
    const width = this.#part("chart").clientWidth;
    if (this.#plot && width > 0 && width !== this.#plot.width) {
      this.#plot.setSize({ width, height: this.#plot.height });
    }
  }

  close() {
    this.#request?.abort();
    this.#sized.disconnect();
    this.#plot?.destroy();
  }
}

function refusal(text) {
  return Object.assign(new Error(text), { isRefusal: true });
}

function isNumber(text) {
  return text.trim() !== "" && Number.isFinite(Number(text));
}

function stroke(ctx, fromX, fromY, toX, toY) {
  ctx.beginPath();
  ctx.moveTo(fromX, fromY);
  ctx.lineTo(toX, toY);
  ctx.stroke();
}

/** A small triangle that points down to `y`. */
function flag(ctx, x, y, size) {
  ctx.beginPath();
  ctx.moveTo(x - size, y - size * 1.6);
  ctx.lineTo(x + size, y - size * 1.6);
  ctx.lineTo(x, y);
  ctx.fill();
}

const open = new Map(); // panel → Backtest

function of(panel) {
  if (!open.has(panel)) open.set(panel, new Backtest(panel));
  return open.get(panel);
}

function dropClosed() {
  for (const [panel, backtest] of open) {
    if (panel.isConnected) continue;
    backtest.close();
    open.delete(panel);
  }
}

/** Those that show a stored trigger begin by themselves. */
function begin() {
  dropClosed();
  for (const panel of document.querySelectorAll("[data-backtest-starts]")) {
    if (!open.has(panel)) of(panel).run();
  }
}

function redraw() {
  for (const backtest of open.values()) backtest.redraw();
}

export function startBacktests() {
  document.addEventListener("click", (event) => {
    const panel = event.target.closest("[data-backtest-run]")?.closest("[data-address]");
    if (panel) of(panel).toggle();
  });
  document.addEventListener("change", (event) => {
    const panel = event.target.name === "range" && event.target.closest("[data-address]");
    if (panel && open.get(panel)?.hasRun) of(panel).run();
  });
  document.addEventListener("sheetshown", begin);
  document.addEventListener("sheetclosed", dropClosed);
  document.addEventListener("themechange", redraw);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
  begin();
}
