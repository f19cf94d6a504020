// A Leaflet map of the world that needs no internet: one canvas, drawn anew after each move. Where
// the settings name a tile server its pictures lie over that; what they lack is seen below them.
import { writeLabels } from "./labels.js";
import { loadLeaflet } from "./libraries.js";
import { mapColours, Painter } from "./painter.js";
import { LATITUDE_MAX, loadRivers, loadWorld, projected } from "./world.js";

const TILE_PX = 256; // the world's width at zoom 0
const PADDING = 0.35; // of the view, drawn around it, so that dragging shows no holes
const ZOOM_MAX = 10; // closer than that the data has nothing to show
const TILES_ZOOM_MAX = 19;
const RIVERS_ZOOM = 4;
const SOURCES =
  '<a href="https://www.naturalearthdata.com/" rel="noopener noreferrer">Natural Earth</a>, ' +
  '<a href="https://www.geonames.org/" rel="noopener noreferrer">GeoNames</a>';

/** The canvas below everything. */
class Ground {
  #L;
  #map;
  #canvas = document.createElement("canvas");
  #overlay = null;
  #world = null;
  #rivers = [];
  #hasLabels;
  #frame = 0;

  constructor(L, map, hasLabels) {
    this.#L = L;
    this.#map = map;
    this.#hasLabels = hasLabels;
    const pane = map.createPane("ground");
    pane.style.zIndex = 150;
    pane.style.pointerEvents = "none";
    this.#canvas.setAttribute("aria-hidden", "true");
    map.on("moveend resize", () => this.paintSoon());
  }

  async load() {
    this.#world = await loadWorld();
    await document.fonts.ready;
    this.#paint();
  }

  paintSoon() {
    cancelAnimationFrame(this.#frame);
    this.#frame = requestAnimationFrame(() => this.#paint());
  }

  async #needRivers() {
    this.#rivers = await loadRivers().catch(() => []);
    if (this.#rivers.length) this.paintSoon();
  }

  #paint() {
    const map = this.#map;
    if (!this.#world || !map.getContainer().isConnected || map.getSize().x === 0) return;
    const zoom = map.getZoom();
    if (zoom >= RIVERS_ZOOM && !this.#rivers.length) this.#needRivers();
    const seen = map.getPixelBounds();
    const extra = seen.getSize().multiplyBy(PADDING).round();
    const size = TILE_PX * 2 ** zoom;
    // Leaflet bends what is beyond the square back into it, which would stretch the picture.
    const area = this.#L.bounds(
      this.#L.point(seen.min.x - extra.x, Math.max(0, seen.min.y - extra.y)),
      this.#L.point(seen.max.x + extra.x, Math.min(Math.floor(size), seen.max.y + extra.y)),
    );
    const { x: width, y: height } = area.getSize();
    const scale = window.devicePixelRatio || 1;
    this.#canvas.width = Math.round(width * scale);
    this.#canvas.height = Math.round(height * scale);
    const pen = this.#canvas.getContext("2d");
    pen.scale(scale, scale);
    const view = { size, left: area.min.x, top: area.min.y, width, height };
    this.#draw(new Painter(pen, view), zoom);
    this.#place(this.#L.latLngBounds(map.unproject(area.getBottomLeft()), map.unproject(area.getTopRight())));
  }

  #place(bounds) {
    if (this.#overlay) {
      this.#overlay.setBounds(bounds);
      return;
    }
    // An overlay that takes any element, and moves it along with the zoom's animation.
    this.#overlay = this.#L.svgOverlay(this.#canvas, bounds, { pane: "ground" }).addTo(this.#map);
  }

  #draw(painter, zoom) {
    const colours = mapColours();
    const world = this.#world;
    painter.graticule(zoom, colours.grid, projected);
    painter.fill(world.land, colours.land);
    painter.fill(world.lakes, colours.water);
    if (zoom >= RIVERS_ZOOM) painter.stroke(this.#rivers, colours.water, zoom < 6 ? 0.9 : 1.5);
    painter.stroke(world.borders, colours.border, zoom < 4 ? 0.8 : 1.1, zoom < 4 ? [] : [4, 2.5]);
    painter.stroke(world.lakes, colours.coast, 0.6);
    painter.stroke(world.coasts, colours.coast, 0.9);
    if (this.#hasLabels) {
      writeLabels(painter, world, zoom, colours, getComputedStyle(this.#map.getContainer()).fontFamily);
    }
  }
}

function addTiles(L, map, { url, attribution }) {
  const tiles = L.tileLayer(url, {
    attribution,
    maxZoom: TILES_ZOOM_MAX,
    noWrap: true,
    // The pages send no address elsewhere; tile servers want to know which site asks.
    referrerPolicy: "strict-origin",
  });
  tiles.addTo(map);
}

const escaped = (text) => Object.assign(document.createElement("i"), { textContent: text }).innerHTML;

/** What a page's settings say of tiles; null for none. */
function tilesOf(element) {
  const { tiles, tilesAttribution } = element.closest("[data-tiles]")?.dataset ?? {};
  return tiles ? { url: tiles, attribution: escaped(tilesAttribution ?? "") } : null;
}

function wheelOnlyInside(map) {
  // A page that is scrolled must not be caught by a map on its way.
  map.scrollWheelZoom.disable();
  map.on("focus click", () => map.scrollWheelZoom.enable());
  map.on("blur mouseout", () => map.scrollWheelZoom.disable());
}

/** Fill `element` with a map. Options are Leaflet's. */
export async function makeMap(element, options = {}) {
  const L = await loadLeaflet();
  const tiles = tilesOf(element);
  const edge = L.latLngBounds([-LATITUDE_MAX, -180], [LATITUDE_MAX, 180]);
  const map = L.map(element, {
    maxZoom: tiles ? TILES_ZOOM_MAX : ZOOM_MAX,
    zoomSnap: tiles ? 1 : 0.25,
    zoomDelta: 1,
    wheelPxPerZoomLevel: 120,
    maxBounds: edge,
    maxBoundsViscosity: 1,
    keyboardPanDelta: 40,
    bounceAtZoomLimits: false,
    ...options,
  });
  map.attributionControl.setPrefix(false);
  map.attributionControl.addAttribution(SOURCES);
  const fit = () => map.setMinZoom(Math.max(0, map.getBoundsZoom(edge, true)));
  fit();
  map.setView([25, 10], map.getMinZoom());
  wheelOnlyInside(map);
  const ground = new Ground(L, map, !tiles);
  if (tiles) addTiles(L, map, tiles);
  follow(element, map, ground, fit);
  await ground.load();
  return { L, map };
}

/** Keep a map right while its element changes size or the theme changes; until the map is removed. */
function follow(element, map, ground, fit) {
  const sized = new ResizeObserver(() => {
    map.invalidateSize({ pan: false });
    fit();
    ground.paintSoon();
  });
  const recolour = () => ground.paintSoon();
  const dark = matchMedia("(prefers-color-scheme: dark)");
  sized.observe(element);
  document.addEventListener("themechange", recolour);
  dark.addEventListener("change", recolour);
  map.on("unload", () => {
    sized.disconnect();
    document.removeEventListener("themechange", recolour);
    dark.removeEventListener("change", recolour);
  });
}

/** A pin as a Leaflet icon; its look is CSS's. */
export function pin(L, kind = "") {
  const html = document.createElement("span");
  html.className = `pin ${kind}`;
  return L.divIcon({ html, className: "", iconSize: [30, 40], iconAnchor: [15, 38], popupAnchor: [0, -34] });
}
