// The chart of messages per second over the last three minutes: received, sent and, where that is
// counted each second, dropped.
import { numberLabels, timeLabel } from "./labels.js";
import { style } from "./plots.js";

const HEIGHT_PX = 120;
const SHOWN_S = 180;

/** How often something happens in a second, in few digits; the server does the same. */
export function rateText(perS) {
  if (perS === 0) return "0";
  if (perS < 0.05) return "< 0.1";
  return perS < 10 ? perS.toFixed(1) : perS.toFixed(0);
}

export class Traffic {
  #element;
  #plot = null;
  #data = [[], [], [], []]; // at, received, sent, dropped

  constructor(element) {
    this.#element = element;
    new ResizeObserver(() => this.#fit()).observe(element);
    document.addEventListener("themechange", () => this.#draw());
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.#draw());
  }

  /** Add seconds, some of which may be there already. */
  take({ at_s: at, received, sent, dropped }, isWhole) {
    if (isWhole) this.#data = [[], [], [], []];
    const lastS = this.#data[0].at(-1) ?? 0;
    at.forEach((atS, index) => {
      if (atS <= lastS) return;
      this.#data[0].push(atS);
      this.#data[1].push(received[index]);
      this.#data[2].push(sent[index]);
      this.#data[3].push(dropped[index] || null);
    });
    const extra = this.#data[0].length - SHOWN_S;
    if (extra > 0) for (const column of this.#data) column.splice(0, extra);
    this.#showNow("received", this.#data[1].at(-1) ?? 0);
    this.#showNow("sent", this.#data[2].at(-1) ?? 0);
    if (this.#plot) this.#plot.setData(this.#data);
    else this.#draw();
  }

  #showNow(name, perS) {
    const element = document.querySelector(`[data-now="${name}"]`);
    const text = rateText(perS);
    if (element.textContent !== text) element.textContent = text;
  }

  #fit() {
    const width = this.#element.clientWidth;
    if (this.#plot && width && width !== this.#plot.width) this.#plot.setSize({ width, height: HEIGHT_PX });
  }

  #draw() {
    this.#plot?.destroy();
    this.#plot = new uPlot(this.#options(), this.#data, this.#element);
  }

  #options() {
    const axis = {
      stroke: style("--chart-text"),
      font: `11px ${style("--font")}`,
      grid: { stroke: style("--chart-grid"), width: 1 },
      ticks: { show: false },
    };
    const line = (name) => ({ stroke: style(name), width: 1.75, points: { show: false } });
    return {
      width: Math.max(100, this.#element.clientWidth),
      height: HEIGHT_PX,
      padding: [8, 26, 0, 0],
      legend: { show: false },
      cursor: { show: false },
      scales: {
        x: { time: true, range: (plot, low, high) => [high - SHOWN_S, high] },
        y: { range: (plot, low, high) => [0, Math.max(1, (high ?? 0) * 1.1)] },
      },
      axes: [
        { ...axis, size: 26, gap: 8, space: 64, values: (_, splits, __, ___, step) => splits.map((at) => timeLabel(at, step)) },
        { ...axis, size: 46, gap: 6, space: 30, values: (_, splits) => numberLabels(splits) },
      ],
      series: [{}, line("--chart-line"), line("--chart-mark"), line("--bad")],
    };
  }
}
