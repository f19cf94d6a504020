// Decisions and the list of changes come behind the pages that tell how it is now.
var Scorer = {
  score: ([name, , , , score]) => (/^(adr\/|changelog)/.test(name) ? score - 20 : score),
  objNameMatch: 11, objPartialMatch: 6, objPrio: { 0: 15, 1: 5, 2: -5 }, objPrioDefault: 0,
  title: 15, partialTitle: 7, term: 5, partialTerm: 2,
};
