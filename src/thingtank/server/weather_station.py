"""Brings the weather station and the feeds that fill it together."""

from contextlib import AsyncExitStack

from thingtank.server.data_folder import OpenFolder


async def start_weather(opened: OpenFolder, stack: AsyncExitStack) -> None:
    """Begin to fill the station from its bound feeds; `stack` ends it.

    Raises:
        StorageFailed: the database cannot be read.
    """
    # Django's models can be imported only after it is configured.
    from thingtank.web.weather import filling

    station = filling.StationFilling(opened.tank, opened.directory.write)
    await station.start()
    stack.push_async_callback(station.stop)
    filling.attach(station)
    stack.callback(filling.attach, None)
