"""Settings of the outbox; section `outbox` of the settings file."""

import msgspec


class OutboxSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How much the outbox keeps, and for how long.

    Attributes:
        waiting_per_account_max: deliveries of one account that wait; more are dead letters at once.
        waiting_max: of all accounts.
        waiting_s_max: what could not be tried to the end for so long is a dead letter.
        log_s_max: what was delivered or cancelled is listed for so long,
        log_per_account_max: and so many of each account, the newest.
        dead_s_max: dead letters are kept for so long,
        dead_per_account_max: and so many of each account, the newest.
        kept_max: delivered, cancelled and dead ones of all accounts.
        secret_grace_s: for so long a rotated signing secret signs beside the new one.
    """

    waiting_per_account_max: int = 10_000
    waiting_max: int = 200_000
    waiting_s_max: int = 7 * 86_400
    log_s_max: int = 7 * 86_400
    log_per_account_max: int = 5_000
    dead_s_max: int = 90 * 86_400
    dead_per_account_max: int = 10_000
    kept_max: int = 500_000
    secret_grace_s: int = 86_400
