"""Settings of the messages kept for devices that are away."""

import msgspec


class KeptMessageSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How much is kept.

    Attributes:
        messages_per_device_max: messages that one device may have waiting.
        bytes_per_device_max: of these messages.
        pending_bytes_max: of messages that wait for the disk; more are refused as Overloaded.
    """

    messages_per_device_max: int = 100
    bytes_per_device_max: int = 1024 * 1024
    pending_bytes_max: int = 32 * 1024 * 1024
