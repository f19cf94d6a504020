"""The tank as a peer in WAMP realms: its actions are procedures, its events topics, of `tank.`."""
