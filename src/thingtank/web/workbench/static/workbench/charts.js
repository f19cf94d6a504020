// One chart a channel. The server summarizes a range to at most two points a pixel: each step's
// lowest and highest are a band, its mean a line. New values are drawn as they come.
import { timeLabel } from "./labels.js";
import { bandOptions } from "./plots.js";

const HEIGHT_PX = 148;
const RELOAD_MS = 2000; // after values that came late, once
const SCROLL_MS = 5000;
const RANGES_S = { "1h": 3600, "6h": 21600, "1d": 86400, "1w": 604800, "1m": 2592000, "1y": 31536000 };
const STORED_AS = "chart-range";
const POINT_PX = 4;
const LONE_POINT_PX = 10; // without a line it would be a speck
const ROOM = 0.01; // of the range, behind now: the newest point is seen whole

const number = new Intl.NumberFormat("en", { maximumSignificantDigits: 6, useGrouping: false });

class Chart {
  #article;
  #element;
  #readout;
  #plot = null;
  #rangeS = 3600;
  #data = [[], [], [], []]; // at, highest, lowest, mean
  #texts = [];
  #reloading = 0;
  #request = null;
  isVisible = false;
  isStale = true;

  constructor(article) {
    this.#article = article;
    this.#element = article.querySelector("[data-chart]");
    this.#readout = article.querySelector("[data-readout]");
    this.#element.classList.add("is-loading");
  }

  get element() {
    return this.#element;
  }

  async load(rangeName) {
    this.isStale = false;
    this.#rangeS = RANGES_S[rangeName];
    this.#request?.abort();
    this.#request = new AbortController();
    const width = Math.max(100, Math.round(this.#element.clientWidth));
    const address = `${this.#element.dataset.chart}?range=${rangeName}&width=${width}`;
    try {
      const answer = await fetch(address, { signal: this.#request.signal, credentials: "same-origin" });
      if (!answer.ok) throw new Error(String(answer.status));
      const chart = await answer.json();
      this.#data = [chart.at_s, chart.maximum, chart.minimum, chart.mean];
      this.#texts = chart.texts;
      this.show();
    } catch (error) {
      if (error.name !== "AbortError") this.#say("The chart could not be loaded.");
    }
  }

  /** Draw values as they come; late ones have the chart loaded anew. */
  take(update, rangeName) {
    if (this.isStale) return;
    const [at, highest, lowest, mean] = this.#data;
    let isLate = false;
    for (const [atS, value] of update.points) {
      if (at.length && atS <= at.at(-1)) {
        isLate = true;
        continue;
      }
      at.push(atS);
      highest.push(value);
      lowest.push(value);
      mean.push(value);
    }
    const startS = Date.now() / 1000 - this.#rangeS;
    const oldCount = at.findIndex((atS) => atS >= startS);
    if (oldCount > 0) for (const column of this.#data) column.splice(0, oldCount);
    const isFull = at.length > 3 * Math.max(300, this.#element.clientWidth);
    const isText = update.points.length === 0 && update.at_ms > this.#newestTextMs();
    if (isLate || isFull || isText) this.#reloadSoon(rangeName);
    if (update.points.length) this.show();
  }

  #newestTextMs() {
    return this.#texts.length ? this.#texts.at(-1)[0] * 1000 : 0;
  }

  #reloadSoon(rangeName) {
    if (this.#reloading) return;
    this.#reloading = setTimeout(() => {
      this.#reloading = 0;
      this.load(rangeName);
    }, RELOAD_MS);
  }

  show() {
    this.#element.classList.remove("is-loading");
    if (this.#data[0].length) this.#draw();
    else if (this.#texts.length) this.#list();
    else this.#say("Nothing in this range.");
    this.#describe();
  }

  #draw() {
    if (this.#plot) {
      this.#plot.series[3].points.size = this.#pointPx();
      this.#plot.setData(this.#data);
      return;
    }
    this.#element.replaceChildren();
    this.#plot = new uPlot(this.#options(), this.#data, this.#element);
  }

  #pointPx() {
    return this.#data[0].length === 1 ? LONE_POINT_PX : POINT_PX;
  }

  #options() {
    return bandOptions({
      width: this.#element.clientWidth,
      height: HEIGHT_PX,
      pointPx: this.#pointPx(),
      xRange: () => [Date.now() / 1000 - this.#rangeS, Date.now() / 1000 + this.#rangeS * ROOM],
      cursor: { sync: { key: "device" } },
      hooks: { setCursor: [(plot) => this.#read(plot.cursor.idx)] },
    });
  }

  #read(index) {
    const [at, highest, lowest, mean] = this.#data;
    if (index == null || at[index] === undefined) {
      this.#readout.textContent = "";
      return;
    }
    const unit = this.#article.dataset.unit;
    const when = new Date(at[index] * 1000).toLocaleString("en-GB", {
      day: "numeric", month: "short", hour: "2-digit", minute: "2-digit", second: "2-digit",
    });
    const span = highest[index] > lowest[index]
      ? ` (${number.format(lowest[index])} to ${number.format(highest[index])})`
      : "";
    this.#readout.textContent = `${number.format(mean[index])} ${unit}${span} · ${when}`;
  }

  #list() {
    this.#drop();
    const list = document.createElement("ol");
    list.className = "texts";
    for (const [atS, text] of this.#texts.slice(-5).reverse()) {
      const item = document.createElement("li");
      const time = document.createElement("time");
      time.textContent = timeLabel(atS, 1);
      item.append(time, Object.assign(document.createElement("span"), { textContent: text }));
      list.append(item);
    }
    this.#element.replaceChildren(list);
  }

  #say(text) {
    this.#drop();
    const words = Object.assign(document.createElement("p"), { textContent: text });
    words.className = "chart__words";
    this.#element.classList.remove("is-loading");
    this.#element.replaceChildren(words);
  }

  #describe() {
    const [at, highest, lowest] = this.#data;
    const name = this.#article.dataset.key;
    let label = `Chart of ${name}, no numbers in this range`;
    if (at.length) {
      const low = number.format(lowest.reduce((a, b) => Math.min(a, b)));
      const high = number.format(highest.reduce((a, b) => Math.max(a, b)));
      label = `Chart of ${name}, from ${low} to ${high} ${this.#article.dataset.unit}`;
    }
    this.#element.setAttribute("aria-label", label);
    this.#element.dataset.points = String(at.length);
  }

  #drop() {
    this.#plot?.destroy();
    this.#plot = null;
  }

  /** Draw anew: other colours. */
  redraw() {
    this.#drop();
    if (!this.isStale) this.show();
  }

  resize() {
    const width = this.#element.clientWidth;
    if (this.#plot && width > 0 && width !== this.#plot.width) {
      this.#plot.setSize({ width, height: HEIGHT_PX });
    }
  }

  /** Move the range along with time. */
  scroll() {
    this.#plot?.setData(this.#data);
  }

  close() {
    this.#request?.abort();
    clearTimeout(this.#reloading);
    this.#drop();
  }
}

export class Charts {
  #list;
  #ranges;
  #charts = new Map(); // article → Chart
  #seen;
  #sized;

  constructor(list, ranges) {
    this.#list = list;
    this.#ranges = ranges;
    this.#seen = new IntersectionObserver((entries) => this.#look(entries), { rootMargin: "200px" });
    this.#sized = new ResizeObserver((entries) => {
      for (const entry of entries) this.#charts.get(entry.target.closest(".channel"))?.resize();
    });
    this.#restore();
    ranges.addEventListener("change", () => this.#choose());
    document.addEventListener("themechange", () => this.#redraw());
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.#redraw());
    setInterval(() => this.#scroll(), SCROLL_MS);
    this.adopt();
  }

  get #range() {
    return this.#ranges.querySelector("input:checked").value;
  }

  #restore() {
    let stored = null;
    try {
      stored = sessionStorage.getItem(STORED_AS);
    } catch {
      // Storage is blocked: start with the first range.
    }
    const input = stored && this.#ranges.querySelector(`input[value="${CSS.escape(stored)}"]`);
    if (input) input.checked = true;
  }

  #choose() {
    try {
      sessionStorage.setItem(STORED_AS, this.#range);
    } catch {
      // Not remembered.
    }
    this.reload();
  }

  /** Make charts for articles that are new, and drop those of articles that are gone. */
  adopt() {
    for (const [article, chart] of this.#charts) {
      if (!article.isConnected) {
        this.#seen.unobserve(article);
        this.#sized.unobserve(chart.element);
        chart.close();
        this.#charts.delete(article);
      }
    }
    for (const article of this.#list.children) {
      if (this.#charts.has(article)) continue;
      const chart = new Chart(article);
      this.#charts.set(article, chart);
      this.#seen.observe(article);
      this.#sized.observe(chart.element);
    }
  }

  #look(entries) {
    for (const entry of entries) {
      const chart = this.#charts.get(entry.target);
      if (!chart) continue;
      chart.isVisible = entry.isIntersecting;
      if (chart.isVisible && chart.isStale) chart.load(this.#range);
    }
  }

  /** Load what is in sight now, and the rest when it comes into sight. */
  reload() {
    for (const chart of this.#charts.values()) {
      chart.isStale = true;
      if (chart.isVisible) chart.load(this.#range);
    }
  }

  take(article, update) {
    this.#charts.get(article)?.take(update, this.#range);
  }

  #scroll() {
    if (document.hidden) return;
    for (const chart of this.#charts.values()) if (chart.isVisible) chart.scroll();
  }

  #redraw() {
    for (const chart of this.#charts.values()) chart.redraw();
  }
}
