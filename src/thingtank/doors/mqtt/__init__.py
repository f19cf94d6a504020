"""How MQTT clients come in: TCP, TLS, Unix sockets and WebSocket."""
