"""The numbers of what happened to a device, in its event log.

Source: SkyNet, logEvent and its callers, 2013 to 2014.
"""

from enum import IntEnum


class EventCode(IntEnum):
    """What an event is."""

    CONNECTED = 100
    IDENTIFIED = 101
    AUTHENTICATED = 102  # and the end of a connection
    STATUS = 200
    EVENTS_READ = 201
    SUBSCRIBED = 204
    UNSUBSCRIBED = 205
    MESSAGE = 300
    REGISTERED = 400
    UPDATED = 401
    UNREGISTERED = 402
    QUERIED = 403
    READ = 500
    GATEWAY_CONFIG = 600
    DATA_WRITTEN = 700
    DATA_READ = 701
