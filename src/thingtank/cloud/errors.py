"""What cannot be done in an account although AWS did not refuse it."""


class NotDone(Exception):
    """It was not done; the message says why and what to do."""


class NotTaken(NotDone):
    """AWS takes no such name or number, whatever there is in the account."""
