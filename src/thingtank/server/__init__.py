"""Configuration, assembly, start and stop."""
