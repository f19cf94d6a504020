"""The Xively door: HTTP today, sockets later."""
