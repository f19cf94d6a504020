"""The WAMP door is put together from its settings."""

from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from thingtank.doors.wamp.realm_settings import RealmSettings
from thingtank.doors.wamp.settings import WampSettings
from thingtank.protocols.wamp.history import HistoryRule
from thingtank.server.cannot_start import CannotStart
from thingtank.server.wamp_door import make_wamp_door


async def test_history_of_what_is_no_topic_is_said_at_the_start(tmp_path: Path) -> None:
    realm = RealmSettings("realm1", history=(HistoryRule("a..b"),))
    async with AsyncExitStack() as stack:
        with pytest.raises(CannotStart, match=r"history of realm realm1 .* 'a..b' is not a valid"):
            await make_wamp_door(WampSettings(realms=(realm,)), tmp_path, stack)
