// Which part of the past all charts of a page show: a range up to now, or a part that was chosen.
import { clockOf } from "./moments.js";

export const ALL = "all";
const RANGES_S = { "1h": 3600, "6h": 21600, "1d": 86400, "1w": 604800, "1m": 2592000, "1y": 31536000 };
const WORDS = { "1h": "Last hour", "6h": "Last 6 hours", "1d": "Last day", "1w": "Last week", "1m": "Last month", "1y": "Last year", [ALL]: "Everything" };
const SPAN_S_MIN = 0.05;
const SPAN_S_MAX = 200 * 31536000;
const ROOM = 0.01; // of the range, behind now: the newest point is seen whole
const DAY_S = 86400;

const nowS = () => Date.now() / 1000;

export class View {
  #rangeName = "1h";
  #chosen = null; // [startS, endS], or null for up to now
  #allStartS = null; // where the longest chart begins

  get isLive() {
    return this.#chosen === null;
  }

  /** The terms that the server is asked with. */
  get query() {
    if (this.isLive) return `range=${this.#rangeName}`;
    const [startS, endS] = this.#chosen;
    return `start=${startS.toFixed(6)}&end=${endS.toFixed(6)}`;
  }

  /** From when to when, in seconds since the epoch. */
  get bounds() {
    if (!this.isLive) return this.#chosen;
    const endS = nowS();
    if (this.#rangeName === ALL) return [this.#allStartS ?? endS - 3600, endS];
    return [endS - RANGES_S[this.#rangeName], endS];
  }

  /** The ends of the time axis. */
  get axis() {
    const [startS, endS] = this.bounds;
    return this.isLive ? [startS, endS + (endS - startS) * ROOM] : [startS, endS];
  }

  /** A range up to now. */
  follow(rangeName) {
    this.#rangeName = rangeName;
    this.#chosen = null;
    this.#allStartS = null;
  }

  /** A part of the past; of any size that can be shown. */
  choose(startS, endS) {
    const spanS = Math.min(Math.max(endS - startS, SPAN_S_MIN), SPAN_S_MAX);
    const middleS = (startS + endS) / 2;
    const latestS = nowS() + spanS / 2; // a little into the future, where nothing is yet
    const lastS = Math.min(middleS + spanS / 2, latestS);
    this.#chosen = [lastS - spanS, lastS];
  }

  /** Earlier, later, closer or wider. */
  move(kind) {
    const [startS, endS] = this.bounds;
    const spanS = endS - startS;
    if (kind === "earlier") this.choose(startS - spanS / 2, endS - spanS / 2);
    if (kind === "later") this.choose(startS + spanS / 2, endS + spanS / 2);
    if (kind === "closer") this.choose(startS + spanS / 4, endS - spanS / 4);
    if (kind === "wider") this.choose(startS - spanS / 2, endS + spanS / 2);
  }

  /** What a chart has found out of where everything begins. */
  learn(startS) {
    if (this.#rangeName === ALL && this.isLive) this.#allStartS = Math.min(this.#allStartS ?? startS, startS);
  }

  get words() {
    if (this.isLive) return WORDS[this.#rangeName];
    const [startS, endS] = this.#chosen;
    return `${momentOf(startS, endS - startS)} to ${momentOf(endS, endS - startS)}`;
  }
}

/** The same without what the reader knows of it already: the date, in a chart of a day. */
export function clockIn(atS, spanS) {
  if (spanS > DAY_S) {
    const look = { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" };
    return new Date(atS * 1000).toLocaleString("en-GB", look);
  }
  return momentOf(atS, spanS).split(", ").at(-1);
}

/** A moment in the reader's zone, as finely as a span of that length needs it. */
export function momentOf(atS, spanS) {
  if (spanS > 3 * DAY_S) return clockOf(atS * 1000);
  if (spanS > 10) return clockOf(atS * 1000, true);
  return `${clockOf(atS * 1000, true)}.${String(Math.floor((atS % 1) * 1000)).padStart(3, "0")}`;
}
