"""Delivery by e-mail through the operator's mail server.

What a device or a person named gets into the subject and the text only, with line ends taken out
of the subject; addresses are plain ones (`tank.targets.parse_address`). Headers are set by the
standard library's policy, which refuses line ends by itself.
"""

import asyncio
import os
import time
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from pathlib import Path
from typing import Any

import aiosmtplib
import msgspec
import structlog

from thingtank.sinks.outcome import Outcome, Verdict
from thingtank.sinks.settings import EmailSettings
from thingtank.sinks.tls import tls_context
from thingtank.tank.deliveries import ERROR_CHARS_MAX, Delivery
from thingtank.tank.history import HOUR_S
from thingtank.tank.one_line import on_one_line
from thingtank.tank.targets import BadTarget, parse_address

log = structlog.get_logger()

SUBJECT_CHARS_MAX = 120


class EmailSink:
    """Implements `sinks.outcome.Sink`."""

    def __init__(
        self, settings: EmailSettings, monotonic_s: Callable[[], float] = time.monotonic
    ) -> None:
        """Make a sink.

        Raises:
            ValueError: there is a mail server, and no address that mail comes from.
        """
        self._settings = settings
        self._monotonic_s = monotonic_s
        self._hour_end_s = 0.0
        self._hour_counts: Counter[int] = Counter()
        self._tls = None if settings.tls == "none" else tls_context()
        self._sender = ""
        if settings.host:
            try:
                self._sender = parse_address(settings.sender)
            except BadTarget as error:
                raise ValueError(f"email.sender: {error}") from None

    async def deliver(self, delivery: Delivery) -> Outcome:
        """Hand one e-mail to the mail server."""
        if not self._settings.host:
            return Outcome(Verdict.REFUSED, error="e-mail is off: email.host is not set")
        try:
            recipient = parse_address(delivery.target)
        except BadTarget as error:
            return Outcome(Verdict.REFUSED, error=str(error))
        if pause_s := self._pause_s(delivery.account_id):
            most = self._settings.per_account_hour_max
            reason = f"the account has sent {most} e-mails within an hour"
            return Outcome(Verdict.POSTPONED, error=reason, retry_after_s=pause_s)
        message = message_of(delivery, self._sender, recipient)
        try:
            async with asyncio.timeout(self._settings.attempt_s_max):
                _, answer = await self._send(message, recipient)
        except (aiosmtplib.SMTPException, TimeoutError, OSError) as error:
            return _failure(error, self._settings.attempt_s_max)
        return Outcome(Verdict.DELIVERED, 250, answer.encode()[:ERROR_CHARS_MAX])

    def _pause_s(self, account_id: int) -> float:
        """Count an e-mail of an account; how long it must wait when there were too many."""
        now_s = self._monotonic_s()
        if now_s >= self._hour_end_s:
            self._hour_end_s = now_s + HOUR_S
            self._hour_counts.clear()
        if self._hour_counts[account_id] >= self._settings.per_account_hour_max:
            return self._hour_end_s - now_s
        self._hour_counts[account_id] += 1
        return 0.0

    async def _send(self, message: EmailMessage, recipient: str) -> tuple[object, str]:
        settings = self._settings
        return await aiosmtplib.send(
            message,
            sender=self._sender,
            recipients=[recipient],
            hostname=settings.host,
            port=settings.port,
            local_hostname=self._sender.rpartition("@")[2],
            username=settings.user or None,
            password=await asyncio.to_thread(_password_of, settings) if settings.user else None,
            timeout=settings.attempt_s_max,
            use_tls=settings.tls == "tls",
            start_tls=settings.tls == "starttls",
            tls_context=self._tls,
        )


def message_of(delivery: Delivery, sender: str, recipient: str) -> EmailMessage:
    """The e-mail of a trigger's notification: a sentence and the whole document."""
    facts = _facts_of(delivery.body)
    message = EmailMessage(policy=SMTP)
    message["From"] = Address("Thing Tank", addr_spec=sender)
    message["To"] = Address(addr_spec=recipient)
    message["Subject"] = on_one_line(("[test] " if delivery.is_test else "") + facts)[
        :SUBJECT_CHARS_MAX
    ]
    message["Date"] = datetime.fromtimestamp(delivery.created_us / 1_000_000, UTC)
    # The same at each attempt, so that a mail server that got it twice shows it once.
    message["Message-ID"] = f"<{delivery.message_id}@{sender.rpartition('@')[2]}>"
    message["Auto-Submitted"] = "auto-generated"  # RFC 3834: no out-of-office answers
    document = delivery.body.decode("utf-8", "replace")
    message.set_content(f"{facts}\n\nTrigger {delivery.trigger_id} says:\n\n{document}\n")
    return message


def _facts_of(document: bytes) -> str:
    """What happened, in one sentence; from a document that may hold anything."""
    try:
        found: Any = msgspec.json.decode(document)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return "A trigger has fired"
    datastream = _member(found, "triggering_datastream")
    value = _member(_member(datastream, "value"), "value")
    symbol = _member(_member(datastream, "units"), "symbol") or ""
    title = _member(_member(found, "environment"), "title")
    kind, threshold = _member(found, "type"), _member(found, "threshold_value")
    parts = f"{title or 'Feed'}: {_member(datastream, 'id') or 'datastream'} is {value}{symbol}"
    condition = f" ({kind} {threshold})" if threshold not in (None, "") else f" ({kind})"
    return parts + (condition if kind else "")


def _member(value: Any, name: str) -> Any:
    return value.get(name) if isinstance(value, dict) else None


def _password_of(settings: EmailSettings) -> str:
    if settings.password_file:
        return Path(settings.password_file).read_text().split("\n", 1)[0].strip()
    return os.environ.get(settings.password_variable, "")


def _failure(error: Exception, attempt_s_max: float) -> Outcome:
    """What the mail server's refusal, or its absence, means.

    What it said is for the account's person. Why it was not reached is for the log alone: that
    tells of the operator's network and files.
    """
    status, text = _answer_of(error)
    if status is None:
        log.warning("email_not_sent", reason=str(error) or type(error).__name__)
        text = f"no answer within {attempt_s_max:g} s" if _is_timeout(error) else "not reached"
    # RFC 5321, 4.2.1: 5yz is for good. A wrong password is not: the operator mends it.
    is_final = (
        status is not None
        and 500 <= status < 600
        and not isinstance(error, aiosmtplib.SMTPAuthenticationError)
    )
    return Outcome(
        Verdict.REFUSED if is_final else Verdict.RETRY,
        status,
        error=f"the mail server: {on_one_line(text)}"[:ERROR_CHARS_MAX],
        is_host_failure=status is None,
    )


def _is_timeout(error: Exception) -> bool:
    return isinstance(error, TimeoutError | aiosmtplib.SMTPTimeoutError)


def _answer_of(error: Exception) -> tuple[int | None, str]:
    """The mail server's own words, if an error has them."""
    if isinstance(error, aiosmtplib.SMTPRecipientsRefused):
        return error.recipients[0].code, error.recipients[0].message
    if isinstance(error, aiosmtplib.SMTPResponseException):
        return error.code, error.message
    return None, ""
