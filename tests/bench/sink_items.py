"""Items that rules send, for benches of sinks."""

from msgspec.structs import replace

from thingtank.sinks.engine import Item
from thingtank.sinks.rules.templates import as_json

DEVICES = 400


def items(count: int) -> list[Item]:
    """Values of one datastream of some devices in turn, as JSON too."""
    return [
        replace(each, payload=as_json(each))
        for each in (
            Item(
                f"0123456789ab-{place // 100}-{place % 100}", "datapoint", place % DEVICES,
                f"00000000-0000-4000-8000-{place % DEVICES:012}", "temperature",
                1_764_000_000_000_000 + place, f"{place % 400 / 10}", place % 400 / 10,
            )
            for place in range(count)
        )
    ]  # fmt: skip
