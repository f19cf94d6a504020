"""What waits to be sent in one session."""


class Outgoing:
    """Packets in order, of so many bytes together."""

    __slots__ = ("_bytes_max", "_packets", "_size_bytes")

    def __init__(self, bytes_max: int) -> None:
        """Begin with none."""
        self._bytes_max = bytes_max
        self._packets: list[bytes] = []
        self._size_bytes = 0

    def __len__(self) -> int:
        """How many."""
        return len(self._packets)

    def has_room(self, packet: bytes) -> bool:
        """Whether a packet stays within the bound."""
        return self._size_bytes + len(packet) <= self._bytes_max

    def put(self, packet: bytes) -> None:
        """Add one, whether there is room or not: last words are short."""
        self._packets.append(packet)
        self._size_bytes += len(packet)

    def take(self) -> list[bytes]:
        """Take all."""
        packets, self._packets = self._packets, []
        self._size_bytes = 0
        return packets

    def take_first(self) -> bytes:
        """Take the first of them."""
        packet = self._packets.pop(0)
        self._size_bytes -= len(packet)
        return packet
