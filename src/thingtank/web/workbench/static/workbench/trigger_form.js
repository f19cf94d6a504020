// The form of a trigger shows what goes with the chosen condition only.
import { startBacktests } from "./backtest.js";

const USES = {
  threshold: ["gt", "gte", "lt", "lte", "eq"],
  clear_value: ["gt", "gte", "lt", "lte"],
  hold: ["gt", "gte", "lt", "lte", "eq", "frozen"],
};

function show(form) {
  const kind = form.elements.kind.value;
  for (const [name, kinds] of Object.entries(USES)) {
    form.querySelector(`[data-part="${name}"]`).hidden = !kinds.includes(kind);
  }
  form.querySelector("[data-silence]").hidden = kind !== "frozen" && kind !== "live";
  const units = JSON.parse(document.getElementById("trigger-units").textContent);
  const unit = units[form.elements.channel.value] ?? "";
  for (const element of form.querySelectorAll("[data-unit]")) element.textContent = unit;
}

function showAll() {
  for (const form of document.querySelectorAll("form:has([data-trigger-form])")) show(form);
}

document.addEventListener("change", (event) => {
  const form = event.target.form;
  if (form?.querySelector("[data-trigger-form]")) show(form);
});
document.addEventListener("sheetshown", showAll);
showAll();
startBacktests();
