// How every chart of ours looks: a band from lowest to highest, a line of means, quiet axes.
import { numberLabels, timeLabel } from "./labels.js";

/** A colour or font of the theme; canvas needs it computed. */
export const style = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

/** Options of a plot whose data are the columns at, highest, lowest, mean. */
export function bandOptions({ width, height, pointPx, xRange, yRange = padded, cursor = {}, hooks }) {
  const axis = {
    stroke: style("--chart-text"),
    font: `11px ${style("--font")}`,
    grid: { stroke: style("--chart-grid"), width: 1 },
    ticks: { show: false },
  };
  const line = style("--chart-line");
  const invisible = { stroke: "transparent", width: 0, points: { show: false } };
  return {
    width,
    height,
    padding: [8, 16, 0, 0],
    legend: { show: false },
    cursor: {
      y: false,
      drag: { x: false, y: false },
      points: { size: 8, fill: line, stroke: style("--chart-ground") },
      ...cursor,
    },
    scales: {
      x: { time: true, range: xRange },
      y: { range: (_, low, high) => yRange(low, high) },
    },
    axes: [
      { ...axis, size: 28, gap: 8, space: 64, values: (_, splits, __, ___, step) => splits.map((at) => timeLabel(at, step)) },
      { ...axis, size: sizeOf, gap: 6, space: 34, values: (_, splits) => numberLabels(splits) },
    ],
    series: [
      {},
      invisible,
      invisible,
      { stroke: line, width: 1.75, points: { size: pointPx, fill: line, stroke: line } },
    ],
    bands: [{ series: [1, 2], fill: style("--chart-band") }],
    hooks,
  };
}

function sizeOf(plot, labels) {
  const longest = Math.max(0, ...(labels ?? []).map((label) => label.length));
  return Math.max(46, 14 + longest * 6.6);
}

/** The range of an axis that leaves room above and below. */
export function padded(low, high) {
  if (low == null) return [0, 1];
  const room = (high - low || Math.abs(high) * 0.1 || 1) * 0.12;
  return [low - room, high + room];
}
