// In which order a search shows its pages. Sphinx knows where a word was found (title, text), and sorts
// equals by name; here how often it is in the text counts as well (as in BM25), and what kind of page it is.
var Scorer = {
  score: ([name, , anchor, , score]) => {
    const kind = { start: 2, howto: 2, explain: 0, reference: 0, adr: -20 }[name.split("/")[0]] ?? -20;
    const sections = (window.PAGE_TEXTS || {})[name] || {};
    const text = (anchor ? sections[anchor.slice(1)] : Object.values(sections).join(" ")) || "";
    const words = (new URLSearchParams(location.search).get("q") || "").toLowerCase().match(/[\w-]{2,}/g) || [];
    const often = words.map((word) => {
      const count = text.toLowerCase().split(word).length - 1;
      return (2.2 * count) / (count + 1.2 * (0.25 + (0.75 * text.length) / 6000)); // 6000: an average page
    });
    return score + kind + (4 * often.reduce((sum, one) => sum + one, 0)) / (words.length || 1);
  },
  objNameMatch: 11, objPartialMatch: 6, objPrio: { 0: 15, 1: 5, 2: -5 }, objPrioDefault: 0,
  title: 15, partialTitle: 7, term: 5, partialTerm: 2,
};
