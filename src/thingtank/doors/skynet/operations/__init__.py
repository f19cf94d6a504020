"""What clients ask for, whatever the wire: one module a noun.

Each takes the door, the party on whose behalf it is done, and plain values; it counts the request,
checks rights, does it by the tank's actions, notes it in the event log, and returns values of the
tank, which each wire shapes as its clients expect. Raises TankError or SkynetError.
"""
