"""Deadlines, limits and backpressure, shared by doors and sinks."""
