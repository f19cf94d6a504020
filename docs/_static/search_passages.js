// Below each result of a search, the passage that it was found in. The theme would read the page for
// it, which a browser forbids where pages are opened as files; so `page_texts.js` has all texts.
(() => {
  const RADIUS = 90; // characters each side of the first word that was found
  const texts = window.PAGE_TEXTS || {};
  const words = (new URLSearchParams(location.search).get("q") || "").toLowerCase().match(/[\w.$-]{2,}/g) || [];
  const first = (text) => {
    const low = text.toLowerCase();
    const places = words.map((word) => low.indexOf(word)).filter((at) => at >= 0);
    return places.length ? Math.min(...places) : -1;
  };
  const passage = (text) => {
    const at = Math.max(0, first(text));
    const from = at > RADIUS ? text.lastIndexOf(" ", at - RADIUS) + 1 : 0;
    const until = text.indexOf(" ", at + RADIUS);
    return (from ? "… " : "") + text.slice(from, until < 0 ? undefined : until) + (until < 0 ? "" : " …");
  };
  const add = (item) => {
    const link = item.querySelector("a");
    if (!link || item.querySelector("p.found")) return;
    const url = new URL(link.href);
    const name = Object.keys(texts).find((one) => url.pathname.endsWith("/" + one + ".html"));
    const section = name && (texts[name][url.hash.slice(1)] ?? Object.values(texts[name]).find((text) => first(text) >= 0) ?? Object.values(texts[name])[0]);
    if (!section) return;
    const found = item.appendChild(document.createElement("p"));
    found.className = "found";
    const text = passage(section);
    const pattern = new RegExp(`(${words.map((word) => word.replace(/[.$-]/g, "\\$&")).join("|")})`, "gi");
    text.split(pattern).forEach((part, number) => {
      const node = number % 2 ? document.createElement("mark") : document.createElement("span");
      node.textContent = part;
      found.append(node);
    });
  };
  const results = document.getElementById("search-results");
  if (!results || !words.length) return;
  new MutationObserver(() => results.querySelectorAll("ul.search li").forEach(add))
    .observe(results, { childList: true, subtree: true });
})();
