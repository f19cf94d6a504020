// The columns behind a chart: as the server summarized them, and lengthened by what comes live. They
// never grow beyond a few points a pixel.

const GAP_STEPS = 2.5; // of the summaries' width without a value
const GAP_INTERVALS = 5; // or of how far apart values usually are: more than that is a gap
const GAP_COUNT_MIN = 10; // fewer values have no usual distance

export class Columns {
  at = []; // seconds since the epoch, ascending
  highest = [];
  lowest = [];
  mean = [];
  highestAt = [];
  lowestAt = [];
  count = [];
  stepS = 1;
  #gapS = Infinity;
  #gapOfCount = 0; // how many values #gapS was worked out of

  /** The columns of the server's answer. */
  static of(chart) {
    const columns = new Columns();
    columns.at = chart.at_s;
    columns.highest = chart.maximum;
    columns.lowest = chart.minimum;
    columns.mean = chart.mean;
    columns.highestAt = chart.maximum_at_s;
    columns.lowestAt = chart.minimum_at_s;
    columns.count = chart.count;
    columns.stepS = chart.step_s;
    return columns;
  }

  get length() {
    return this.at.length;
  }

  get #all() {
    return [this.at, this.highest, this.lowest, this.mean, this.highestAt, this.lowestAt, this.count];
  }

  /** Add a value; false if there is a newer one already. */
  push(atS, value) {
    if (this.length && atS <= this.at.at(-1)) return false;
    const row = [atS, value, value, value, atS, atS, 1];
    this.#all.forEach((column, index) => column.push(row[index]));
    return true;
  }

  /** Forget what is older. */
  trim(startS) {
    let oldCount = 0;
    while (oldCount < this.length && this.at[oldCount] < startS) oldCount += 1;
    if (oldCount) for (const column of this.#all) column.splice(0, oldCount);
  }

  /** Make one of all that is in one step, as the server does. */
  compact() {
    const kept = new Columns();
    let step = null;
    for (let row = 0; row < this.length; row += 1) {
      const own = Math.floor(this.at[row] / this.stepS);
      if (own === step) kept.#merge(this, row, (own + 0.5) * this.stepS);
      else this.#all.forEach((column, index) => kept.#all[index].push(column[row]));
      step = own;
    }
    Object.assign(this, { ...kept, stepS: this.stepS });
    this.#gapOfCount = 0;
  }

  /** Add a row of other columns to the last of these. */
  #merge(other, row, middleS) {
    const last = this.length - 1;
    const total = this.mean[last] * this.count[last] + other.mean[row] * other.count[row];
    this.count[last] += other.count[row];
    this.mean[last] = total / this.count[last];
    this.at[last] = Math.min(middleS, other.at[row]);
    if (other.highest[row] > this.highest[last]) {
      this.highest[last] = other.highest[row];
      this.highestAt[last] = other.highestAt[row];
    }
    if (other.lowest[row] < this.lowest[last]) {
      this.lowest[last] = other.lowest[row];
      this.lowestAt[last] = other.lowestAt[row];
    }
  }

  /** More time than that between two points means that values are missing. */
  #gap() {
    const isKnown = this.#gapOfCount && Math.abs(this.length - this.#gapOfCount) * 10 < this.length;
    if (!isKnown) {
      const distances = this.at.slice(1).map((at, index) => at - this.at[index]).sort((a, b) => a - b);
      const usual = distances[distances.length >> 1];
      const isClear = this.length >= GAP_COUNT_MIN;
      this.#gapS = isClear ? Math.max(GAP_STEPS * this.stepS, GAP_INTERVALS * usual) : Infinity;
      this.#gapOfCount = this.length;
    }
    return this.#gapS;
  }

  /** What is drawn: at, highest, lowest, mean, with a row of nulls in each gap; and whose row each is. */
  plotted() {
    const gapS = this.#gap();
    const data = [[], [], [], []];
    const rows = [];
    const add = (atS, row) => {
      data[0].push(atS);
      data[1].push(row === null ? null : this.highest[row]);
      data[2].push(row === null ? null : this.lowest[row]);
      data[3].push(row === null ? null : this.mean[row]);
      rows.push(row);
    };
    for (let row = 0; row < this.length; row += 1) {
      if (row && this.at[row] - this.at[row - 1] > gapS) add((this.at[row] + this.at[row - 1]) / 2, null);
      add(this.at[row], row);
    }
    return { data, rows };
  }
}
