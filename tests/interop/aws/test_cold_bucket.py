"""The archive's cold tier in buckets of servers that are not ours."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.aws_stand_ins import own_name
from tests.interop.aws.buckets import remove_bucket
from tests.unit.stores.history.test_bucket_tier import KEEP_S, all_of, fill, hourly, local
from tests.unit.stores.history.test_cold_tier import DAY_US, START_US, FixedClock

from thingtank.aws.clients import AwsClients
from thingtank.aws.settings import AwsSettings
from thingtank.stores.archive_settings import ArchiveSettings
from thingtank.stores.history import bucket_carrier
from thingtank.stores.history.cold_bucket import BucketFailed, ColdBucket
from thingtank.stores.history.store import HistoryStore
from thingtank.tank.datapoints import AT_US_MAX


@pytest.fixture
def s3(any_s3: AwsSettings) -> Iterator[Any]:
    clients = AwsClients(any_s3)
    yield clients.client("s3")
    clients.close()


@pytest.fixture
def bucket(s3: Any) -> Iterator[str]:
    name = own_name("cold")
    s3.create_bucket(Bucket=name)
    yield name
    remove_bucket(s3, name)


def settings_of(bucket: str) -> ArchiveSettings:
    return ArchiveSettings(cold=f"s3://{bucket}/tank", cold_cache_bytes_max=1, cold_keep_s=KEEP_S)


def never() -> bool:
    return False


def names(s3: Any, bucket: str) -> set[str]:
    found = s3.list_objects_v2(Bucket=bucket).get("Contents", ())
    return {each["Key"] for each in found if each["Key"].endswith(".parquet")}


def test_files_go_to_the_bucket_are_read_from_it_and_taken_away(
    any_s3: AwsSettings, s3: Any, bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bucket_carrier, "SETTLE_S", 0.0)
    settings, clock = settings_of(bucket), FixedClock()
    store = HistoryStore.open(tmp_path, settings, clock, ColdBucket.by_settings(settings, any_s3))
    fill(store)
    whole = all_of(store), hourly(store)
    store.compact(START_US + 2 * DAY_US)
    days = names(s3, bucket)
    assert len(days) == 3
    assert all(name.startswith("tank/day=") for name in days)
    assert not days & {f"tank/{name}" for name in local(tmp_path)}
    assert (all_of(store), hourly(store)) == whole
    store.compact(AT_US_MAX + 1)
    clock.at_us += 2 * KEEP_S * 1_000_000
    store.compact(AT_US_MAX + 1)
    assert len(names(s3, bucket)) == 4
    assert not days & names(s3, bucket)
    assert (all_of(store), hourly(store)) == whole
    stats = store.stats().bucket
    assert stats is not None
    assert stats.failure is None
    store.close()


def test_a_file_is_put_once_and_read_as_it_was_put(
    any_s3: AwsSettings, s3: Any, bucket: str, tmp_path: Path
) -> None:
    cold = ColdBucket.by_settings(settings_of(bucket), any_s3)
    assert cold is not None
    file, other = tmp_path / "a", tmp_path / "b"
    file.write_bytes(b"1234")
    other.write_bytes(b"12345")
    sums = {
        b"1234": "03ac674216f3e15c761ee1a5e255f067953623c8b388b4459e13f978d7c846f4",
        b"12345": "5994471abb01112afcc18159f6cc74b4f511b99806da59b3caf5a9c173cacfc5",
    }
    cold.put("day=1/a.parquet", file, sums[b"1234"], never)
    cold.put("day=1/a.parquet", other, sums[b"12345"], never)  # stays as it is
    assert b"".join(cold.read("day=1/a.parquet", 4, sums[b"1234"], never)) == b"1234"
    with pytest.raises(BucketFailed, match="damaged"):
        list(cold.read("day=1/a.parquet", 5, sums[b"12345"], never))
    cold.delete("day=1/a.parquet")
    cold.delete("day=1/a.parquet")
    with pytest.raises(BucketFailed, match="NoSuchKey") as caught:
        list(cold.read("day=1/a.parquet", 4, sums[b"1234"], never))
    assert caught.value.has_answer
    cold.close()


def test_a_prefix_belongs_to_who_came_first_and_unfinished_uploads_are_forgotten(
    any_s3: AwsSettings, s3: Any, bucket: str
) -> None:
    theirs = {
        "ID": "theirs", "Status": "Enabled", "Filter": {"Prefix": "x/"}, "Expiration": {"Days": 9},
    }  # fmt: skip
    s3.put_bucket_lifecycle_configuration(Bucket=bucket, LifecycleConfiguration={"Rules": [theirs]})
    cold = ColdBucket.by_settings(settings_of(bucket), any_s3)
    assert cold is not None
    assert cold.owner("first") == "first"
    assert cold.owner("second") == "first"
    assert cold.owner("second", takes_over=True) == "second"
    assert cold.owner("first") == "second"
    for _ in range(2):
        cold.tidy()
    rules = s3.get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"]
    assert {rule["ID"] for rule in rules} == {"theirs", "thingtank-cold-tank/"}
    cold.close()


def test_a_bucket_that_is_not_there_says_so(any_s3: AwsSettings, tmp_path: Path) -> None:
    cold = ColdBucket.by_settings(settings_of(own_name("nobody")), any_s3)
    assert cold is not None
    with pytest.raises(BucketFailed, match="NoSuchBucket"):
        cold.owner("first")
    cold.close()
