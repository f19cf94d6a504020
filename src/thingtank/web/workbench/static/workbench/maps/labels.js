// Names of countries and places: as many as fit, the important ones first, none over another.

const PLACES_BY_ZOOM = [0, 0, 12, 40, 120, 320, 800, 2000]; // how far down the list, from zoom 0 on
const COUNTRIES_ZOOM_MAX = 7;
const ROOM_PX = 5; // around each name

class Taken {
  #boxes = [];

  /** Take a box if nobody has any of it. */
  take(left, top, width, height) {
    const right = left + width;
    const bottom = top + height;
    const isFree = this.#boxes.every(
      (box) => left > box.right || right < box.left || top > box.bottom || bottom < box.top,
    );
    if (isFree) this.#boxes.push({ left, top, right, bottom });
    return isFree;
  }
}

function write(pen, text, x, y, colour, halo) {
  pen.lineWidth = 3;
  pen.lineJoin = "round";
  pen.strokeStyle = halo;
  pen.strokeText(text, x, y);
  pen.fillStyle = colour;
  pen.fillText(text, x, y);
}

function spaced(pen, space) {
  if ("letterSpacing" in pen) pen.letterSpacing = space; // not in every browser
}

/** Write what fits. `painter` knows the view, `colours` are those of the theme. */
export function writeLabels(painter, world, zoom, colours, font) {
  const { pen } = painter;
  const taken = new Taken();
  pen.textBaseline = "middle";
  if (zoom < 5) writePlaces(painter, world.places, zoom, colours, font, taken, true);
  if (zoom < COUNTRIES_ZOOM_MAX) writeCountries(painter, world.countries, zoom, colours, font, taken);
  writePlaces(painter, world.places, zoom, colours, font, taken, false);
}

function writeCountries(painter, countries, zoom, colours, font, taken) {
  const { pen } = painter;
  const { size, left, top, width, height } = painter.view;
  pen.textAlign = "center";
  pen.font = `600 ${zoom < 3 ? 9.5 : 11}px ${font}`;
  spaced(pen, "0.06em");
  for (const country of countries) {
    const x = country.x * size - left;
    const y = country.y * size - top;
    if (x < 0 || x > width || y < 0 || y > height) continue;
    const text = country.text.toUpperCase();
    const textWidth = pen.measureText(text).width;
    if (textWidth > country.width * size * 1.15) continue; // wider than the country
    if (taken.take(x - textWidth / 2 - ROOM_PX, y - 8, textWidth + 2 * ROOM_PX, 16)) {
      write(pen, text, x, y, colours["label-soft"], colours.halo);
    }
  }
  spaced(pen, "0em");
}

/** Places with a dot; `isFirst` those that go before countries: the few largest. */
function writePlaces(painter, places, zoom, colours, font, taken, isFirst) {
  const { pen } = painter;
  const { size, left, top, width, height } = painter.view;
  const known = PLACES_BY_ZOOM[Math.floor(zoom)] ?? places.length;
  const count = isFirst ? Math.min(known, Math.floor(known / 4)) : known;
  for (const place of places.slice(0, count)) {
    const x = place.x * size - left;
    const y = place.y * size - top;
    if (x < 0 || x > width || y < 0 || y > height) continue;
    pen.font = `${place.isCapital ? 600 : 450} ${zoom < 4 ? 10.5 : 11.5}px ${font}`;
    const textWidth = pen.measureText(place.text).width;
    const isRight = taken.take(x - 4, y - 8, textWidth + 12, 16);
    if (!isRight && !taken.take(x - textWidth - 10, y - 8, textWidth + 14, 16)) continue;
    pen.beginPath();
    pen.arc(x, y, place.isCapital ? 2.4 : 1.8, 0, 2 * Math.PI);
    pen.fillStyle = colours.label;
    pen.fill();
    pen.textAlign = isRight ? "left" : "right";
    write(pen, place.text, x + (isRight ? 6 : -6), y, colours.label, colours.halo);
  }
}
