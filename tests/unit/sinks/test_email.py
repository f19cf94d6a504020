"""E-mail through a real mail server on this machine: aiosmtpd."""

import asyncio
import email
import email.policy
import json
import ssl
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from email.message import EmailMessage
from pathlib import Path

import msgspec
import pytest
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session
from hypothesis import given
from hypothesis import strategies as st
from tests.certificates import make_certificate
from tests.deliveries import BODY, delivery_to

from thingtank.sinks.email import EmailSink, message_of
from thingtank.sinks.outcome import Outcome, Verdict
from thingtank.sinks.settings import EmailSettings

TO = "ops@example.org"


class Mailbox:
    """Keeps what comes, or answers what it is told."""

    def __init__(self) -> None:
        self.envelopes: list[Envelope] = []
        self.answers: dict[str, str] = {}
        self.pause_s = 0.0

    async def handle_RCPT(
        self,
        server: SMTP,
        session: Session,
        envelope: Envelope,
        address: str,
        options: Sequence[str],
    ) -> str:
        if "RCPT" in self.answers:
            return self.answers["RCPT"]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        await asyncio.sleep(self.pause_s)
        if "DATA" in self.answers:
            return self.answers["DATA"]
        self.envelopes.append(envelope)
        return "250 kept as 17"

    def message(self) -> EmailMessage:
        (envelope,) = self.envelopes
        content = envelope.content
        assert isinstance(content, bytes)
        message = email.message_from_bytes(content, policy=email.policy.default)
        assert isinstance(message, EmailMessage)
        return message


def authenticate(
    server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: object
) -> AuthResult:
    assert isinstance(data, LoginPassword)
    return AuthResult(success=(data.login, data.password) == (b"tank", b"s3cret"), handled=False)


@asynccontextmanager
async def mail_server(mailbox: Mailbox, **options: object) -> AsyncIterator[int]:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: SMTP(mailbox, hostname="mail.example", loop=loop, **options),  # type: ignore[arg-type] # settings of any kind
        "127.0.0.1",
        0,
    )
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


def sink(port: int, **changes: object) -> EmailSink:
    plain = {"host": "127.0.0.1", "port": port, "tls": "none", "sender": "tank@example.com"}
    return EmailSink(EmailSettings(**{**plain, **changes}))  # type: ignore[arg-type] # settings of any kind


def body_of(**members: object) -> bytes:
    return json.dumps(members).encode()


FIRED = body_of(
    id=1,
    type="gt",
    threshold_value="20",
    environment={"id": 7, "title": "Dach über uns"},
    triggering_datastream={
        "id": "temperature",
        "value": {"value": "21.5"},
        "units": {"symbol": "°C"},
    },
)


async def test_an_email_says_what_happened() -> None:
    mailbox = Mailbox()
    async with mail_server(mailbox) as port:
        outcome = await sink(port).deliver(delivery_to(TO, FIRED, "email"))
    assert outcome == Outcome(Verdict.DELIVERED, 250, outcome.answer)
    assert b"kept as 17" in outcome.answer
    message = mailbox.message()
    assert message["Subject"] == "Dach über uns: temperature is 21.5°C (gt 20)"
    assert (message["To"], message["From"]) == (TO, "Thing Tank <tank@example.com>")
    assert message["Message-ID"] == "<msg_abc@example.com>"
    assert message["Auto-Submitted"] == "auto-generated"
    text = message.get_content()
    assert "Dach über uns: temperature is 21.5°C" in text
    assert '"threshold_value": "20"' in text
    assert mailbox.envelopes[0].rcpt_tos == [TO]
    assert mailbox.envelopes[0].mail_from == "tank@example.com"


async def test_what_people_named_adds_no_header_and_no_recipient() -> None:
    evil = "x\r\nBcc: spy@example.net\r\n\r\n<b>\x00\u2028\x85"
    document = body_of(
        type=evil,
        environment={"title": evil},
        triggering_datastream={"id": evil, "value": {"value": evil}, "units": {"symbol": evil}},
    )
    mailbox = Mailbox()
    async with mail_server(mailbox) as port:
        outcome = await sink(port).deliver(delivery_to(TO, document, "email"))
    assert outcome.verdict is Verdict.DELIVERED
    assert mailbox.message()["Bcc"] is None
    assert mailbox.envelopes[0].rcpt_tos == [TO]
    assert len(mailbox.message()["Subject"]) <= 120


@pytest.mark.parametrize(
    "address", ["a@b.example\r\nRCPT TO:<spy@example.net>", "a@b.example,c@d.example", "x"]
)
async def test_an_address_that_is_none_never_reaches_the_server(address: str) -> None:
    mailbox = Mailbox()
    async with mail_server(mailbox) as port:
        outcome = await sink(port).deliver(delivery_to(address, FIRED, "email"))
    assert outcome.verdict is Verdict.REFUSED
    assert mailbox.envelopes == []


@given(
    st.binary(max_size=200) | st.text(max_size=100).map(lambda x: body_of(environment={"title": x}))
)
def test_an_email_can_be_made_of_any_document(document: bytes) -> None:
    message = message_of(delivery_to(TO, document, "email"), "tank@example.com", TO)
    head = message.as_bytes().partition(b"\r\n\r\n")[0]
    names = [
        line.split(b":")[0] for line in head.split(b"\r\n") if not line.startswith((b" ", b"\t"))
    ]
    assert set(names) == {
        b"From", b"To", b"Subject", b"Date", b"Message-ID", b"Auto-Submitted",
        b"Content-Type", b"Content-Transfer-Encoding", b"MIME-Version",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("verb", "answer", "verdict", "status"),
    [
        ("RCPT", "550 no such person", Verdict.REFUSED, 550),
        ("RCPT", "450 greylisted", Verdict.RETRY, 450),
        ("DATA", "554 looks like spam", Verdict.REFUSED, 554),
        ("DATA", "451 disk full", Verdict.RETRY, 451),
    ],
)
async def test_the_servers_word_decides(
    verb: str, answer: str, verdict: Verdict, status: int
) -> None:
    mailbox = Mailbox()
    mailbox.answers[verb] = answer
    async with mail_server(mailbox) as port:
        outcome = await sink(port).deliver(delivery_to(TO, FIRED, "email"))
    assert (outcome.verdict, outcome.status) == (verdict, status)
    assert answer[4:] in outcome.error
    assert not outcome.is_host_failure


async def test_a_server_that_is_not_there_or_too_slow_is_asked_again() -> None:
    outcome = await sink(1).deliver(delivery_to(TO, FIRED, "email"))
    assert (outcome.verdict, outcome.is_host_failure) == (Verdict.RETRY, True)
    mailbox = Mailbox()
    mailbox.pause_s = 5
    async with mail_server(mailbox) as port:
        outcome = await sink(port, attempt_s_max=0.3).deliver(delivery_to(TO, FIRED, "email"))
    assert (outcome.verdict, outcome.is_host_failure) == (Verdict.RETRY, True)


async def test_without_a_mail_server_email_is_off() -> None:
    outcome = await EmailSink(EmailSettings()).deliver(delivery_to(TO, FIRED, "email"))
    assert (outcome.verdict, "email.host" in outcome.error) == (Verdict.REFUSED, True)


def test_a_mail_server_needs_a_sender() -> None:
    with pytest.raises(ValueError, match=r"email\.sender"):
        EmailSink(EmailSettings(host="mail.example"))


@pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS:UserWarning")
@pytest.mark.parametrize(
    ("password", "verdict"), [("s3cret", Verdict.DELIVERED), ("wrong", Verdict.RETRY)]
)
@pytest.mark.parametrize("source", ["file", "variable"])
async def test_it_signs_in_with_a_password_from_a_file_or_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: str, password: str, verdict: Verdict
) -> None:
    monkeypatch.setenv("MAIL_PASSWORD", password)
    (tmp_path / "password").write_text(f"{password}\n")
    where = {"file": {"password_file": str(tmp_path / "password")}, "variable": {"password_variable": "MAIL_PASSWORD"}}  # fmt: skip
    mailbox = Mailbox()
    options = {"authenticator": authenticate, "auth_required": True, "auth_require_tls": False}
    async with mail_server(mailbox, **options) as port:
        mailer = sink(port, user="tank", **where[source])
        outcome = await mailer.deliver(delivery_to(TO, FIRED, "email"))
    assert outcome.verdict is verdict
    assert password not in outcome.error


async def test_a_password_that_cannot_be_read_is_the_operators_affair() -> None:
    mailer = sink(1, user="tank", password_file="/nowhere/mail-password")
    outcome = await mailer.deliver(delivery_to(TO, FIRED, "email"))
    assert (outcome.verdict, outcome.error) == (Verdict.RETRY, "the mail server: not reached")


async def test_starttls_is_not_given_up_when_the_server_has_none() -> None:
    mailbox = Mailbox()
    async with mail_server(mailbox) as port:
        outcome = await sink(port, tls="starttls").deliver(delivery_to(TO, FIRED, "email"))
    assert outcome.verdict is Verdict.RETRY
    assert mailbox.envelopes == []


async def test_starttls_checks_the_servers_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    context = make_certificate(tmp_path, "localhost")
    mailbox = Mailbox()
    async with mail_server(mailbox, tls_context=context) as port:
        outcome = await sink(port, tls="starttls").deliver(delivery_to(TO, FIRED, "email"))
        assert (outcome.verdict, mailbox.envelopes) == (Verdict.RETRY, [])
        trusting = ssl.create_default_context(cafile=str(tmp_path / "ca.pem"))
        monkeypatch.setattr(ssl, "create_default_context", lambda: trusting)
        mailer = sink(port, tls="starttls", host="localhost")
        assert (await mailer.deliver(delivery_to(TO, FIRED, "email"))).verdict is Verdict.DELIVERED
    assert b"21.5" in (mailbox.envelopes[0].content or b"").replace(b"=\r\n", b"")  # type: ignore[operator] # text, read as bytes


def test_the_document_is_all_there() -> None:
    message = message_of(delivery_to(TO, BODY, "email"), "tank@example.com", TO)
    assert BODY.decode() in message.get_content()


async def test_an_account_sends_so_many_an_hour_and_others_send_theirs() -> None:
    now_s = 1000.0
    mailbox = Mailbox()
    async with mail_server(mailbox) as port:
        settings = EmailSettings(
            host="127.0.0.1", port=port, tls="none", sender="a@b.example", per_account_hour_max=2
        )
        mailer = EmailSink(settings, lambda: now_s)
        mine = delivery_to(TO, FIRED, "email")
        others = msgspec.structs.replace(mine, account_id=2)
        verdicts = [(await mailer.deliver(one)).verdict for one in (mine, mine, mine, others)]
        assert verdicts == [
            Verdict.DELIVERED,
            Verdict.DELIVERED,
            Verdict.POSTPONED,
            Verdict.DELIVERED,
        ]
        now_s += 3000
        outcome = await mailer.deliver(mine)
        assert (outcome.retry_after_s, outcome.is_host_failure) == (600, False)
        now_s += 600
        assert (await mailer.deliver(mine)).verdict is Verdict.DELIVERED
    assert len(mailbox.envelopes) == 4
