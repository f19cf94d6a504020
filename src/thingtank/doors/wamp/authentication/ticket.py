"""`ticket`: the client sends its secret as it is. A key says who it is: it needs no authid.

Source: WAMP, Ticket-based Authentication.
"""

from thingtank.doors.wamp.authentication.candidates import Candidate
from thingtank.doors.wamp.authentication.entry import WRONG, Round, Unfit, answered
from thingtank.protocols.wamp.authentication import Answer, Challenged
from thingtank.protocols.wamp.later import Later
from thingtank.protocols.wamp.messages import Authenticate

TICKET_BYTES_MAX = 4096


async def hello(round: Round) -> Answer:
    """Ask for the ticket."""
    if not round.authid:
        return _challenge_keyholder(round)
    candidate = round.candidate("ticket")

    async def check(message: Authenticate) -> Answer:
        return await _check(round, candidate, message.signature)

    return round.challenge("ticket", candidate, {}, check)


def _challenge_keyholder(round: Round) -> Answer:
    if not round.entry.settings.key_role:
        raise Unfit("'ticket' needs an authid")

    def check(message: Authenticate) -> Answer | Later[Answer]:
        candidate = round.entry.candidates.of_key(message.signature)
        return WRONG if candidate is None else answered(_check(round, candidate, message.signature))

    return Challenged("ticket", {}, check)


async def _check(round: Round, candidate: Candidate, ticket: str) -> Answer:
    if len(ticket.encode("utf-8", "surrogatepass")) > TICKET_BYTES_MAX:
        return round.refuse(candidate)
    if not candidate.is_guessable:
        return round.accept("ticket", candidate, await candidate.check_ticket(ticket))
    async with round.entry.slow_work.turn(round.address):
        locked = round.locked(candidate)  # by those who had their turn meanwhile
        if locked is not None:
            return locked
        return round.accept("ticket", candidate, await candidate.check_ticket(ticket))
