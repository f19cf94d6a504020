// Paints a part of the world on a canvas: water is the canvas's ground, which CSS colours.

const style = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const NEAR_PX = 0.7; // points nearer to the last one drawn than that are left out
const STEPS = [30, 30, 30, 15, 10, 5, 2, 1, 0.5, 0.5, 0.25]; // of the graticule in degrees, by zoom

/** What the themes say of a map's colours. */
export function mapColours() {
  const names = ["land", "coast", "border", "water", "grid", "label", "label-soft", "halo"];
  return Object.fromEntries(names.map((name) => [name, style(`--map-${name}`)]));
}

export class Painter {
  /** Args: a 2d context in CSS pixels, and `view`: {size, left, top, width, height} in pixels of a
   *  world that is `size` wide. */
  constructor(pen, view) {
    this.pen = pen;
    this.view = view;
    const { size, left, top, width, height } = view;
    this.west = left / size;
    this.north = top / size;
    this.east = (left + width) / size;
    this.south = (top + height) / size;
  }

  isInSight(line) {
    return (
      line.east >= this.west && line.west <= this.east &&
      line.south >= this.north && line.north <= this.south
    );
  }

  #trace(line) {
    const { size, left, top } = this.view;
    const { points } = line;
    const { pen } = this;
    const last = points.length - 2;
    let [drawnX, drawnY] = [points[0] * size - left, points[1] * size - top];
    pen.moveTo(drawnX, drawnY);
    for (let i = 2; i <= last; i += 2) {
      const x = points[i] * size - left;
      const y = points[i + 1] * size - top;
      if (i < last && Math.abs(x - drawnX) < NEAR_PX && Math.abs(y - drawnY) < NEAR_PX) continue;
      pen.lineTo(x, y);
      [drawnX, drawnY] = [x, y];
    }
  }

  fill(lines, colour) {
    this.pen.beginPath();
    for (const line of lines) if (this.isInSight(line)) this.#trace(line);
    this.pen.fillStyle = colour;
    this.pen.fill("evenodd");
  }

  stroke(lines, colour, width, dash = []) {
    const { pen } = this;
    pen.beginPath();
    for (const line of lines) if (this.isInSight(line)) this.#trace(line);
    pen.setLineDash(dash);
    pen.lineJoin = "round";
    pen.strokeStyle = colour;
    pen.lineWidth = width;
    pen.stroke();
    pen.setLineDash([]);
  }

  /** Meridians and parallels. */
  graticule(zoom, colour, projected) {
    const { pen } = this;
    const { size, left, top, width, height } = this.view;
    const step = STEPS[Math.max(0, Math.min(STEPS.length - 1, Math.floor(zoom)))];
    pen.beginPath();
    for (let lon = -180; lon <= 180; lon += step) {
      const x = Math.round(projected(lon, 0)[0] * size - left) + 0.5;
      if (x < 0 || x > width) continue;
      pen.moveTo(x, 0);
      pen.lineTo(x, height);
    }
    for (let lat = -80; lat <= 80; lat += step) {
      const y = Math.round(projected(0, lat)[1] * size - top) + 0.5;
      if (y < 0 || y > height) continue;
      pen.moveTo(0, y);
      pen.lineTo(width, y);
    }
    pen.strokeStyle = colour;
    pen.lineWidth = 1;
    pen.stroke();
  }
}
