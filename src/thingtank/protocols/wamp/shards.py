"""Sharded subscriptions: an event with a resource key goes to one of the nodes.

The specification names `rkey` of PUBLISH and `nkey` of SUBSCRIBE and no way from one to the other.
Here: among the receivers of one subscription that gave an `nkey`, an event with `rkey` goes to the
one that rendezvous hashing picks, so that a node that comes or goes moves only its own share.
Receivers without `nkey` get everything, and an event without `rkey` goes to all.

Source: WAMP, Sharded Subscription.
"""

from collections.abc import Mapping, Sequence
from hashlib import blake2b

from thingtank.protocols.wamp.peers import Peer


def sharded(peers: Sequence[Peer], rkey: str, nkeys: Mapping[int, str]) -> list[Peer]:
    """Those who receive an event: all without a node key, and one of the others.

    Args:
        nkeys: by session id; of sessions with the same one, the first of `peers` is taken.
    """
    nodes = [peer for peer in peers if peer.session_id in nkeys]
    if not nodes:
        return list(peers)
    chosen = max(nodes, key=lambda node: _weight(nkeys[node.session_id], rkey))
    return [peer for peer in peers if peer is chosen or peer.session_id not in nkeys]


def _weight(nkey: str, rkey: str) -> bytes:
    """The same in every process; the length keeps the two keys apart."""
    return blake2b(f"{len(nkey)}:{nkey}{rkey}".encode(), digest_size=16).digest()
