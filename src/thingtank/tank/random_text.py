"""Random texts that people and programs carry about: secrets and ids."""

import secrets


def random_text(byte_count: int) -> str:
    """Random bytes in URL-safe base64, which never begins like a command's option.

    One in 64 would begin with "-", and `--api-key` with it be "expected one argument". What that
    takes from the randomness is 0.02 bits.
    """
    while (text := secrets.token_urlsafe(byte_count)).startswith("-"):
        pass
    return text
