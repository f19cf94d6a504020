// Markers of a map: one device, or many in one, and what their popups say.

const SPOT_PX = 28;

export const element = (tag, className, text = "") =>
  Object.assign(document.createElement(tag), { className, textContent: text });

function linkTo(place) {
  const link = element("a", "", place.title);
  link.href = `/feeds/${place.id}`;
  return link;
}

/** What a popup says of one: `lines` of text below its name. */
export function aboutOne(place, ...lines) {
  const box = element("div", "popup");
  box.append(linkTo(place), ...lines.map((text) => element("p", "", text)));
  return box;
}

/** What a popup says of some of `count` that share a place. */
export function aboutMany(places, count, noun) {
  const box = element("div", "popup");
  const list = document.createElement("ul");
  for (const place of places) {
    const item = document.createElement("li");
    item.append(linkTo(place));
    list.append(item);
  }
  box.append(element("p", "", `${count} ${noun} at this place`), list);
  if (count > places.length) box.append(element("p", "", `and ${count - places.length} more`));
  return box;
}

const sizeOf = (count) => Math.min(56, 30 + 6 * Math.log2(count / 2 + 1));
const short = new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 1 });

/** The markers of one map, by key: those that stay are left alone, as one may have the focus. */
export class Markers {
  #L;
  #map;
  #layer;
  #shown = new Map(); // key → marker

  constructor(L, map, area) {
    this.#L = L;
    this.#map = map;
    this.#layer = L.layerGroup().addTo(map);
    this.#followPopups(area);
  }

  /** Show what is in `wanted`, key → a function that makes its marker, and nothing else. */
  show(wanted) {
    for (const [key, marker] of this.#shown) {
      if (wanted.has(key)) continue;
      this.#layer.removeLayer(marker);
      this.#shown.delete(key);
    }
    for (const [key, make] of wanted) {
      if (!this.#shown.has(key)) this.#shown.set(key, make().addTo(this.#layer));
    }
  }

  #marker(latlng, html, size, label) {
    const popupAnchor = [0, -size / 2];
    const icon = this.#L.divIcon({ html, className: "", iconSize: [size, size], popupAnchor });
    const marker = this.#L.marker(latlng, { icon, riseOnHover: true });
    marker.on("add", () => marker.getElement().setAttribute("aria-label", label));
    return marker;
  }

  /** One device; `about` makes its popup when it opens. */
  spot(place, about) {
    const kind = place.is_live ? "spot spot--live" : "spot";
    const label = `${place.title}, ${place.is_live ? "live" : "frozen"}`;
    const marker = this.#marker([place.lat, place.lon], element("span", kind), SPOT_PX, label);
    marker.bindPopup(about, { maxWidth: 260 });
    return marker;
  }

  /** Many in one; `look` is called when it is chosen. */
  group(latlng, count, noun, look) {
    const html = element("span", "group", short.format(count));
    const marker = this.#marker(latlng, html, sizeOf(count), `${count} ${noun}, look closer`);
    marker.on("click", look);
    marker.on("keypress", ({ originalEvent }) => originalEvent.key === "Enter" && look());
    return marker;
  }

  /** A popup over a group that no look closer takes apart. */
  list(latlng, places, count, noun) {
    const look = { maxWidth: 280, offset: [0, 7 - sizeOf(count) / 2] };
    this.#L.popup(look).setLatLng(latlng).setContent(aboutMany(places, count, noun)).openOn(this.#map);
  }

  /** The focus goes into a popup that opens, and back to the map when it closes. */
  #followPopups(area) {
    this.#map.on("popupopen", ({ popup }) => {
      popup.getElement().querySelector(".popup a")?.focus({ preventScroll: true });
    });
    this.#map.on("popupclose", ({ popup }) => {
      if (popup.getElement()?.contains(document.activeElement)) area.focus({ preventScroll: true });
    });
    area.addEventListener("keydown", ({ key }) => key === "Escape" && this.#map.closePopup());
  }
}
