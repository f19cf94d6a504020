"""Why a session has ended; one list for all wires of socket.io."""

from enum import StrEnum


class CloseReason(StrEnum):
    """Why a session has ended."""

    CLIENT_LEFT = "the client said that it leaves"
    TRANSPORT_LOST = "the connection was lost"
    TIMEOUT = "nothing was heard of the client for too long"
    NOT_CONNECTED = "the client did not connect in time"
    MALFORMED = "the client sent what cannot be read, or has no place here"
    TOO_LONG = "the client sent more at once than is taken"
    OVERLAP = "the client sent two polls at a time"
    QUEUE_FULL = "the client does not take what is sent to it"
    SERVER = "the server closed it"
