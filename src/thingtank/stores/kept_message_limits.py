"""How much may be kept for one device."""

from typing import NamedTuple

from thingtank.stores.kept_message_settings import KeptMessageSettings
from thingtank.tank.errors import LimitReached


class Size(NamedTuple):
    """What a device has."""

    message_count: int
    size_bytes: int

    def plus(self, count: int, size_bytes: int) -> "Size":
        """With so much more, or less."""
        return Size(self.message_count + count, self.size_bytes + size_bytes)


NOTHING = Size(0, 0)


def check_limits(
    device_id: int, size: Size, body_bytes: int, settings: KeptMessageSettings
) -> None:
    """Raise LimitReached when a device has no room for one more message."""
    count_max, bytes_max = settings.messages_per_device_max, settings.bytes_per_device_max
    if size.message_count >= count_max:
        raise LimitReached(
            f"{size.message_count} messages wait for device {device_id}; at most {count_max} may"
        )
    size_bytes = size.size_bytes + body_bytes
    if size_bytes > bytes_max:
        raise LimitReached(
            f"{size_bytes} bytes would wait for device {device_id}; at most {bytes_max} may"
        )
