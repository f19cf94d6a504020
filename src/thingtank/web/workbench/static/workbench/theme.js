// Runs before the first paint, so that a chosen theme does not flash. `js` on the root shows what
// only works with scripts.
(() => {
  const root = document.documentElement;
  root.classList.add("js");
  const stored = () => {
    try {
      return localStorage.getItem("theme") || "";
    } catch {
      return ""; // storage is blocked: follow the system
    }
  };
  const apply = (theme) => {
    if (theme === "light" || theme === "dark") root.dataset.theme = theme;
    else delete root.dataset.theme;
    document.dispatchEvent(new CustomEvent("themechange"));
  };
  apply(stored());
  window.thingTankTheme = {
    stored,
    isDark: () =>
      root.dataset.theme
        ? root.dataset.theme === "dark"
        : matchMedia("(prefers-color-scheme: dark)").matches,
    choose(theme) {
      try {
        if (theme) localStorage.setItem("theme", theme);
        else localStorage.removeItem("theme");
      } catch {
        // Not remembered, but shown for now.
      }
      apply(theme);
    },
  };
  addEventListener("storage", (event) => event.key === "theme" && apply(event.newValue || ""));
})();
