r"""WAMP: how its clients come in, who they are, what they may do, and the tank among them.

```
 websocket.py   rawsocket.py   visits.py        a way for messages: net/websocket.py, TCP, none
        \            |            /
              connection.py                     what a session sends through, and is fed by
                    |
                 door.py                        all connections; once a turn, and at the end
                    |
         protocols/wamp (session, realm, broker, dealer), which has no I/O

 authentication/    who a client is             principals.py   with whose rights it acts
 authorization/     what a session may do       tank_peer/      procedures and topics of the tank
 realm_settings.py, realm_problems.py           what the settings say of realms, and what is wrong
 workbench.py       the page's router: inspection.py looks, meter.py counts, visits.py tries out
```

`server/wamp_door.py` puts it together.
"""
