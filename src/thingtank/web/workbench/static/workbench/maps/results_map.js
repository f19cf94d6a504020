// <results-map data-places="…">: where the feeds of a search are. Feeds near to each other share a
// marker that says how many they are, so that a thousand of them move as one does.
import { loadSupercluster } from "./libraries.js";
import { makeMap } from "./map.js";

const GROUP_PX = 52; // markers nearer than that become one
const SPOT_PX = 28;
const FIT = { padding: [36, 36], maxZoom: 5, animate: false };
const LISTED_MAX = 20;

const element = (tag, className, text = "") =>
  Object.assign(document.createElement(tag), { className, textContent: text });

function linkTo(place) {
  const link = element("a", "", place.title);
  link.href = `/feeds/${place.id}`;
  return link;
}

function aboutOne(place) {
  const box = element("div", "popup");
  box.append(linkTo(place), element("p", "", place.is_live ? "Live" : "Frozen"));
  return box;
}

function aboutMany(places, count) {
  const box = element("div", "popup");
  const list = document.createElement("ul");
  for (const place of places) {
    const item = document.createElement("li");
    item.append(linkTo(place));
    list.append(item);
  }
  box.append(element("p", "", `${count} feeds at this place`), list);
  if (count > places.length) box.append(element("p", "", `and ${count - places.length} more`));
  return box;
}

const sizeOf = (count) => Math.min(56, 30 + 6 * Math.log2(count / 2 + 1));

class ResultsMap extends HTMLElement {
  #L = null;
  #map = null;
  #index = null;
  #markers = new Map(); // key of a place or a group → marker
  #layer = null;
  #ring = null;
  #isPicking = false;
  #words = element("p", "map__words");

  connectedCallback() {
    this.classList.add("is-loading");
    this.#words.setAttribute("role", "status");
    const area = element("div", "map__area");
    area.setAttribute("role", "region");
    area.setAttribute("aria-label", "Map of the feeds found");
    this.replaceChildren(area, element("div", "map__cross"), this.#words);
    this.#start(area).catch(() => {
      this.#words.textContent = "The map could not be loaded.";
    });
  }

  disconnectedCallback() {
    this.#map?.remove();
    this.#map = null;
  }

  get isPicking() {
    return this.#isPicking;
  }

  /** While picking, a click or Enter chooses a place: event `picked` with `lat` and `lon`. */
  set isPicking(isPicking) {
    this.#isPicking = isPicking;
    this.classList.toggle("is-picking", isPicking);
    this.#words.textContent = isPicking ? "Click a place to search around it" : "";
    if (isPicking) this.querySelector(".map__area").focus();
  }

  /** Draw a ring around a point; null takes it away. */
  point(point) {
    this.#ring?.remove();
    this.#ring = null;
    if (!point || !this.#map) return;
    const look = { radius: 15, weight: 3, fill: false, interactive: false, className: "ring" };
    this.#ring = this.#L.circleMarker(point, { ...look, color: this.#colour }).addTo(this.#map);
  }

  get #colour() {
    return getComputedStyle(this).getPropertyValue("--map-trail").trim();
  }

  async #start(area) {
    const [{ L, map }, Supercluster, found] = await Promise.all([
      makeMap(area),
      loadSupercluster(),
      this.#read(),
    ]);
    if (!this.isConnected) {
      map.remove();
      return;
    }
    [this.#L, this.#map] = [L, map];
    this.#layer = L.layerGroup().addTo(map);
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
    this.classList.remove("is-loading");
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
    let bounds = this.#L.latLngBounds(places.map((place) => [place.lat, place.lon]));
    if (lat !== undefined) {
      const circle = this.#L.circle([Number(lat), Number(lon)], {
        radius: Number(distanceKm) * 1000,
        color: this.#colour,
        weight: 2,
        fillOpacity: 0.07,
        interactive: false,
      });
      circle.addTo(this.#map);
      bounds = circle.getBounds();
    }
    if (bounds.isValid()) this.#map.fitBounds(bounds, FIT);
    this.dataset.count = String(places.length);
    const caption = document.getElementById("map-caption");
    if (lookedAtCount < foundCount) {
      caption.textContent = `${places.length} of the first ${lookedAtCount} feeds found are on the map; narrow the search to see the others.`;
    } else if (foundCount) {
      caption.textContent = `${places.length} of ${foundCount} on the map`;
    }
  }

  #update() {
    const bounds = this.#map.getBounds().pad(0.3);
    const box = [bounds.getWest(), bounds.getSouth(), bounds.getEast(), bounds.getNorth()];
    const seen = new Map();
    for (const item of this.#index.getClusters(box, Math.floor(this.#map.getZoom()))) {
      const { cluster_id: group, id } = item.properties;
      seen.set(group === undefined ? `feed ${id}` : `group ${group}`, item);
    }
    for (const [key, marker] of this.#markers) {
      if (seen.has(key)) continue;
      this.#layer.removeLayer(marker);
      this.#markers.delete(key);
    }
    // Those that stay are left alone: one of them may have the focus, or an open popup.
    for (const [key, item] of seen) {
      if (!this.#markers.has(key)) this.#markers.set(key, this.#add(item));
    }
  }

  #add(item) {
    const [lon, lat] = item.geometry.coordinates;
    const group = item.properties.cluster ? item.properties : null;
    const marker = group ? this.#groupMarker([lat, lon], group) : this.#placeMarker([lat, lon], item.properties);
    marker.addTo(this.#layer);
    return marker;
  }

  #marker(latlng, html, size, label) {
    const popupAnchor = [0, -size / 2];
    const icon = this.#L.divIcon({ html, className: "", iconSize: [size, size], popupAnchor });
    const marker = this.#L.marker(latlng, { icon, riseOnHover: true });
    marker.on("add", () => marker.getElement().setAttribute("aria-label", label));
    return marker;
  }

  #placeMarker(latlng, place) {
    const kind = place.is_live ? "spot spot--live" : "spot";
    const marker = this.#marker(latlng, element("span", kind), SPOT_PX, `${place.title}, ${place.is_live ? "live" : "frozen"}`);
    marker.bindPopup(() => aboutOne(place), { maxWidth: 260 });
    return marker;
  }

  #groupMarker(latlng, group) {
    const count = group.point_count;
    const html = element("span", "group", String(group.point_count_abbreviated));
    const marker = this.#marker(latlng, html, sizeOf(count), `${count} feeds, look closer`);
    marker.on("click", () => {
      const zoom = this.#index.getClusterExpansionZoom(group.cluster_id);
      if (zoom <= this.#map.getMaxZoom()) {
        this.#map.setView(latlng, Math.max(zoom, this.#map.getZoom() + 1));
        return;
      }
      const places = this.#index.getLeaves(group.cluster_id, LISTED_MAX).map((leaf) => leaf.properties);
      const look = { maxWidth: 280, offset: [0, 7 - sizeOf(count) / 2] };
      this.#L.popup(look).setLatLng(latlng).setContent(aboutMany(places, count)).openOn(this.#map);
    });
    return marker;
  }

  /** The focus goes into a popup that opens, and back to the map when it closes. */
  #followPopups(area) {
    this.#map.on("popupopen", ({ popup }) => {
      popup.getElement().querySelector(".popup a")?.focus({ preventScroll: true });
    });
    this.#map.on("popupclose", ({ popup }) => {
      if (popup.getElement()?.contains(document.activeElement)) area.focus({ preventScroll: true });
    });
  }

  #listen(area) {
    this.#followPopups(area);
    this.#map.on("click", (event) => this.#pick(event.latlng));
    area.addEventListener("keydown", (event) => {
      if (event.key === "Enter" && event.target === area) this.#pick(this.#map.getCenter());
      if (event.key === "Escape") this.#map.closePopup();
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
