"""Methods that ask nothing: `anonymous`, `cookie` and `tls`.

Source: WAMP, Authentication.
"""

from collections.abc import Sequence

from thingtank.doors.wamp.authentication.cookies import Remembered
from thingtank.doors.wamp.authentication.entry import Round, Unfit
from thingtank.doors.wamp.realm_settings import PrincipalSettings
from thingtank.net.identity.certificates import names_of, settled_name
from thingtank.net.identity.client_address import is_local
from thingtank.net.identity.principals import AccountPrincipal, NamedPrincipal, Nobody
from thingtank.protocols.wamp.authentication import Answer
from thingtank.tank.errors import NotFound, Unauthenticated

_AUTHID_BYTES = 8


async def anonymous(round: Round) -> Answer:
    """Let in who does not say who it is, where such may; what it claims is not believed."""
    settings = round.entry.settings
    rule = settings.anonymous_rule
    if rule == "off":
        raise Unfit(f"realm {settings.name} lets nobody in anonymously")
    facts = round.attempt.transport
    if rule == "loopback" and not is_local(facts.peer, facts.headers):
        raise Unfit(f"realm {settings.name} lets only programs of its own machine in anonymously")
    authid = f"anonymous-{round.entry.token_bytes(_AUTHID_BYTES).hex()}"
    return round.welcome("anonymous", (authid, settings.anonymous_role, "static"), Nobody())


async def cookie(round: Round) -> Answer:
    """Let in who came in before with the same cookie, and would come in now."""
    entry = round.entry
    remembered = entry.cookies.find(round.attempt.transport, entry.settings.name)
    if remembered is None or round.authid not in ("", remembered.authid):
        raise Unfit("there is no cookie that anybody has come in with")
    if not await _is_as_before(round, remembered):
        entry.cookies.forget(round.attempt.transport)
        raise Unfit("who came in with this cookie has no right to any more")
    who = remembered.authid, remembered.authrole, remembered.authprovider
    return round.welcome("cookie", who, remembered.principal, remembered.mark)


async def _is_as_before(round: Round, remembered: Remembered) -> bool:
    candidates, principal = round.entry.candidates, remembered.principal
    try:
        candidates.principals.caller(principal, round.address)
    except Unauthenticated:
        return False
    if not isinstance(principal, AccountPrincipal):
        return True
    try:
        login = candidates.directory.get_account(principal.account_id).login
    except NotFound:
        return False
    candidate = candidates.find(login)
    if login != remembered.authid or candidate is None:
        return False
    # An account's role may have changed, and a new password ends what the old one began.
    known = await candidate.known()
    return candidate.authrole == remembered.authrole and known[0].mark == remembered.mark


class CertificateHolders:
    """The principals of a realm that have client certificates."""

    def __init__(self, principals: Sequence[PrincipalSettings]) -> None:
        """Index them."""
        self._by_name = {
            settled_name(name): each for each in principals for name in each.certificates
        }

    async def hello(self, round: Round) -> Answer:
        """Let in whom the transport has verified already."""
        certificate = round.attempt.transport.certificate
        if certificate is None:
            raise Unfit("'tls' needs a client certificate")
        for name in names_of(certificate):
            holder = self._by_name.get(name)
            if holder is not None and round.authid in ("", holder.authid):
                who = holder.authid, holder.role, "static"
                return round.welcome("tls", who, NamedPrincipal(holder.account))
        raise Unfit("nobody has this client certificate here")
