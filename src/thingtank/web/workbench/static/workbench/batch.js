// The pages of batch jobs follow what happens; the newest output's largest counts are bars.
import { numberLabels } from "./labels.js";
import { style } from "./plots.js";
import { refresh } from "./refresh.js";

const INTERVAL_MS = 2000;
const ROW_PX = 26;
const AXIS_PX = 30;
const LABEL_SHARE_MAX = 0.4; // of the width, for keys
const CHAR_PX = 6.6;
const count = new Intl.NumberFormat("en");

const plots = new Map(); // element → plot

function rowsOf(element) {
  const rows = [...document.querySelectorAll(`#${CSS.escape(element.dataset.bars)} tbody tr`)];
  return rows.map((row) => [row.querySelector("th").textContent, Number(row.dataset.count)]);
}

function short(text, charsMax) {
  return text.length <= charsMax ? text : `${text.slice(0, Math.max(1, charsMax - 1))}…`;
}

/** Counts behind the ends of their bars. */
function writeCounts(plot) {
  const { ctx } = plot;
  const ratio = devicePixelRatio;
  ctx.save();
  ctx.fillStyle = style("--chart-text");
  ctx.font = `${11 * ratio}px ${style("--font")}`;
  ctx.textBaseline = "middle";
  ctx.textAlign = "left";
  plot.data[1].forEach((value, row) => {
    ctx.fillText(count.format(value), plot.valToPos(value, "y", true) + 6 * ratio, plot.valToPos(row, "x", true));
  });
  ctx.restore();
}

function draw(element) {
  plots.get(element)?.destroy();
  const rows = rowsOf(element);
  const width = Math.max(100, element.clientWidth);
  const charsMax = Math.floor((width * LABEL_SHARE_MAX) / CHAR_PX);
  const keys = rows.map(([key]) => short(key, charsMax));
  const room = 14 + Math.max(...rows.map(([, value]) => count.format(value).length)) * CHAR_PX;
  const axis = { stroke: style("--chart-text"), font: `11px ${style("--font")}`, ticks: { show: false } };
  const line = style("--chart-line");
  const options = {
    width,
    height: rows.length * ROW_PX + AXIS_PX,
    padding: [0, room, 0, 0],
    legend: { show: false },
    cursor: { show: false },
    scales: {
      x: { time: false, ori: 1, dir: -1, range: () => [-0.5, rows.length - 0.5] },
      y: { ori: 0, range: (_, __, high) => [0, high || 1] },
    },
    axes: [
      {
        ...axis,
        side: 3,
        size: 14 + Math.max(...keys.map((key) => key.length)) * CHAR_PX,
        gap: 6,
        grid: { show: false },
        splits: () => keys.map((_, row) => row),
        values: () => keys,
      },
      {
        ...axis,
        side: 2,
        size: AXIS_PX,
        gap: 6,
        space: 60,
        grid: { stroke: style("--chart-grid"), width: 1 },
        values: (_, splits) => numberLabels(splits),
      },
    ],
    series: [{}, { stroke: line, fill: line, width: 0, points: { show: false }, paths: uPlot.paths.bars({ size: [0.62, 18] }) }],
    hooks: { draw: [writeCounts] },
  };
  element.replaceChildren();
  const data = [rows.map((_, row) => row), rows.map(([, value]) => value)];
  plots.set(element, new uPlot(options, data, element));
}

const sized = new ResizeObserver((entries) => {
  for (const { target } of entries) {
    if (plots.get(target)?.width !== Math.max(100, target.clientWidth)) draw(target);
  }
});

/** Bars for charts that are new, and none for those that are gone. */
function adopt() {
  for (const [element, plot] of plots) {
    if (element.isConnected) continue;
    sized.unobserve(element);
    plot.destroy();
    plots.delete(element);
  }
  for (const element of document.querySelectorAll("[data-bars]")) {
    if (!plots.has(element)) sized.observe(element); // which draws it
  }
}

function redraw() {
  for (const element of plots.keys()) draw(element);
}

function next() {
  setTimeout(async () => {
    const isBusy = document.hidden || document.querySelector("dialog[open]");
    if (!isBusy && document.querySelector("[data-follow]")) await refresh();
    next();
  }, INTERVAL_MS);
}

document.addEventListener("refreshed", adopt);
document.addEventListener("themechange", redraw);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
adopt();
next();
