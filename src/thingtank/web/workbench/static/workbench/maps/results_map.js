// <results-map data-places="…">: where the feeds of a search are. Feeds near to each other share a
// marker that says how many they are, so that a thousand of them move as one does.
import { loadSupercluster } from "./libraries.js";
import { MapElement } from "./map_element.js";
import { aboutOne, Markers } from "./markers.js";

const GROUP_PX = 52; // markers nearer than that become one
const FIT = { padding: [36, 36], maxZoom: 5, animate: false };
const LISTED_MAX = 20;

class ResultsMap extends MapElement {
  #index = null;
  #markers = null;
  #ring = null;
  #isPicking = false;

  get label() {
    return "Map of the feeds found";
  }

  get isPicking() {
    return this.#isPicking;
  }

  /** While picking, a click or Enter chooses a place: event `picked` with `lat` and `lon`. */
  set isPicking(isPicking) {
    this.#isPicking = isPicking;
    this.classList.toggle("is-picking", isPicking);
    this.say(isPicking ? "Click a place to search around it" : "");
    if (isPicking) this.querySelector(".map__area").focus();
  }

  /** Draw a ring around a point; null takes it away. */
  point(point) {
    this.#ring?.remove();
    this.#ring = null;
    if (!point || !this.map) return;
    const look = { radius: 15, weight: 3, fill: false, interactive: false, className: "ring" };
    this.#ring = this.L.circleMarker(point, { ...look, color: this.#colour }).addTo(this.map);
  }

  get #colour() {
    return getComputedStyle(this).getPropertyValue("--map-trail").trim();
  }

  get needed() {
    return [loadSupercluster(), this.#read()];
  }

  fill(area, Supercluster, found) {
    const { L, map } = this;
    this.#markers = new Markers(L, map, area);
    this.#index = new Supercluster({ radius: GROUP_PX, extent: 256, maxZoom: map.getMaxZoom() });
    this.#index.load(found.places.map((place) => ({
      type: "Feature",
      properties: place,
      geometry: { type: "Point", coordinates: [place.lon, place.lat] },
    })));
    this.#show(found);
    map.on("moveend", () => this.#update());
    this.#listen(area);
    this.#update();
  }

  async #read() {
    if (!this.dataset.places) return { places: [], found_count: 0, looked_at_count: 0 };
    const answer = await fetch(this.dataset.places, { credentials: "same-origin" });
    if (!answer.ok) throw new Error(String(answer.status));
    return answer.json();
  }

  /** Show the whole of what was found, and the circle that was searched. */
  #show({ places, found_count: foundCount, looked_at_count: lookedAtCount }) {
    const { lat, lon, distanceKm } = this.dataset;
    let bounds = this.L.latLngBounds(places.map((place) => [place.lat, place.lon]));
    if (lat !== undefined) {
      const circle = this.L.circle([Number(lat), Number(lon)], {
        radius: Number(distanceKm) * 1000,
        color: this.#colour,
        weight: 2,
        fillOpacity: 0.07,
        interactive: false,
      });
      circle.addTo(this.map);
      bounds = circle.getBounds();
    }
    if (bounds.isValid()) this.map.fitBounds(bounds, FIT);
    this.dataset.count = String(places.length);
    const caption = document.getElementById("map-caption");
    if (lookedAtCount < foundCount) {
      caption.textContent = `${places.length} of the first ${lookedAtCount} feeds found are on the map; narrow the search to see the others.`;
    } else if (foundCount) {
      caption.textContent = `${places.length} of ${foundCount} on the map`;
    }
  }

  #update() {
    const bounds = this.map.getBounds().pad(0.3);
    const box = [bounds.getWest(), bounds.getSouth(), bounds.getEast(), bounds.getNorth()];
    const seen = new Map();
    for (const item of this.#index.getClusters(box, Math.floor(this.map.getZoom()))) {
      const { properties } = item;
      const [lon, lat] = item.geometry.coordinates;
      if (properties.cluster) {
        seen.set(`group ${properties.cluster_id}`, () => this.#groupMarker([lat, lon], properties));
      } else {
        const about = () => aboutOne(properties, properties.is_live ? "Live" : "Frozen");
        seen.set(`feed ${properties.id}`, () => this.#markers.spot(properties, about));
      }
    }
    this.#markers.show(seen);
  }

  #groupMarker(latlng, group) {
    const count = group.point_count;
    return this.#markers.group(latlng, count, "feeds", () => {
      const zoom = this.#index.getClusterExpansionZoom(group.cluster_id);
      if (zoom <= this.map.getMaxZoom()) {
        this.map.setView(latlng, Math.max(zoom, this.map.getZoom() + 1));
        return;
      }
      const places = this.#index.getLeaves(group.cluster_id, LISTED_MAX).map((leaf) => leaf.properties);
      this.#markers.list(latlng, places, count, "feeds");
    });
  }

  #listen(area) {
    this.map.on("click", (event) => this.#pick(event.latlng));
    area.addEventListener("keydown", (event) => {
      if (event.key === "Enter" && event.target === area) this.#pick(this.map.getCenter());
    });
  }

  #pick(latlng) {
    if (!this.#isPicking) return;
    const { lat, lng } = latlng.wrap();
    const detail = { lat: Number(lat.toFixed(3)), lon: Number(lng.toFixed(3)) };
    this.dispatchEvent(new CustomEvent("picked", { detail }));
  }
}

customElements.define("results-map", ResultsMap);
