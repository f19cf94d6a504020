// All charts of a page: they show the same part of the past, and are painted together, once a frame.
import { Chart } from "./chart.js";
import { refreshTable, toggleTable } from "./chart_table.js";
import { View } from "./chart_view.js";
import { remember, remembered } from "./tab_memory.js";

const SCROLL_MS = 5000;
const STORED_AS = "chart-range";
const KEYS = { "+": "closer", "=": "closer", "-": "wider", Escape: "now", 0: "now" };
const SHIFTED = { ArrowLeft: "earlier", ArrowRight: "later" };

export class Charts {
  #list;
  #ranges;
  #tools;
  #view = new View();
  #charts = new Map(); // article → Chart
  #seen;
  #sized;
  #frame = 0;

  /**
   * @param list whose children are the articles of channels.
   * @param ranges the choice of ranges.
   * @param tools buttons that move and zoom; may be null.
   */
  constructor(list, ranges, tools = null) {
    this.#list = list;
    this.#ranges = ranges;
    this.#tools = tools;
    this.#seen = new IntersectionObserver((entries) => this.#look(entries), { rootMargin: "200px" });
    this.#sized = new ResizeObserver((entries) => {
      for (const entry of entries) this.#charts.get(entry.target.closest(".channel"))?.resize();
    });
    this.#restore();
    this.#listen();
    this.#view.follow(this.#range);
    this.#showTools();
    setInterval(() => this.#scroll(), SCROLL_MS);
    this.adopt();
  }

  get #range() {
    return this.#ranges.querySelector("input:checked").value;
  }

  #restore() {
    const stored = remembered(STORED_AS);
    const input = stored && this.#ranges.querySelector(`input[value="${CSS.escape(stored)}"]`);
    if (input) input.checked = true;
  }

  #listen() {
    this.#ranges.addEventListener("change", () => this.#follow());
    // A range that is chosen already is a way back to now, too.
    this.#ranges.addEventListener("click", ({ target }) => {
      if (target.matches("input") && !this.#view.isLive) this.#follow();
    });
    document.addEventListener("themechange", () => this.#redraw());
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.#redraw());
    this.#list.addEventListener("keydown", (event) => this.#press(event));
    this.#list.addEventListener("chartmoved", () => this.#paintSoon());
    this.#list.addEventListener("click", ({ target }) => {
      const button = target.closest("[data-table]");
      const chart = button && this.#charts.get(button.closest(".channel"));
      if (chart) toggleTable(chart, button);
    });
    this.#tools?.addEventListener("click", ({ target }) => {
      const button = target.closest("[data-move]");
      if (button) this.#move(button.dataset.move);
    });
  }

  #press(event) {
    if (!event.target.matches("[data-chart]") || event.altKey || event.ctrlKey || event.metaKey) return;
    const kind = event.shiftKey && event.key in SHIFTED ? SHIFTED[event.key] : KEYS[event.key];
    if (!kind || (kind === "now" && this.#view.isLive)) return;
    event.preventDefault();
    this.#move(kind);
  }

  #follow() {
    remember(STORED_AS, this.#range);
    this.#choose(null);
  }

  /** Show a part of the past, [startS, endS]; null for the range up to now. */
  #choose(bounds) {
    if (bounds) this.#view.choose(...bounds);
    else this.#view.follow(this.#range);
    this.#changed();
  }

  #move(kind) {
    if (kind === "now") this.#view.follow(this.#range);
    else this.#view.move(kind);
    this.#changed();
  }

  #changed() {
    this.#showTools();
    for (const chart of this.#charts.values()) if (chart.isVisible) chart.rescale();
    this.reload();
  }

  #showTools() {
    if (!this.#tools) return;
    const words = this.#tools.querySelector("[data-window]");
    if (words.textContent !== this.#view.words) words.textContent = this.#view.words;
    const { isLive } = this.#view;
    this.#tools.querySelector("[data-move='now']").hidden = isLive;
    this.#tools.querySelector("[data-move='later']").disabled = isLive;
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
      const chart = new Chart(article, this.#view, (bounds) => this.#choose(bounds));
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
      if (chart.isVisible && chart.isStale) chart.load();
      else if (chart.isVisible && chart.isDirty) this.#paintSoon();
    }
  }

  /** Load what is in sight now, and the rest when it comes into sight. */
  reload() {
    for (const chart of this.#charts.values()) {
      chart.isStale = true;
      if (chart.isVisible) chart.load();
      refreshTable(chart);
    }
  }

  take(article, update) {
    this.#charts.get(article)?.take(update);
    this.#paintSoon();
  }

  /** Paint what has changed and is in sight, all at once. */
  #paintSoon() {
    this.#frame ||= requestAnimationFrame(() => {
      this.#frame = 0;
      for (const chart of this.#charts.values()) {
        if (chart.isVisible && chart.isDirty && !chart.isStale) chart.show();
      }
    });
  }

  /** Move the range along with time. */
  #scroll() {
    if (document.hidden || !this.#view.isLive) return;
    for (const chart of this.#charts.values()) if (chart.isVisible) chart.rescale();
  }

  #redraw() {
    for (const chart of this.#charts.values()) chart.redraw();
  }
}
