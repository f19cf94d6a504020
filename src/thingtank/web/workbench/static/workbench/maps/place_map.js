// <place-map data-lat data-lon>: where one device is. In a form with fields `lat` and `lon` the place
// is chosen: by a click, by dragging the pin, by arrow keys and Enter, or in the fields.
// data-trail: where a mobile device was before, [[lat, lon], …], oldest first.
import { pin } from "./map.js";
import { MapElement } from "./map_element.js";

const PLACE_ZOOM = 6;
const LINE = { weight: 2.5, opacity: 0.85, dashArray: "1 6", lineCap: "round", interactive: false };

const isNumber = (text) => text !== undefined && text.trim() !== "" && Number.isFinite(Number(text));

/** As many digits as a pixel at this zoom tells apart. */
function rounded(degrees, zoom) {
  return Number(degrees.toFixed(Math.max(1, Math.ceil(Math.log10((256 * 2 ** zoom) / 360)) + 1)));
}

class PlaceMap extends MapElement {
  #marker = null;
  #fields = null;

  prepare() {
    const form = this.dataset.chooses === undefined ? null : this.closest("form");
    this.#fields = form ? { lat: form.elements.namedItem("lat"), lon: form.elements.namedItem("lon") } : null;
    this.classList.toggle("is-picking", this.#fields !== null);
    this.#marker = null;
  }

  get options() {
    return { dragging: this.#fields !== null || !matchMedia("(pointer: coarse)").matches };
  }

  fill(area) {
    this.#showPlace(true);
    this.#showTrail();
    if (this.#fields) this.#choose(area);
  }

  get label() {
    const name = this.dataset.name ? `${this.dataset.name}, ` : "";
    if (this.#fields) return "Map to choose the place: arrow keys move it, Enter places the pin";
    return `Map of ${name}${this.dataset.lat}, ${this.dataset.lon}`;
  }

  get #place() {
    const { lat, lon } = this.#fields
      ? { lat: this.#fields.lat.value, lon: this.#fields.lon.value }
      : this.dataset;
    return isNumber(lat) && isNumber(lon) && Math.abs(lat) <= 90 && Math.abs(lon) <= 180
      ? [Number(lat), Number(lon)]
      : null;
  }

  #showPlace(isMoved) {
    const place = this.#place;
    if (!place) {
      this.#marker?.remove();
      this.#marker = null;
      if (this.#fields) this.say("Click where it stands");
      return;
    }
    this.say("");
    if (!this.#marker) this.#mark(place);
    this.#marker.setLatLng(place);
    if (isMoved) this.map.setView(place, Math.max(this.map.getZoom(), PLACE_ZOOM), { animate: false });
  }

  #mark(place) {
    const canDrag = this.#fields !== null;
    this.#marker = this.L.marker(place, {
      icon: pin(this.L),
      interactive: canDrag,
      draggable: canDrag,
      keyboard: false, // the map itself is moved by keys
    });
    this.#marker.addTo(this.map);
    this.#marker.on("dragend", () => this.#take(this.#marker.getLatLng()));
  }

  #showTrail() {
    const trail = JSON.parse(this.dataset.trail || "[]");
    if (!trail.length) return;
    const colour = getComputedStyle(this).getPropertyValue("--map-trail").trim();
    const way = this.#place ? [...trail, this.#place] : trail;
    this.L.polyline(way, { ...LINE, color: colour, className: "trail" }).addTo(this.map);
    for (const stop of trail) {
      const look = { radius: 3, weight: 0, fillOpacity: 0.9, fillColor: colour, interactive: false };
      this.L.circleMarker(stop, look).addTo(this.map);
    }
    this.map.fitBounds(this.L.latLngBounds(way), { maxZoom: PLACE_ZOOM, padding: [24, 24], animate: false });
    this.dataset.stops = String(trail.length);
  }

  #choose(area) {
    this.map.on("click", (event) => this.#take(event.latlng));
    area.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" || event.target !== area) return;
      event.preventDefault();
      this.#take(this.map.getCenter());
    });
    for (const field of Object.values(this.#fields)) {
      field.addEventListener("input", () => this.#showPlace(true));
    }
  }

  #take(latlng) {
    const { lat, lng } = latlng.wrap();
    this.#fields.lat.value = rounded(lat, this.map.getZoom());
    this.#fields.lon.value = rounded(lng, this.map.getZoom());
    this.#showPlace(false);
    this.say(`Placed at ${this.#fields.lat.value}, ${this.#fields.lon.value}. Save to keep it.`);
  }
}

customElements.define("place-map", PlaceMap);
