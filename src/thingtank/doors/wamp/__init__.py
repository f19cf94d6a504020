"""WAMP: how its clients come in, over WebSocket and RawSocket."""
