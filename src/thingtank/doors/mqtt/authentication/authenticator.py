"""Who CONNECT says is there, and whether it is so."""

import os
from collections.abc import Callable, Mapping

from thingtank.doors.mqtt.authentication.attempt import ConnectAttempt
from thingtank.doors.mqtt.authentication.enhanced import Exchange
from thingtank.doors.mqtt.authentication.principal import Principal
from thingtank.doors.mqtt.settings import MqttSettings
from thingtank.net.identity.password_store import PasswordStore
from thingtank.net.identity.principals import Callers
from thingtank.tank.interfaces import Directory


class MqttAuthenticator:
    """Who clients of the MQTT door are."""

    def __init__(
        self,
        settings: MqttSettings,
        directory: Directory,
        callers: Callers,
        passwords: PasswordStore | None,
        secret: bytes,
        now_us: Callable[[], int],
        token_bytes: Callable[[int], bytes] = os.urandom,
        environment: Mapping[str, str] = os.environ,
    ) -> None:
        """Read the settings' secrets.

        Args:
            settings: that `problems_of` finds nothing wrong with.
            passwords: of accounts; None where they have none.
            secret: of the instance, 32 bytes; what is derived of it tells nothing of it.
            now_us: of a clock that does not jump.
            token_bytes: random ones, that nobody can foresee.

        Raises:
            UnreadableSecret: a secret became so after the settings were checked.
        """

    async def authenticate(self, attempt: ConnectAttempt) -> Principal:
        """Find out who somebody is.

        Raises:
            Refused.
        """
        raise NotImplementedError

    def exchange(self, attempt: ConnectAttempt, principal: Principal | None = None) -> Exchange:
        """Begin enhanced authentication: of a CONNECT, or anew of who is connected.

        Args:
            principal: who it is already, if it is connected; only the same one may come of it.
        """
        raise NotImplementedError
