"""Times in every form that clients write, and in the one form that is answered."""

from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from thingtank.protocols.xively.errors import MalformedQuery
from thingtank.protocols.xively.time_zones import RAILS_ZONES, parse_zone
from thingtank.protocols.xively.times import (
    MalformedTime,
    format_time,
    format_times,
    parse_time,
    parse_times,
)

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
INSTANTS_US = st.integers(-62_135_596_800_000_000, 253_402_300_799_999_999)

FORMS = [
    ("1970-01-01T00:00:01Z", 1_000_000),
    ("1970-01-01T00:00:01.5Z", 1_500_000),
    ("1970-01-01T00:00:01.000001Z", 1_000_001),
    ("1970-01-01T00:00:01.0000019Z", 1_000_001),
    ("1970-01-01T00:00:01", 1_000_000),
    ("1970-01-01 00:00:01", 1_000_000),
    ("1970-01-01t00:00:01z", 1_000_000),
    (" 1970-01-01T00:00:01Z ", 1_000_000),
    ("1970-01-01T06:30:01+06:30", 1_000_000),
    ("1970-01-01T06:30:01+0630", 1_000_000),
    ("1970-01-01T06:30:01 06:30", 1_000_000),
    ("1969-12-31T21:30:01-02:30", 1_000_000),
    ("1970-01-01T00:01Z", 60_000_000),
    ("19700101T000001Z", 1_000_000),
    ("1970-01-02", 86_400_000_000),
    ("1969-12-31T23:59:59.999999Z", -1),
    ("1970-01-01T24:00:00Z", 86_400_000_000),
    ("1970-01-01T24:00:00.000+01:00", 82_800_000_000),
    ("1970-01-01t24:00", 86_400_000_000),
    ("19700101T240000Z", 86_400_000_000),
    ("1970-12-31T24:00:00Z", 31_536_000_000_000),
    ("2012-06-30T23:59:60Z", 1_341_100_800_000_000),
    ("2012-06-30T23:59:60.5Z", 1_341_100_800_500_000),
    ("2012-07-01T05:29:60+05:30", 1_341_100_800_000_000),
    ("20120630T235960Z", 1_341_100_800_000_000),
    ("1970-002", 86_400_000_000),
    ("1970-001T00:00:01Z", 1_000_000),
    ("1970001T000001Z", 1_000_000),
    ("1972-366", 94_608_000_000_000),
]


@pytest.mark.parametrize(("text", "at_us"), FORMS)
def test_any_iso_8601_form_is_read(text: str, at_us: int) -> None:
    assert parse_time(text) == at_us


NO_TIMES = [
    "",
    "now",
    "yesterday",
    "0",
    "1700000000",
    "1700000000000",
    "2013-13-01T00:00:00Z",
    "2013-02-30T00:00:00Z",
    "2013-02-01T25:00:00Z",
    "2013-02-01T00:00:61Z",
    "2013-02-01T00:00:60Z",
    "2013-02-01T12:59:60Z",
    "2013-02-01T23:59:60+01:00",
    "2013-02-01T23:60:60Z",
    "2013-02-01T24:00:01Z",
    "2013-02-01T24:01Z",
    "2013-02-01T24:00:00.5Z",
    "9999-12-31T24:00:00Z",
    "2013-000",
    "2013-366",
    "0000-001",
    "2013-001T24:30Z",
    "Tue Nov 14 2023 22:13:20 GMT+0100",
    "2013-02-01T00:00:00Z and more",
    "２013-02-01T00:00:00Z",  # noqa: RUF001 - a digit of another script, on purpose
    "2013-02-01T00:00:00Z" * 20,
    "\x00" * 20,
]


@pytest.mark.parametrize("text", NO_TIMES)
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(MalformedTime):
        parse_time(text)


@pytest.mark.parametrize("text", NO_TIMES)
def test_one_bad_time_among_many_is_refused(text: str) -> None:
    times = ["2013-02-01T00:00:00Z"] * 10
    with pytest.raises(MalformedTime):
        parse_times([*times, text])


@given(INSTANTS_US)
def test_an_instant_survives_writing_and_reading(at_us: int) -> None:
    text = format_time(at_us)
    assert (len(text), text[-8], text[-1]) == (27, ".", "Z")
    assert parse_time(text) == at_us


@given(INSTANTS_US, st.sampled_from(["Europe/Berlin", "Asia/Kathmandu", "America/St_Johns"]))
def test_an_instant_survives_another_zone(at_us: int, name: str) -> None:
    assert parse_time(format_time(at_us, ZoneInfo(name))) == at_us


@given(st.lists(INSTANTS_US, min_size=1, max_size=30))
def test_many_times_read_and_write_as_single_ones_do(instants: list[int]) -> None:
    texts = [format_time(at_us) for at_us in instants]
    assert format_times(instants) == texts
    assert list(parse_times(texts)) == instants


@pytest.mark.parametrize("digits", [0, 3, 6])
def test_many_times_of_one_common_form_are_read_alike(digits: int) -> None:
    start = datetime(2024, 2, 28, 23, 59, 50, 123_456, tzinfo=UTC)
    instants = [start + timedelta(seconds=second) for second in range(30)]
    fraction = {0: "seconds", 3: "milliseconds", 6: "microseconds"}[digits]
    texts = [at.replace(tzinfo=None).isoformat(timespec=fraction) + "Z" for at in instants]
    assert list(parse_times(texts)) == [parse_time(text) for text in texts]


@given(st.lists(st.sampled_from([form for form, _ in FORMS]), min_size=9, max_size=30))
def test_many_times_of_mixed_forms_are_read_one_by_one(texts: list[str]) -> None:
    known = dict(FORMS)
    assert list(parse_times(texts)) == [known[text] for text in texts]


ZONES = [
    ("", None),
    ("UTC", None),
    ("0", None),
    ("-3.5", timezone(timedelta(hours=-3, minutes=-30))),
    ("5.75", timezone(timedelta(hours=5, minutes=45))),
    ("+2", timezone(timedelta(hours=2))),
    ("Kathmandu", ZoneInfo("Asia/Kathmandu")),
    ("Pacific Time (US & Canada)", ZoneInfo("America/Los_Angeles")),
]


@pytest.mark.parametrize(("text", "zone"), ZONES)
def test_a_zone_is_an_offset_or_a_name(text: str, zone: object) -> None:
    assert parse_zone(text) == zone


@pytest.mark.parametrize("text", ["Atlantis", "kathmandu", "15", "-14.1", "nan", "inf", "1e400"])
def test_an_unknown_zone_is_refused(text: str) -> None:
    with pytest.raises(MalformedQuery):
        parse_zone(text)


@pytest.mark.parametrize("name", sorted(RAILS_ZONES))
def test_every_zone_of_the_list_is_in_the_database(name: str) -> None:
    zone = parse_zone(name)
    offset = timedelta() if zone is None else datetime(2023, 11, 14, tzinfo=zone).utcoffset()
    assert offset is not None
    assert timedelta(hours=-12) <= offset <= timedelta(hours=14)
