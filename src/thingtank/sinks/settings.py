"""Settings of what is sent on; sections `delivery`, `webhooks`, `email` of the settings file."""

from typing import Literal

import msgspec


class DeliverySettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How many deliveries are tried at once, and when again.

    Attributes:
        concurrent_max: attempts under way at one time, of all accounts,
        per_account_max: of one account,
        per_host_max: of one receiver (scheme, host and port; all e-mail is one).
        retry_s: pauses after each failed attempt, stretched by up to a tenth at random; when they
            are used up the delivery is a dead letter. The default is Standard Webhooks' ladder.
        host_failures_max: a receiver that could not be reached so often in a row is left alone,
        host_pause_s_max: for 5 s, then twice as long each time, up to this; then one attempt.
        stop_s: attempts under way get so long to end when the server stops.
        purge_interval_s: how often old deliveries are looked for.
    """

    concurrent_max: int = 32
    per_account_max: int = 16
    per_host_max: int = 4
    retry_s: tuple[float, ...] = (5, 300, 1800, 7200, 18000, 36000, 50400, 72000, 86400)
    host_failures_max: int = 3
    host_pause_s_max: float = 300.0
    stop_s: float = 3.0
    purge_interval_s: float = 60.0


class WebhookSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where webhooks may go, and how long they may take.

    Attributes:
        allow_private: they may reach this machine and private networks as well. Whoever may make
            triggers can then send requests to everything in there.
        allowed_networks: further networks that they may reach whatever they are.
        connect_s_max: for the name and for each connection.
        attempt_s_max: for an attempt, from the look-up of the name to the answer's status.
        retry_after_s_max: a receiver that asks for a longer pause is tried again after this.
        ca_file: certificates to believe besides the system's; blank for none.
    """

    allow_private: bool = False
    allowed_networks: tuple[str, ...] = ()
    connect_s_max: float = 5.0
    attempt_s_max: float = 10.0
    retry_after_s_max: float = 86_400.0
    ca_file: str = ""


class EmailSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The mail server that e-mail leaves by.

    Attributes:
        host: blank for no e-mail.
        port: 587 for `starttls`, 465 for `tls` as a rule.
        tls: `starttls` asks for TLS after the greeting and refuses to go on without, `tls` begins
            with it, `none` is for a server on this machine.
        user: blank to send without signing in.
        password_file: a file that holds the password in its first line; blank for none.
        password_variable: or the environment variable that holds it; blank for none.
        sender: the address that it comes from.
        per_account_hour_max: e-mails of one account within an hour; more wait, so that nobody sends
            the whole world mail in the operator's name.
        attempt_s_max: for one e-mail, from connecting to the server's word that it has it.
    """

    host: str = ""
    port: int = 587
    tls: Literal["starttls", "tls", "none"] = "starttls"
    user: str = ""
    password_file: str = ""
    password_variable: str = ""
    sender: str = ""
    per_account_hour_max: int = 100
    attempt_s_max: float = 30.0
