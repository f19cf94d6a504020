"""Section `metrics` of the settings file: who may read numbers and the details of readiness."""

import msgspec


class MetricsSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Who may read `/metrics`, and each check of `/readyz` by name; admins always may.

    Attributes:
        allowed_networks: addresses or networks that may; a request that a proxy passes on from
            others counts as the others'.
        token_file: a file that holds a token and nothing else; who sends it as
            `Authorization: Bearer` may as well, from anywhere; blank for none.
        token_variable: or the environment variable that holds it; blank for none.
    """

    allowed_networks: tuple[str, ...] = ("127.0.0.0/8", "::1")
    token_file: str = ""
    token_variable: str = ""
