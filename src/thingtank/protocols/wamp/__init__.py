"""WAMP version 2: what its bytes mean, over each transport and in each serializer. No I/O.

Source: the WAMP specification, state of 2026-06-14, basic and advanced profile.
"""
