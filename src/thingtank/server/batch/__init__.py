"""Batch jobs that the server runs by itself, again and again."""
