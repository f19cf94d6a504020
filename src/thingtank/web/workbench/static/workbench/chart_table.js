// What a chart shows as a table, for who does not see it: at most ROWS_MAX steps of the same range.
import { clockIn, momentOf } from "./chart_view.js";
import { number } from "./labels.js";

const ROWS_MAX = 40;

const element = (tag, text = "") => Object.assign(document.createElement(tag), { textContent: text });

function cell(text) {
  return element("td", text);
}

function rowsOf(chart, unit) {
  const spanS = chart.end_s - chart.start_s;
  const valueOf = (value) => `${number.format(value)} ${unit}`.trim();
  return chart.at_s.map((atS, row) => {
    const line = document.createElement("tr");
    const head = element("th", momentOf(atS, spanS));
    head.scope = "row";
    line.append(
      head,
      cell(valueOf(chart.mean[row])),
      cell(`${valueOf(chart.minimum[row])}, ${clockIn(chart.minimum_at_s[row], spanS)}`),
      cell(`${valueOf(chart.maximum[row])}, ${clockIn(chart.maximum_at_s[row], spanS)}`),
      cell(String(chart.count[row])),
    );
    return line;
  });
}

function tableOf(chart, name, unit) {
  const table = document.createElement("table");
  table.append(element("caption", `${name}, newest first`));
  const head = document.createElement("tr");
  for (const title of ["Time", "Mean", "Lowest", "Highest", "Values"]) {
    const column = element("th", title);
    column.scope = "col";
    head.append(column);
  }
  const top = document.createElement("thead");
  top.append(head);
  const body = document.createElement("tbody");
  body.append(...rowsOf(chart, unit).reverse());
  table.append(top, body);
  return table;
}

/** Show or hide the table of a chart. */
export async function toggleTable(chart, button) {
  const { article } = chart;
  const shown = article.querySelector(".chart-table");
  const isWanted = !shown;
  shown?.remove();
  button.setAttribute("aria-expanded", String(isWanted));
  if (isWanted) await fill(chart, button);
}

/** Have the tables that are open show what the charts do. */
export function refreshTable(chart) {
  const button = chart.article.querySelector("[data-table]");
  if (chart.article.querySelector(".chart-table")) fill(chart, button);
}

async function fill(chart, button) {
  const { article } = chart;
  let box = article.querySelector(".chart-table");
  if (!box) {
    box = document.createElement("div");
    box.className = "chart-table";
    box.tabIndex = 0;
    box.setAttribute("role", "region");
    box.setAttribute("aria-label", `Values of ${chart.name}`);
    article.querySelector(".channel__body").append(box);
  }
  try {
    const answer = await fetch(chart.address(ROWS_MAX), { credentials: "same-origin" });
    if (!answer.ok) throw new Error(String(answer.status));
    const found = await answer.json();
    const isEmpty = found.at_s.length === 0;
    box.replaceChildren(
      isEmpty ? element("p", "No numbers in this range.") : tableOf(found, chart.name, article.dataset.unit),
    );
  } catch {
    box.replaceChildren(element("p", "The values could not be loaded. Try again."));
    button?.setAttribute("aria-expanded", "true");
  }
}
