"""Streams of Amazon Kinesis that are read into feeds."""
