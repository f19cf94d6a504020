"""Settings of the Xively door; section `xively` of the settings file."""

import msgspec


class XivelySettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How the door behaves where Xively's own behaviour is not known, or a choice.

    Attributes:
        public_reads_keyless: GETs of public feeds need no key.
        live_s: a feed is `live` while its newest value is younger; Xively's was 15 minutes.
    """

    public_reads_keyless: bool = False
    live_s: int = 900
