// Two fingers on a chart move and zoom its time axis: what is under them stays under them.

const APART_PX_MIN = 16; // nearer to each other, fingers would zoom by far too much

/** Where two fingers are, from the left end of a plot; the left one first. */
function places(touches, left) {
  return [...touches].map((touch) => touch.clientX - left).sort((one, other) => one - other);
}

/**
 * @param element that is touched.
 * @param plotOf the plot in it; null while there is none.
 * @param show called with [startS, endS] while fingers move.
 * @param done called when they are lifted.
 */
export function followPinch(element, plotOf, show, done) {
  let held = null; // ends what goes on while two fingers are down

  const lift = () => {
    held?.abort();
    held = null;
  };

  element.addEventListener("touchstart", ({ touches }) => {
    lift();
    const plot = plotOf();
    if (touches.length !== 2 || !plot) return;
    const { left, width } = plot.over.getBoundingClientRect();
    const [first, second] = places(touches, left);
    if (second - first < APART_PX_MIN) return;
    const [firstS, secondS] = [plot.posToVal(first, "x"), plot.posToVal(second, "x")];
    held = new AbortController();
    const { signal } = held;
    element.addEventListener("touchmove", (event) => {
      event.preventDefault(); // it neither scrolls nor zooms the page
      const [near, far] = places(event.touches, left);
      const secondsPerPx = (secondS - firstS) / Math.max(APART_PX_MIN, far - near);
      const startS = firstS - near * secondsPerPx;
      show([startS, startS + width * secondsPerPx]);
    }, { passive: false, signal });
    for (const name of ["touchend", "touchcancel"]) {
      element.addEventListener(name, () => {
        lift();
        done();
      }, { signal });
    }
  }, { passive: true });
}
