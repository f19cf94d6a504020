// One channel's chart. The server summarizes a range to at most two points a pixel: each step's
// lowest and highest are a band, its mean a line. New values are drawn as they come.
import { Columns } from "./chart_data.js";
import { clockIn, momentOf } from "./chart_view.js";
import { number, timeLabel } from "./labels.js";
import { followPinch } from "./pinch.js";
import { bandOptions } from "./plots.js";

const HEIGHT_PX = 148;
const HEIGHT_PX_ON_WALL = 104;
const RELOAD_MS = 2000; // after values that came late, once
const DESCRIBE_MS = 500; // for screen readers: not with every value
const DRAG_PX_MIN = 5;
const POINT_PX = 4;
const LONE_POINT_PX = 10; // without a line it would be a speck
const ROWS_PER_PX_MAX = 3; // so many come live before they are summarized

export class Chart {
  #article;
  #element;
  #readout;
  #view;
  #choose; // called with [startS, endS], or null for back to now
  #plot = null;
  #columns = new Columns();
  #rows = []; // of the columns, by place in what is plotted
  #texts = [];
  #reloading = 0;
  #describing = 0;
  #request = null;
  #dragged = null; // the axis while a mouse or fingers move it
  #isFresh = false; // loaded and not drawn yet
  isVisible = false;
  isStale = true;
  isDirty = false;

  constructor(article, view, choose) {
    this.#article = article;
    this.#view = view;
    this.#choose = choose;
    this.#element = article.querySelector("[data-chart]");
    this.#readout = article.querySelector("[data-readout]");
    this.#element.classList.add("is-loading");
    this.#element.tabIndex = 0;
    this.#element.addEventListener("keydown", (event) => this.#press(event));
    this.#element.addEventListener("blur", () => this.#point(null));
    followPinch(this.#element, () => this.#plot, (axis) => this.#shift(axis), () => this.#letGo());
  }

  get element() {
    return this.#element;
  }

  get article() {
    return this.#article;
  }

  get #height() {
    return this.#article.matches(".channel--wall") ? HEIGHT_PX_ON_WALL : HEIGHT_PX;
  }

  /** What people call it. */
  get name() {
    return this.#article.dataset.name ?? this.#article.dataset.key;
  }

  /** Where numbers of what is shown now are, for so many pixels. */
  address(width) {
    return `${this.#element.dataset.chart}?${this.#view.query}&width=${width}`;
  }

  async load() {
    this.isStale = false;
    this.#request?.abort();
    this.#request = new AbortController();
    const width = Math.max(100, Math.round(this.#element.clientWidth));
    try {
      const answer = await fetch(this.address(width), { signal: this.#request.signal, credentials: "same-origin" });
      if (!answer.ok) throw new Error(String(answer.status));
      const chart = await answer.json();
      this.#columns = Columns.of(chart);
      this.#texts = chart.texts;
      this.#view.learn(chart.start_s);
      this.#isFresh = true;
      this.show();
    } catch (error) {
      if (error.name !== "AbortError") this.#say("The chart could not be loaded.");
    }
  }

  /** Take values as they come, to be drawn soon; late ones have the chart loaded anew. */
  take(update) {
    if (this.isStale) return;
    const [startS, endS] = this.#view.bounds;
    const isWithin = ([atS]) => this.#view.isLive || (atS >= startS && atS < endS);
    const points = update.points.filter(isWithin);
    const areInTime = points.map(([atS, value]) => this.#columns.push(atS, value));
    this.#columns.trim(startS);
    const most = ROWS_PER_PX_MAX * Math.max(300, this.#element.clientWidth);
    const wasFull = this.#columns.length > most;
    if (wasFull) this.#columns.compact();
    const isFull = wasFull && this.#columns.length > most / 2; // then its steps are too narrow
    const isText = update.points.length === 0 && update.at_ms > this.#newestTextMs();
    if (areInTime.includes(false) || isFull || (isText && this.#view.isLive)) this.#reloadSoon();
    if (points.length) this.isDirty = true;
  }

  #newestTextMs() {
    return this.#texts.length ? this.#texts.at(-1)[0] * 1000 : 0;
  }

  #reloadSoon() {
    this.#reloading ||= setTimeout(() => {
      this.#reloading = 0;
      if (this.isVisible) this.load();
      else this.isStale = true;
    }, RELOAD_MS);
  }

  show() {
    this.isDirty = false;
    this.#element.classList.remove("is-loading");
    if (this.#columns.length) this.#draw();
    else if (this.#texts.length) this.#list();
    else this.#say("Nothing in this range.");
    this.#element.dataset.points = String(this.#columns.length);
    this.#describing ||= setTimeout(() => this.#describe(), DESCRIBE_MS);
  }

  #draw() {
    const { data, rows } = this.#columns.plotted();
    this.#rows = rows;
    if (this.#plot) {
      this.#plot.series[3].points.size = this.#pointPx();
      this.#plot.setData(data);
      return;
    }
    this.#element.replaceChildren();
    this.#plot = new uPlot(this.#options(), data, this.#element);
  }

  #pointPx() {
    return this.#columns.length === 1 ? LONE_POINT_PX : POINT_PX;
  }

  #options() {
    return bandOptions({
      width: this.#element.clientWidth,
      height: this.#height,
      pointPx: this.#pointPx(),
      xRange: () => this.#dragged ?? this.#view.axis,
      cursor: {
        sync: { key: "device" },
        drag: { x: true, y: false, setScale: false },
        bind: {
          mousedown: (plot, _, select) => (event) => (event.shiftKey ? this.#drag(event) : select(event)),
          dblclick: () => () => this.#choose(null),
        },
      },
      hooks: {
        setCursor: [(plot) => this.#read(plot.cursor.idx)],
        setSelect: [(plot) => this.#select(plot)],
        draw: [() => this.#tell()],
      },
    });
  }

  /** Say that what was loaded can be seen. */
  #tell() {
    if (!this.#isFresh) return;
    this.#isFresh = false;
    this.#element.dispatchEvent(new CustomEvent("chartdrawn", { bubbles: true }));
  }

  #select(plot) {
    const { left, width } = plot.select;
    if (width === 0) return;
    plot.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
    if (width < DRAG_PX_MIN) return;
    this.#choose([plot.posToVal(left, "x"), plot.posToVal(left + width, "x")]);
  }

  /** Shift the axis along with the mouse, until it is let go. */
  #drag(start) {
    const [startS, endS] = this.#view.axis;
    const secondsPerPx = (endS - startS) / this.#plot.over.clientWidth;
    const end = new AbortController();
    const { signal } = end;
    document.addEventListener("mousemove", (event) => {
      const shiftS = (start.clientX - event.clientX) * secondsPerPx;
      this.#shift([startS + shiftS, endS + shiftS]);
    }, { signal });
    document.addEventListener("mouseup", () => {
      end.abort();
      this.#letGo();
    }, { signal });
  }

  #shift(axis) {
    this.#dragged = axis;
    this.isDirty = true;
    this.#element.dispatchEvent(new CustomEvent("chartmoved", { bubbles: true }));
  }

  #letGo() {
    const moved = this.#dragged;
    this.#dragged = null;
    if (moved) this.#choose(moved);
  }

  #read(index) {
    const row = index == null ? null : (this.#rows[index] ?? null);
    this.#readout.textContent = row === null ? "" : this.#wordsOf(row);
  }

  #wordsOf(row) {
    const { at, highest, lowest, mean, highestAt, lowestAt } = this.#columns;
    const [startS, endS] = this.#view.bounds;
    const clock = (atS) => momentOf(atS, endS - startS);
    const unit = this.#article.dataset.unit;
    const shown = `${number.format(mean[row])} ${unit} · ${clock(at[row])}`;
    if (highest[row] === lowest[row]) return shown;
    const time = (atS) => clockIn(atS, endS - startS);
    return `${shown} (${number.format(lowest[row])} at ${time(lowestAt[row])} to ${number.format(highest[row])} at ${time(highestAt[row])})`;
  }

  #press(event) {
    const steps = { ArrowLeft: -1, ArrowRight: 1, PageUp: -10, PageDown: 10, Home: -Infinity, End: Infinity };
    if (!(event.key in steps) || event.altKey || event.ctrlKey || event.metaKey || event.shiftKey || !this.#plot) return;
    event.preventDefault();
    const last = this.#rows.length - 1;
    const current = this.#plot.cursor.idx ?? (steps[event.key] > 0 ? -1 : last + 1);
    let place = Math.min(last, Math.max(0, current + steps[event.key]));
    if (this.#rows[place] === null) place += steps[event.key] > 0 ? 1 : -1; // over a gap
    this.#point(place);
  }

  /** Read a point out, to screen readers too. */
  #point(place) {
    if (!this.#plot) return;
    this.#readout.setAttribute("aria-hidden", String(place === null));
    this.#readout.setAttribute("aria-live", place === null ? "off" : "polite");
    const left = place === null ? -10 : this.#plot.valToPos(this.#plot.data[0][place], "x");
    this.#plot.setCursor({ left, top: place === null ? -10 : 1 });
    if (place !== null) this.#read(place);
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
    this.#tell();
  }

  #say(text) {
    this.#drop();
    const words = Object.assign(document.createElement("p"), { textContent: text });
    words.className = "chart__words";
    this.#element.classList.remove("is-loading");
    this.#element.replaceChildren(words);
    this.#tell();
  }

  #describe() {
    this.#describing = 0;
    const { highest, lowest, length } = this.#columns;
    const name = this.name;
    let label = `Chart of ${name}, no numbers in this range`;
    if (length) {
      const low = number.format(lowest.reduce((a, b) => Math.min(a, b)));
      const high = number.format(highest.reduce((a, b) => Math.max(a, b)));
      label = `Chart of ${name}, from ${low} to ${high} ${this.#article.dataset.unit}`;
    }
    if (this.#element.getAttribute("aria-label") !== label) this.#element.setAttribute("aria-label", label);
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
      this.#plot.setSize({ width, height: this.#height });
    }
  }

  /** Show what there is of another part of the past, until the rest is loaded. */
  rescale() {
    if (!this.#plot) return;
    const [startS, endS] = this.#view.axis;
    const { at } = this.#columns;
    // Of a chart with nothing to see in it there is no point in showing its axes.
    if (at.length && at[0] < endS && at.at(-1) >= startS) this.#plot.setData(this.#plot.data);
  }

  close() {
    this.#request?.abort();
    clearTimeout(this.#reloading);
    clearTimeout(this.#describing);
    this.#drop();
  }
}
