// What charts write: beside their axes, and of a point.

/** A value of a chart, as finely as anybody reads it. */
export const number = new Intl.NumberFormat("en", { maximumSignificantDigits: 6, useGrouping: false });

const two = (part) => String(part).padStart(2, "0");

/** The label of a time on an axis whose labels are `stepS` apart, in the reader's zone. */
export function timeLabel(atS, stepS) {
  const at = new Date(atS * 1000);
  const isMidnight = at.getHours() === 0 && at.getMinutes() === 0 && at.getSeconds() === 0;
  // The whole year: "Jan 26" would read as a day.
  if (stepS >= 86400 * 28) return at.toLocaleDateString("en-GB", { month: "short", year: "numeric" });
  if (stepS >= 86400 || isMidnight) {
    return at.toLocaleDateString("en-GB", { day: "numeric", month: "short" });
  }
  const clock = `${two(at.getHours())}:${two(at.getMinutes())}`;
  return stepS < 60 ? `${clock}:${two(at.getSeconds())}` : clock;
}

function notationOf(size) {
  if (size === 0 || (size >= 1e-4 && size < 1e5)) return "standard";
  return size >= 1e5 && size < 1e15 ? "compact" : "scientific";
}

/** Labels of an axis of numbers: short ones (1.25M), with as many digits as tell them apart. */
export function numberLabels(values) {
  const notation = notationOf(Math.max(0, ...values.map(Math.abs)));
  for (let digits = 6; ; digits += 1) {
    const format = new Intl.NumberFormat("en", {
      notation,
      maximumSignificantDigits: digits,
      useGrouping: false,
    });
    const labels = values.map((value) => format.format(value));
    if (digits === 15 || new Set(labels).size === values.length) return labels;
  }
}
