// The world as numbers: every line projected once (Web Mercator, the whole world is 1 by 1), so that
// drawing it at any zoom is one multiplication a point.
import { loadPlaces, loadTopology } from "./libraries.js";

export const LATITUDE_MAX = 85.0511287798; // where Web Mercator's square ends
const EDGE = 1e-6;
const SHORT_NAMES = { "United States of America": "United States" };

/** Where a longitude and latitude are in the unit square; y grows to the south. */
export function projected(lon, lat) {
  const bounded = Math.max(-LATITUDE_MAX, Math.min(LATITUDE_MAX, lat));
  const sine = Math.sin((bounded * Math.PI) / 180);
  return [lon / 360 + 0.5, 0.5 - (0.25 * Math.log((1 + sine) / (1 - sine))) / Math.PI];
}

/** A line as [x, y, x, y, …] with the box around it. */
function boxed(points) {
  const line = { points, west: Infinity, north: Infinity, east: -Infinity, south: -Infinity };
  for (let i = 0; i < points.length; i += 2) {
    line.west = Math.min(line.west, points[i]);
    line.east = Math.max(line.east, points[i]);
    line.north = Math.min(line.north, points[i + 1]);
    line.south = Math.max(line.south, points[i + 1]);
  }
  return line;
}

/** Points of a line that may cross the 180th meridian: they go on beyond the square's edge there. */
function unrolled(coordinates) {
  const points = [];
  let turns = 0;
  let before = 0.5;
  for (const [lon, lat] of coordinates) {
    const [x, y] = projected(lon, lat);
    if (points.length && x - before > 0.5) turns -= 1;
    if (points.length && before - x > 0.5) turns += 1;
    before = x;
    points.push(x + turns, y);
  }
  return points;
}

/** A line, once more for each side of the square on which it juts out. */
function copiesOf(points) {
  const line = boxed(Float32Array.from(points));
  const shifts = [0];
  if (line.west < -EDGE) shifts.push(1);
  if (line.east > 1 + EDGE) shifts.push(-1);
  return shifts.map((shift) =>
    shift ? boxed(line.points.map((value, index) => (index % 2 ? value : value + shift))) : line,
  );
}

function linesOf(mesh) {
  return mesh.coordinates.flatMap((coordinates) => copiesOf(unrolled(coordinates)));
}

/** The points of a closed line. One around a pole is closed along the square's edge. */
function ringOf(coordinates) {
  const points = unrolled(coordinates);
  const [first, last] = [points[0], points.at(-2)];
  if (Math.abs(first - last) > 0.5) {
    const edge = points[1] > 0.5 ? 1 : 0;
    points.push(last, edge, first, edge);
  }
  return points;
}

const polygonsOf = ({ type, coordinates }) => (type === "Polygon" ? [coordinates] : coordinates);

function ringsOf(feature) {
  const shapes = feature.type === "FeatureCollection" ? feature.features : [feature];
  const rings = shapes.flatMap((shape) => polygonsOf(shape.geometry).flat());
  return rings.flatMap((ring) => copiesOf(ringOf(ring)));
}

function areaOf({ points }) {
  let area = 0;
  for (let i = 0, j = points.length - 2; i < points.length; j = i, i += 2) {
    area += points[j] * points[i + 1] - points[i] * points[j + 1];
  }
  return Math.abs(area / 2);
}

function middleOf({ points }) {
  let [x, y, sum] = [0, 0, 0];
  for (let i = 0, j = points.length - 2; i < points.length; j = i, i += 2) {
    const cross = points[j] * points[i + 1] - points[i] * points[j + 1];
    sum += cross;
    x += (points[j] + points[i]) * cross;
    y += (points[j + 1] + points[i + 1]) * cross;
  }
  return [x / (3 * sum), y / (3 * sum)];
}

/** A country's name, in the middle of its largest part, and how wide that part is. */
function nameOf({ properties, geometry }) {
  const parts = polygonsOf(geometry).map(([outer]) => boxed(ringOf(outer)));
  const largest = parts.reduce((best, part) => (areaOf(part) > areaOf(best) ? part : best));
  const [x, y] = middleOf(largest);
  const text = SHORT_NAMES[properties.name] ?? properties.name;
  return { text, x: x - Math.floor(x), y, width: largest.east - largest.west, area: areaOf(largest) };
}

const important = (one, other) => other.area - one.area;

async function readWorld() {
  const [[world, topojson], [waters], places] = await Promise.all([
    loadTopology("countries-50m.json"),
    loadTopology("lakes-50m.json"),
    loadPlaces(),
  ]);
  const { countries, land } = world.objects;
  return {
    land: ringsOf(topojson.feature(world, land)),
    coasts: linesOf(topojson.mesh(world, countries, (one, other) => one === other)),
    borders: linesOf(topojson.mesh(world, countries, (one, other) => one !== other)),
    lakes: ringsOf(topojson.feature(waters, waters.objects.lakes)),
    countries: topojson.feature(world, countries).features.map(nameOf).sort(important),
    places: places.map(([text, lon, lat, isCapital]) => {
      const [x, y] = projected(lon, lat);
      return { text, x, y, isCapital: isCapital === 1 };
    }),
  };
}

async function readRivers() {
  const [waters, topojson] = await loadTopology("rivers-50m.json");
  return linesOf(topojson.mesh(waters, waters.objects.rivers));
}

let world = null;
let rivers = null;

/** All that is drawn at every zoom; read once for all maps of a page. */
export function loadWorld() {
  world ??= readWorld().catch((error) => {
    world = null;
    throw error;
  });
  return world;
}

/** The rivers, for closer looks. */
export function loadRivers() {
  rivers ??= readRivers().catch((error) => {
    rivers = null;
    throw error;
  });
  return rivers;
}
