"""What a search finds, said plainly: one device after another, for indexes to agree with."""

import math
import re
import unicodedata
from collections.abc import Iterable, Mapping

from thingtank.tank.interfaces import DeviceQuery, Directory
from thingtank.tank.things import Datastream, Device


def naive_search(
    directory: Directory,
    ids: Iterable[int],
    query: DeviceQuery,
    currents_us: Mapping[int, int],
    now_us: int,
) -> list[Device]:
    """All devices that a query asks for, in order."""
    found = [
        (device, streams)
        for device in map(directory.get_device, ids)
        if passes(device, streams := directory.datastreams(device.device_id), query, directory)
        and has_status(streams, query, currents_us, now_us)
    ]
    if query.text:
        asked = words(query.text, with_parts=False)
        fitting = [item for item in found if fits(asked, *item, directory)]
        found = fitting or [item for item in found if fits(asked, *item, directory, forgives=True)]
    devices = in_order(directory, [device for device, _ in found], query, currents_us)
    return devices[::-1] if query.is_reversed else devices


def in_order(
    directory: Directory,
    devices: list[Device],
    query: DeviceQuery,
    currents_us: Mapping[int, int],
) -> list[Device]:
    if query.order == "updated_at":
        return sorted(devices, key=lambda device: (device.updated_us, device.device_id), reverse=True)  # fmt: skip
    if query.order == "title":
        return sorted(devices, key=lambda device: (device.title.casefold(), device.device_id))
    if query.order == "retrieved_at":

        def changed_us(device: Device) -> int:
            streams = directory.datastreams(device.device_id).values()
            times = [currents_us.get(stream.stream_id, 0) for stream in streams]
            return max(device.updated_us, *times, 0)

        return sorted(devices, key=lambda device: (changed_us(device), device.device_id), reverse=True)  # fmt: skip
    return sorted(devices, key=lambda device: (device.created_us, device.device_id), reverse=True)


def passes(
    device: Device, streams: Mapping[str, Datastream], query: DeviceQuery, directory: Directory
) -> bool:
    mine = query.everybody or device.account_id == query.account_id
    if not (mine and (query.with_private or not device.private)) and not (
        query.with_public and not device.private
    ):
        return False
    tags = [*device.tags, *(tag for stream in streams.values() for tag in stream.tags)]
    units = [stream.unit for stream in streams.values() if stream.unit]
    labels = {text.lower() for unit in units for text in (unit.label, unit.symbol)}
    return (
        (not query.tag or query.tag.casefold() in [tag.casefold() for tag in tags])
        and (not query.units or query.units.lower() in labels)
        and (not query.user or directory.get_account(device.account_id).login == query.user)
        and (query.updated_since_us is None or device.updated_us >= query.updated_since_us)
        and (not query.product_id or device.product_id == query.product_id)
        and (query.device_ids is None or device.device_id in query.device_ids)
        and (query.lat is None or is_near(device, query))
    )


def is_near(device: Device, query: DeviceQuery) -> bool:
    place = device.location
    if place is None or place.lat is None or place.lon is None:
        return False
    assert query.lat is not None
    assert query.lon is not None
    return haversine_m(place.lat, place.lon, query.lat, query.lon) <= query.distance_m


def haversine_m(lat: float, lon: float, other_lat: float, other_lon: float) -> float:
    """Source: R. W. Sinnott, "Virtues of the Haversine", 1984."""
    phi, other_phi = math.radians(lat), math.radians(other_lat)
    half = (
        math.sin((other_phi - phi) / 2) ** 2
        + math.cos(phi) * math.cos(other_phi) * math.sin(math.radians(other_lon - lon) / 2) ** 2
    )
    return 2 * 6_371_008.8 * math.asin(math.sqrt(min(1, half)))


def has_status(
    streams: Mapping[str, Datastream],
    query: DeviceQuery,
    currents_us: Mapping[int, int],
    now_us: int,
) -> bool:
    times = [currents_us[s.stream_id] for s in streams.values() if s.stream_id in currents_us]
    is_live = any(now_us - at_us < query.live_s * 1_000_000 for at_us in times)
    return query.status == "all" or (query.status == "live") == is_live


def fits(
    asked: set[str],
    device: Device,
    streams: Mapping[str, Datastream],
    directory: Directory,
    forgives: bool = False,
) -> bool:
    texts = [device.title, device.description, *device.tags, *streams]
    texts += [tag for stream in streams.values() for tag in stream.tags]
    there = set().union(*(words(text) for text in texts))
    owner = words(directory.get_account(device.account_id).login)

    def has(word: str) -> bool:
        begins = any(
            one == word or (len(word) > 1 and one.startswith(word)) for one in there | owner
        )
        return begins or (forgives and any(is_one_mistake(word, one) for one in there))

    return bool(asked) and all(map(has, asked))


def words(text: str, with_parts: bool = True) -> set[str]:
    plain = "".join(c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c))
    tokens = re.findall(r"[^\W_]+", plain)
    parts = [
        part for token in tokens for part in re.sub(r"([a-z])([A-Z])", r"\1 \2", token).split()
    ]
    return {token.casefold() for token in tokens + (parts if with_parts else [])}


def is_one_mistake(typed: str, meant: str) -> bool:
    """Optimal string alignment distance of 1 at most; only for words of five letters or more."""
    if len(typed) < 5 or not typed.isalpha():
        return False
    rows = [
        [i + j if i * j == 0 else 0 for j in range(len(meant) + 1)] for i in range(len(typed) + 1)
    ]
    for i in range(1, len(typed) + 1):
        for j in range(1, len(meant) + 1):
            cost = typed[i - 1] != meant[j - 1]
            rows[i][j] = min(rows[i - 1][j] + 1, rows[i][j - 1] + 1, rows[i - 1][j - 1] + cost)
            if i > 1 and j > 1 and typed[i - 1] == meant[j - 2] and typed[i - 2] == meant[j - 1]:
                rows[i][j] = min(rows[i][j], rows[i - 2][j - 2] + 1)
    return rows[-1][-1] <= 1
