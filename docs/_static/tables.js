// Long names in tables break where their parts end: box_8_02_|publisher.py.
const names = document.querySelectorAll("table.docutils :is(a, code)");
for (const name of names) {
  const walker = document.createTreeWalker(name, NodeFilter.SHOW_TEXT);
  const texts = [];
  while (walker.nextNode()) texts.push(walker.currentNode);
  for (const text of texts) {
    const parts = text.data.split(/(?<=\w[_/.=]+)(?=\w)/);
    text.replaceWith(...parts.flatMap((part, at) => (at ? [document.createElement("wbr"), part] : [part])));
  }
}

// What is wider than its frame can be scrolled with the keyboard.
addEventListener("load", () => {
  for (const frame of document.querySelectorAll("pre, .table-wrapper"))
    if (frame.scrollWidth > frame.clientWidth) frame.tabIndex = 0;
});
