// What every page does: times, copying, secrets, dialogs, theme, notices.
import { startCopying } from "./copy.js";
import { startDialogs } from "./dialogs.js";
import { startMenu } from "./menu.js";
import { startMoments } from "./moments.js";
import { startNotices } from "./notices.js";
import { startSecrets } from "./secrets.js";

function startTheme() {
  const theme = window.thingTankTheme;
  for (const button of document.querySelectorAll("[data-theme-toggle]")) {
    button.addEventListener("click", () => theme.choose(theme.isDark() ? "light" : "dark"));
  }
  for (const group of document.querySelectorAll("[data-theme-choice]")) {
    const show = () => {
      for (const input of group.querySelectorAll("input")) {
        input.checked = input.value === theme.stored();
      }
    };
    show();
    group.addEventListener("change", (event) => theme.choose(event.target.value));
    document.addEventListener("themechange", show);
  }
}

/** Where a form came back with errors, its reader begins at the first of them. */
function startAtFirstError() {
  document.querySelector('main [aria-invalid="true"]')?.focus();
}

startTheme();
startMenu();
startMoments();
startNotices();
startSecrets();
startCopying();
startDialogs();
startAtFirstError();
