"""Sensor data as messages show it."""

import msgspec

from thingtank.tank.events import DatapointsRecorded

_numbers: msgspec.json.Decoder[float | int] = msgspec.json.Decoder(float | int)


def newest_values(event: DatapointsRecorded) -> dict[str, float | int | str]:
    """The newest value of each datastream that was written, a number where it is one in JSON."""
    rows = event.rows
    newest_us: dict[int, int] = {}
    values: dict[str, float | int | str] = {}
    for stream_id, at_us, value in zip(rows.stream_ids, rows.at_us, rows.values, strict=True):
        if stream_id in newest_us and at_us < newest_us[stream_id]:
            continue
        newest_us[stream_id] = at_us
        name = event.names.get(stream_id)
        if name is not None:
            values[name] = _shown(value)
    return values


def _shown(value: str) -> float | int | str:
    try:
        return _numbers.decode(value)
    except msgspec.DecodeError:
        return value
