"""Settings of triggers at work; section `triggers` of the settings file."""

import msgspec


class TriggerSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How triggers are watched.

    Attributes:
        frozen_s: a datastream without an update for so long is frozen; Xively's was 15 minutes.
        frozen_grace_s: a datastream that froze while the server was down has so long after the
            start to come back before it is told.
        wake_interval_s: what is written is looked at so often at most.
        checkpoint_interval_s: what triggers remember is saved so often; at once when one fires.
    """

    frozen_s: int = 900
    frozen_grace_s: float = 30.0
    wake_interval_s: float = 0.02
    checkpoint_interval_s: float = 1.0
