"""Secrets of the settings file, which need not stand in it, and are never shown from it.

`ticket = "…"`, `ticket = {file = "/run/secrets/lamp"}`, `ticket = {environment = "LAMP_TICKET"}`.
"""

import os
from collections.abc import Mapping
from pathlib import Path

import msgspec
from msgspec.structs import force_setattr

SECRET_CHARS_MIN = 8
SECRET_BYTES_MAX = 4096
_HIDDEN = "…"


class UnreadableSecret(Exception):
    """A secret is not where the settings say, or is no good; the message does not contain it."""


class SecretSource(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, dict=True
):
    """Where a secret is: in one of these. The text, once read, is no field: nothing prints it.

    Attributes:
        text: the secret itself; afterwards a sign that there was one.
        file: path of a file that holds nothing else; white space around it is left out.
        environment: name of an environment variable.
    """

    text: str = ""
    file: str = ""
    environment: str = ""

    def __post_init__(self) -> None:
        """Hide the text from everything that prints settings."""
        if self.text and self.text != _HIDDEN:
            self.__dict__["hidden"] = self.text
            force_setattr(self, "text", _HIDDEN)

    def read(self, environment: Mapping[str, str] = os.environ) -> str:
        """The secret.

        Raises:
            UnreadableSecret.
        """
        if sum(map(bool, (self.text, self.file, self.environment))) != 1:
            raise UnreadableSecret("must name one of text, file and environment")
        secret = self._find(environment)
        if not secret:
            raise UnreadableSecret(f"is empty{self._place}")
        if len(secret) < SECRET_CHARS_MIN:
            raise UnreadableSecret(
                f"has {len(secret)} characters{self._place}; {SECRET_CHARS_MIN} are the least"
            )
        if len(secret.encode("utf-8", "surrogatepass")) > SECRET_BYTES_MAX:
            raise UnreadableSecret(f"has more than {SECRET_BYTES_MAX} bytes{self._place}")
        if not secret.isprintable():
            raise UnreadableSecret(f"holds what is no printable character{self._place}")
        return secret

    def _find(self, environment: Mapping[str, str]) -> str:
        if self.text:
            return str(self.__dict__.get("hidden", ""))
        if self.environment:
            found = environment.get(self.environment)
            if found is None:
                raise UnreadableSecret(f"environment variable {self.environment} is not set")
            return found
        try:
            with Path(self.file).open("rb") as file:
                return file.read(SECRET_BYTES_MAX + 2).decode().strip()
        except OSError as error:
            raise UnreadableSecret(f"{self.file} cannot be read: {error.strerror}") from None
        except ValueError:  # not UTF-8, or a NUL in the path
            raise UnreadableSecret(f"{self.file} holds no text") from None

    @property
    def _place(self) -> str:
        if self.file:
            return f" in {self.file}"
        return f" in environment variable {self.environment}" if self.environment else ""


def hidden(secret: str | SecretSource | None) -> SecretSource | None:
    """A secret as settings keep it, however they were given it."""
    return SecretSource(secret) if isinstance(secret, str) else secret
