"""The Xively API v2 on the wire: parse and serialize, no I/O."""
