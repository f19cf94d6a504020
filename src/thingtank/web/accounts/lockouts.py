"""Who has guessed a password too often has to wait; a new password ends the waiting."""

from axes.utils import reset


def clear_lockout(login: str) -> None:
    """Let the account try again from everywhere; blocking."""
    reset(username=login)
