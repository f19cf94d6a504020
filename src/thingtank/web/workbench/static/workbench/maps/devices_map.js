// <devices-map data-places="…">: any number of devices. The server makes clusters of what is in sight,
// and is asked again when the map has moved, and now and then for what has changed.
import { ageOf } from "../moments.js";
import { MapElement } from "./map_element.js";
import { aboutOne, Markers } from "./markers.js";

const LOOK_MS = 15_000;
const MOVED_MS = 120; // so long the map is still before it is asked about
const PADDING = 0.2; // of the view, around it
const FIT = { padding: [48, 48], maxZoom: 7, animate: false };
const NEAR = 1e-5; // degrees; no look closer takes apart what is nearer
const number = new Intl.NumberFormat("en");

class DevicesMap extends MapElement {
  #markers = null;
  #spots = new Map(); // id → what was last told of it
  #request = null;
  #moved = 0;
  #looking = 0;

  get label() {
    return "Map of devices";
  }

  disconnectedCallback() {
    clearInterval(this.#looking);
    clearTimeout(this.#moved);
    this.#request?.abort();
    super.disconnectedCallback();
  }

  async fill(area) {
    const { L, map } = this;
    this.#markers = new Markers(L, map, area);
    const found = await this.#look();
    if (found?.bounds) {
      const [west, south, east, north] = found.bounds;
      map.fitBounds([[south, west], [north, east]], FIT);
      await this.#look();
    }
    map.on("moveend", () => {
      clearTimeout(this.#moved);
      this.#moved = setTimeout(() => this.#look(), MOVED_MS);
    });
    this.#looking = setInterval(() => document.hidden || this.#look(), LOOK_MS);
  }

  /** Ask what is in a part of the world, [west, south, east, north]. */
  async #read(box, terms, signal) {
    const address = new URL(this.dataset.places, location.href);
    ["west", "south", "east", "north"].forEach((name, index) => address.searchParams.set(name, box[index]));
    for (const [name, value] of Object.entries(terms)) address.searchParams.set(name, value);
    const answer = await fetch(address, { signal, credentials: "same-origin" });
    if (!answer.ok) throw new Error(String(answer.status));
    return answer.json();
  }

  get #box() {
    const bounds = this.map.getBounds().pad(PADDING);
    const lon = (value) => Math.min(180, Math.max(-180, value));
    const lat = (value) => Math.min(90, Math.max(-90, value));
    return [lon(bounds.getWest()), lat(bounds.getSouth()), lon(bounds.getEast()), lat(bounds.getNorth())];
  }

  async #look() {
    this.#request?.abort();
    const request = new AbortController();
    this.#request = request;
    try {
      const found = await this.#read(this.#box, { zoom: this.map.getZoom() }, request.signal);
      this.say("");
      this.#show(found);
      return found;
    } catch (error) {
      if (error.name !== "AbortError") this.say("The server cannot be reached.");
      return null;
    }
  }

  #show({ groups, spots, placed_count: placedCount }) {
    const wanted = new Map();
    for (const group of groups) {
      const key = `group ${group.count} ${group.lat.toFixed(5)} ${group.lon.toFixed(5)}`;
      wanted.set(key, () => this.#markers.group([group.lat, group.lon], group.count, "devices", () => this.#closer(group)));
    }
    this.#spots = new Map(spots.map((spot) => [spot.id, spot]));
    for (const spot of spots) {
      const key = `device ${spot.id} ${spot.lat} ${spot.lon} ${spot.is_live}`;
      wanted.set(key, () => this.#markers.spot(spot, () => this.#about(this.#spots.get(spot.id) ?? spot)));
    }
    this.#markers.show(wanted);
    this.dataset.groups = String(groups.length);
    this.dataset.spots = String(spots.length);
    const caption = document.querySelector("[data-placed]");
    if (caption) caption.textContent = number.format(placedCount);
  }

  #about(spot) {
    if (spot.at_ms === null) return aboutOne(spot, "No values yet");
    return aboutOne(spot, `${spot.channel}: ${spot.value} ${spot.unit}`.trim(), ageOf(spot.at_ms));
  }

  async #closer({ lat, lon, count, west, south, east, north }) {
    const isPlace = east - west < NEAR && north - south < NEAR;
    const bounds = this.L.latLngBounds([[south, west], [north, east]]);
    const zoom = Math.min(this.map.getMaxZoom(), Math.max(this.map.getBoundsZoom(bounds.pad(0.1)), this.map.getZoom() + 1));
    if (!isPlace && zoom > this.map.getZoom()) {
      this.map.setView(bounds.getCenter(), zoom);
      return;
    }
    const box = [west - NEAR, south - NEAR, east + NEAR, north + NEAR];
    const found = await this.#read(box, { zoom: 0, list: 1 }).catch(() => null);
    if (found) this.#markers.list([lat, lon], found.spots, found.count, "devices");
  }
}

customElements.define("devices-map", DevicesMap);
