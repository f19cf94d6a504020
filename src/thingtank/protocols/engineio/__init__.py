"""Engine.IO, revisions 2, 3 and 4: packets over long polling and WebSocket, without I/O.

It knows of no sockets and no clock.
"""
