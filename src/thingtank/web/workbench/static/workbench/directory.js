// The directory's page: its form leaves blank terms out of the address, and its rows show on the map
// where they are. The map itself is <results-map>.
import "./maps/results_map.js";

const form = document.getElementById("directory-search");
const map = document.querySelector("results-map");
const pick = form.querySelector("[data-pick]");

form.addEventListener("formdata", ({ formData }) => {
  for (const [name, value] of [...formData]) if (!value) formData.delete(name);
});

pick.addEventListener("click", () => {
  map.isPicking = !map.isPicking;
  pick.setAttribute("aria-pressed", String(map.isPicking));
});

map.addEventListener("picked", ({ detail }) => {
  form.elements.lat.value = detail.lat;
  form.elements.lon.value = detail.lon;
  form.requestSubmit();
});

for (const row of document.querySelectorAll(".feed-row[data-lat]")) {
  const point = [Number(row.dataset.lat), Number(row.dataset.lon)];
  for (const kind of ["pointerenter", "focusin"]) row.addEventListener(kind, () => map.point(point));
  for (const kind of ["pointerleave", "focusout"]) row.addEventListener(kind, () => map.point(null));
}
