"""Xively's API v2: what its paths, queries and documents mean. No I/O, and nothing of the tank."""
