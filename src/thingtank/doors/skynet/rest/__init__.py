"""The REST API of SkyNet and Meshblu, of all generations on one port.

A request without headers that say who sends it gets the answers of early 2014 ("legacy"); one with
them, and every one below `/v2` and `/v3`, those of Meshblu.
"""
