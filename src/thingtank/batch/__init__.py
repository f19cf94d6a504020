"""Map and reduce over many lines, on this machine."""
