"""Graphs of datastreams as PNG pictures, drawn in a process of their own."""
