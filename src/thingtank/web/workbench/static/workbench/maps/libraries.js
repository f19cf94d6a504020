// Leaflet and its companions are classic scripts. They are fetched when the first map is shown, so
// that pages without one load nothing of them.

const FOLDER = new URL("../vendor/", import.meta.url);
const loading = new Map(); // path → promise

function load(path, make, add) {
  if (!loading.has(path)) {
    const element = make(new URL(path, FOLDER).href);
    const done = new Promise((resolve, reject) => {
      element.addEventListener("load", resolve);
      element.addEventListener("error", () => {
        loading.delete(path);
        element.remove();
        reject(new Error(`${path} was not loaded`));
      });
    });
    loading.set(path, done);
    add(element);
  }
  return loading.get(path);
}

function script(path) {
  const make = (src) => Object.assign(document.createElement("script"), { src });
  return load(path, make, (element) => document.head.append(element));
}

/** A style sheet, before the page's own, which say how its parts look here. */
function style(path) {
  const make = (href) => Object.assign(document.createElement("link"), { rel: "stylesheet", href });
  return load(path, make, (element) => document.head.prepend(element));
}

/** Leaflet, as its global `L`. */
export async function loadLeaflet() {
  await Promise.all([style("leaflet/leaflet.css"), script("leaflet/leaflet.js")]);
  return window.L;
}

/** The class that groups markers. */
export async function loadSupercluster() {
  await script("supercluster/supercluster.min.js");
  return window.Supercluster;
}

async function json(path) {
  const answer = await fetch(new URL(`world/${path}`, FOLDER));
  if (!answer.ok) throw new Error(`${path}: ${answer.status}`);
  return answer.json();
}

/** A file of the world's data that is a topology, and what reads one. */
export async function loadTopology(path) {
  const [topology] = await Promise.all([json(path), script("topojson-client/topojson-client.min.js")]);
  return [topology, window.topojson];
}

export const loadPlaces = () => json("places.json");
