"""MQTT 3.1, 3.1.1 and 5.0 without I/O: what bytes mean, who gets what, and what is remembered.

Source: OASIS MQTT Version 5.0 and MQTT Version 3.1.1; MQTT V3.1 Protocol Specification.
"""
