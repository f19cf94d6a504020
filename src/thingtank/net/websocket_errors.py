"""Why a WebSocket connection ends: the codes of RFC 6455, 7.4, and the error that carries one."""

from enum import IntEnum


class CloseCode(IntEnum):
    """What a close frame says."""

    NORMAL = 1000
    GOING_AWAY = 1001
    PROTOCOL_ERROR = 1002
    UNSUPPORTED_DATA = 1003
    INVALID_TEXT = 1007
    POLICY_VIOLATION = 1008
    MESSAGE_TOO_BIG = 1009
    INTERNAL_ERROR = 1011


class BrokenWebSocket(Exception):
    """The peer has sent what it may not; the connection ends with this code and these words."""

    def __init__(self, code: CloseCode, text: str) -> None:
        super().__init__(text)
        self.code = code
