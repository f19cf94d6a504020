"""Socket.IO 0.9, "protocol 1", as the servers and clients of 2012 to 2014 speak it.

Source: socket.io 0.9.16 and its socketio/socket.io-spec, revision 1.
"""
