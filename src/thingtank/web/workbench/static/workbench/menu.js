// The menu where it is wider than the page: the page's own item is in sight, and what is not fades.

export function startMenu() {
  const menu = document.querySelector(".topbar__nav");
  if (!menu) return;
  const tell = () => {
    const after = menu.scrollWidth - menu.clientWidth - menu.scrollLeft;
    menu.dataset.more = [menu.scrollLeft > 1 && "before", after > 1 && "after"].filter(Boolean).join(" ");
  };
  const current = menu.querySelector("[aria-current]");
  if (current && menu.scrollWidth > menu.clientWidth) {
    const middle = current.offsetLeft - menu.offsetLeft + current.offsetWidth / 2;
    menu.scrollLeft = middle - menu.clientWidth / 2;
  }
  menu.addEventListener("scroll", tell, { passive: true });
  new ResizeObserver(tell).observe(menu);
  tell();
}
