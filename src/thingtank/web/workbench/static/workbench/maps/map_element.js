// What <place-map>, <results-map> and <devices-map> share: a map in an element, with words on it.
import { makeMap } from "./map.js";
import { element } from "./markers.js";

/** Has `label`, `options` and `fill(area, load)` of its own kind; `L` and `map` are there for `fill`. */
export class MapElement extends HTMLElement {
  L = null;
  map = null;
  #words = element("p", "map__words");

  connectedCallback() {
    this.classList.add("is-loading");
    this.#words.setAttribute("role", "status");
    this.prepare();
    const area = element("div", "map__area");
    area.setAttribute("role", "region");
    area.setAttribute("aria-label", this.label);
    this.replaceChildren(area, element("div", "map__cross"), this.#words);
    this.#start(area).catch(() => this.say("The map could not be loaded."));
  }

  disconnectedCallback() {
    this.map?.remove();
    this.map = null;
  }

  async #start(area) {
    const [{ L, map }, ...loaded] = await Promise.all([makeMap(area, this.options), ...this.needed]);
    if (!this.isConnected) {
      map.remove();
      return;
    }
    [this.L, this.map] = [L, map];
    await this.fill(area, ...loaded);
    this.classList.remove("is-loading");
  }

  /** Before anything is shown. */
  prepare() {}

  /** For `makeMap`. */
  get options() {
    return {};
  }

  /** Promises of what is loaded beside the map, and given to `fill`. */
  get needed() {
    return [];
  }

  say(text) {
    this.#words.textContent = text;
  }
}
