"""The socket wires of SkyNet: socket.io of all ages, and what Meshblu's WebSocket shares with it.

```
http, websockets     requests and frames, to the session that they are for
socketio_client      drives one session (`protocols.socketio`) over its transports
client               one client whatever its wire: who it is, what it hears, what it asks in order
events               what each event does, and its acknowledgement in both generations' shapes
door                 all clients, their bounds, and what is due when
```
"""
