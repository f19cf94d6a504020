"""Socket.IO: events with acknowledgements, as its clients of 2012 to today write them, without I/O.

`legacy` is socket.io 0.9 (its "protocol 1"); the rest is revisions 3 and 4 (socket.io 1.x and 2.x,
over Engine.IO 2 and 3) and 5 (3.x and later, over Engine.IO 4). All give the events of `events`.
"""
