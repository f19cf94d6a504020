"""What the historic SkyNet and Meshblu servers did, so that ours can be printed beside.

Source: the project's reference of the SkyNet wire, section 23, "measured figures". octoblu/meshblu was run
on one 2-core machine with its limits raised, on loopback, with 32 keep-alive connections (of the sockets: 50
of Socket.IO 0.9 that send to themselves, 4 messages in flight each), 4 s a row, the load generator on the
same cores; requests or messages a second by the clock, medians. No processor time was noted.
"""

from collections.abc import Mapping
from types import MappingProxyType

SKYNET_2014_06 = "SkyNet of 06/2014"  # commit 66af799f, NeDB
SKYNET_2014_03 = "SkyNet of 03/2014"  # commit 2d4c24d, its database replaced by one in memory
MESHBLU_2014_12 = "Meshblu of 12/2014"  # 1.1.1, commit d89452b, NeDB
MESHBLU_2016 = "Meshblu of 2016"  # 1.18.4, NeDB, bcrypt in JavaScript

# The March server took POST /messages, but did not deliver them, so it was not timed.
MESSAGES: Mapping[str, int] = MappingProxyType(
    {SKYNET_2014_06: 1550, MESHBLU_2014_12: 1240, MESHBLU_2016: 300}
)
DATA: Mapping[str, int] = MappingProxyType(
    {SKYNET_2014_06: 680, MESHBLU_2014_12: 600, MESHBLU_2016: 170}
)
SOCKETS: Mapping[str, int] = MappingProxyType({SKYNET_2014_03: 2680, SKYNET_2014_06: 570})
NONE: Mapping[str, int] = MappingProxyType({})
RESIDENT_MB = (140, 160)  # each of them, without load
