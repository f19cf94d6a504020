"""Whose clients are: accounts that principals, as sessions keep them, belong to."""

from collections.abc import Mapping

from thingtank.doors.mqtt.settings import UserSettings
from thingtank.tank.errors import NotFound
from thingtank.tank.interfaces import Directory
from thingtank.tank.things import Account

REMEMBERED_MAX = 100_000


class Owners:
    """Looks them up, and remembers: a page asks about all sessions each second."""

    def __init__(self, directory: Directory, users: tuple[UserSettings, ...]) -> None:
        self._directory = directory
        self._logins: Mapping[str, str] = {user.name: user.account for user in users}
        self._found: dict[str, int | None] = {}
        self._version = -1

    def find(self, principal_id: str) -> int | None:
        """The account; None for nobody's."""
        if self._version != self._directory.rights_version or len(self._found) > REMEMBERED_MAX:
            self._version = self._directory.rights_version
            self._found.clear()
        if principal_id not in self._found:
            self._found[principal_id] = self._find(principal_id)
        return self._found[principal_id]

    def may_see(self, account: Account, principal_id: str) -> bool:
        """Whether a client is one that an account sees: its own or, for an admin, anybody's."""
        return account.is_admin or self.find(principal_id) == account.account_id

    def shown(self, principal_id: str) -> str:
        """A principal for people: an account by its login."""
        kind, _, name = principal_id.partition(":")
        if kind != "account":
            return principal_id
        try:
            return f"account:{self._directory.get_account(int(name)).login}"
        except (NotFound, ValueError):
            return principal_id

    def _find(self, principal_id: str) -> int | None:
        kind, _, name = principal_id.partition(":")
        directory = self._directory
        try:
            match kind:
                case "account":
                    return int(name)
                case "key":
                    return directory.get_key(int(name)).account_id
                case "device":
                    device = directory.find_device_by_uuid(name)
                    return device.account_id if device is not None else None
                case "user":
                    account = directory.find_account(self._logins.get(name, ""))
                    return account.account_id if account is not None else None
        except (NotFound, ValueError):
            pass
        return None
