"""What clients of socket.io emit, one module a noun: what it does and how it is acknowledged.

Each generation has its own shapes: the one of early 2014, which socket.io 0.9 carried, and what
Meshblu made of them later. `table` has all of them by name.

Source: SkyNet and Meshblu, `lib/socketLogic`, 2013 to 2016.
"""
