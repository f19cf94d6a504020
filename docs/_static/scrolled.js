// What is wider than its frame can be scrolled with the keyboard.
addEventListener("load", () => {
  for (const frame of document.querySelectorAll("pre, .table-wrapper"))
    if (frame.scrollWidth > frame.clientWidth) frame.tabIndex = 0;
});
