"""Why a topic is refused, as the request log says it: each reason is one that the rights decide by."""

import pytest
from tests.unit.doors.mqtt.houses import ELSEWHERE, NOW_US, READER_SECRET, UUID, House

from thingtank.doors.mqtt.access.tank_topic import tank_topic_of
from thingtank.doors.mqtt.request_log.reasons import Action, why_nobody, why_refused

REASONS: list[tuple[str, Action, str, str]] = [
    ("reader", "publish", "v2/feeds/F.json", "key “reader” lacks put on feed"),
    ("reader", "publish", "v2/feeds/F/datastreams/t.csv", "lacks put on feed {feed} datastream t"),
    ("reader", "publish", f"{READER_SECRET}/v2/feeds/F.json", "key “reader” lacks put"),
    ("other device", "subscribe", "v2/feeds/F.json", "lacks get on feed"),
    ("master", "subscribe", "nobodys-key/v2/feeds/F.json", "not known: it stands in front"),
    ("master", "subscribe", "$share/a/v2/feeds/F.json", "cannot be shared"),
    ("reader", "publish", f"{UUID}/x", "topics of a device are for the device"),
    ("device", "publish", f"{UUID}_bc", "nobody publishes here"),
    ("other device", "publish", f"{UUID}/x", "topics of a device are for the device"),
]


@pytest.mark.parametrize(("who", "action", "topic", "reason"), REASONS)
async def test_a_refusal_says_why(who: str, action: Action, topic: str, reason: str) -> None:
    house = await House.build()
    rights, feed = await house.rights(who), house.device.device_id
    topic = topic.replace("/F", f"/{feed}")
    said = why_refused(rights, action, topic, house.device, house.directory, NOW_US)
    assert reason.format(feed=feed) in said
    assert READER_SECRET not in said


async def test_a_rule_that_keeps_somebody_away_is_named() -> None:
    house = await House.build()
    rights = await house.rights("master")
    said = why_refused(rights, "publish", f"{UUID}/x", house.device, house.directory, NOW_US)
    assert said == "a rule of mqtt.acl keeps key “master” from this topic"


async def test_an_anonymous_client_is_told_where_its_key_goes() -> None:
    house = await House.build(anonymous="with_key")
    rights = house.access.rights_of(await house.come(peer=ELSEWHERE))
    topic = tank_topic_of("v2/feeds/7.json")
    assert topic is not None
    assert "KEY/v2/" in why_nobody(rights, topic, house.directory, NOW_US)
    said = why_refused(rights, "publish", f"{UUID}/x", house.device, house.directory, NOW_US)
    assert "begin with an API key" in said
