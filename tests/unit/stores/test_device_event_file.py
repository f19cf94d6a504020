"""The file of device events trims its lists a little at a time, and goes on after a failure."""

import sqlite3
import stat
from pathlib import Path

import pytest

from thingtank.stores import device_event_file, device_event_lists
from thingtank.stores.device_event_file import FILE_NAME, DeviceEventFile, Forget
from thingtank.stores.device_event_lists import TRIM_ROWS
from thingtank.stores.sqlite_files import FileMismatch
from thingtank.tank.device_events import LoggedEvent
from thingtank.tank.errors import StorageFailed

EVENTS_MAX = 100
NEVER_US = -(2**60)


def event(at_us: int, *device_ids: int, event_id: str = "", size_bytes: int = 2) -> LoggedEvent:
    return LoggedEvent(at_us, 300, device_ids, b"x" * size_bytes, event_id, bool(event_id))


def times(file: DeviceEventFile, device_id: int) -> list[int]:
    """When a device's events were, newest first."""
    return [each.at_us for each in file.read(device_id, 10**6, None, NEVER_US)]


def rows(file: DeviceEventFile, table: str) -> int:
    (count,) = file._connected().execute(f"SELECT count(*) FROM {table}").fetchone()  # noqa: S608 - ours
    return int(count)


def trim(file: DeviceEventFile, oldest_us: int = NEVER_US) -> int:
    """Trim all; in how many steps."""
    for step in range(1, 1000):
        if file.trim(oldest_us):
            return step
    raise AssertionError("it never ends")


@pytest.fixture
def file(tmp_path: Path) -> DeviceEventFile:
    return DeviceEventFile.open(tmp_path, EVENTS_MAX)


def test_nobody_else_may_read_it(tmp_path: Path, file: DeviceEventFile) -> None:
    assert stat.S_IMODE((tmp_path / FILE_NAME).stat().st_mode) == 0o600


def test_other_file_is_not_taken_for_it(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / FILE_NAME) as connection:
        connection.execute("CREATE TABLE other (a)")
    with pytest.raises(FileMismatch, match="is not a log of device events"):
        DeviceEventFile.open(tmp_path, EVENTS_MAX)


def test_event_stands_once_and_goes_with_its_last_list(file: DeviceEventFile) -> None:
    file.commit([event(1, 1, 2, 2)])
    file.commit([event(2 + each, 1) for each in range(EVENTS_MAX)])
    trim(file)
    assert (rows(file, "event"), rows(file, "listed")) == (EVENTS_MAX + 1, EVENTS_MAX + 1)
    assert times(file, 2) == [1]
    file.commit([event(2 + each, 2) for each in range(EVENTS_MAX)])
    trim(file)
    assert (rows(file, "event"), rows(file, "listed")) == (2 * EVENTS_MAX, 2 * EVENTS_MAX)


def test_list_is_trimmed_in_steps_when_it_has_grown_by_a_tenth(file: DeviceEventFile) -> None:
    file.commit([event(each, 1) for each in range(3 * TRIM_ROWS)])
    assert len(times(file, 1)) == EVENTS_MAX
    assert trim(file) > 2
    assert rows(file, "listed") == rows(file, "event") == EVENTS_MAX
    file.commit([event(10**6 + each, 1) for each in range(EVENTS_MAX // 10 - 1)])
    assert trim(file) == 1
    assert rows(file, "event") == EVENTS_MAX + EVENTS_MAX // 10 - 1
    file.commit([event(10**7, 1)])
    trim(file)
    assert rows(file, "event") == EVENTS_MAX
    assert times(file, 1)[0] == 10**7


def test_after_a_start_a_list_is_looked_at_when_something_is_added(
    tmp_path: Path, file: DeviceEventFile
) -> None:
    file.commit([event(each, 1) for each in range(150)])
    file.close()
    file = DeviceEventFile.open(tmp_path, EVENTS_MAX)
    file.commit([event(200, 1)])
    trim(file)
    assert rows(file, "event") == EVENTS_MAX


def test_many_lists_are_looked_at_in_steps(file: DeviceEventFile) -> None:
    file.commit([event(1, *range(500)), *(event(2, 499) for _ in range(EVENTS_MAX))])
    assert trim(file) == 3
    assert rows(file, "listed") == 499 + EVENTS_MAX


def test_old_events_go_from_all_lists_in_steps(file: DeviceEventFile) -> None:
    file.commit([event(each, 1, 2, 3) for each in range(2 * TRIM_ROWS)])
    file._lists._due.clear()
    assert trim(file, oldest_us=2 * TRIM_ROWS - 1) > 5
    assert (rows(file, "event"), rows(file, "listed")) == (1, 3)
    assert times(file, 1) == [2 * TRIM_ROWS - 1]


def test_event_of_very_many_lists_goes_in_one_step(file: DeviceEventFile) -> None:
    file.commit([event(1, *range(2 * TRIM_ROWS))])
    file._lists._due.clear()
    assert trim(file, oldest_us=2) == 2
    assert (rows(file, "event"), rows(file, "listed")) == (0, 0)


def test_forgotten_list_goes_in_steps_also_after_a_restart(
    tmp_path: Path, file: DeviceEventFile
) -> None:
    file.commit([event(1, 1, 2), *(event(2, 1) for _ in range(2 * TRIM_ROWS)), Forget(1)])
    file.commit([event(3, 1)])
    assert times(file, 1) == [3]
    assert not file.trim(NEVER_US)
    file.close()
    file = DeviceEventFile.open(tmp_path, EVENTS_MAX)
    assert times(file, 1) == [3]
    trim(file)
    assert times(file, 1) == [3]
    assert times(file, 2) == [1]
    assert (rows(file, "event"), rows(file, "listed"), rows(file, "forgotten")) == (2, 2, 0)


def test_many_forgotten_devices_go_one_step_after_the_other(file: DeviceEventFile) -> None:
    file.commit([Forget(each) for each in range(500)])
    assert trim(file) == 3
    assert rows(file, "forgotten") == 0


def test_number_is_not_used_again_after_a_restart(tmp_path: Path, file: DeviceEventFile) -> None:
    file.commit([event(1, 1), event(2, 1), Forget(1)])
    (newest, _) = (
        file._connected().execute("SELECT number, 0 FROM event ORDER BY 1 DESC").fetchone()
    )
    trim(file)
    file.close()
    file = DeviceEventFile.open(tmp_path, EVENTS_MAX)
    file.commit([event(3, 1)])
    assert file._connected().execute("SELECT number FROM event").fetchone() == (newest + 1,)


def test_batch_that_failed_is_in_no_list_of_later_events(file: DeviceEventFile) -> None:
    file.commit([event(1, 1)])
    number_last = file._number_last
    file.commit([event(2, 1)])  # "failed", and stands there all the same
    file._recover(sqlite3.OperationalError("disk I/O error"))
    file.commit([event(3, 2)])
    assert times(file, 1) == [2, 1]
    assert times(file, 2) == [3]
    assert file._number_last == number_last + 2


def test_large_events_come_in_smaller_pages(file: DeviceEventFile) -> None:
    file.commit([event(each, 1, size_bytes=3 * 2**20) for each in range(3)])
    assert times(file, 1) == [2]
    (newest,) = file.read(1, 10, None, NEVER_US)
    (next_one,) = file.read(1, 10, newest.event_id, NEVER_US)
    assert next_one.at_us == 1


def test_file_that_cannot_be_read_is_a_failed_storage(file: DeviceEventFile) -> None:
    file._connected().execute("DROP TABLE listed")
    with pytest.raises(StorageFailed, match="could not be read"):
        file.read(1, 10, None, NEVER_US)
    with pytest.raises(StorageFailed, match="could not be written"):
        file.commit([event(1, 1)])


STATEMENTS = {
    name: text
    for module in (device_event_file, device_event_lists)
    for name, text in vars(module).items()
    if isinstance(text, str) and text.strip().startswith(("SELECT", "DELETE"))
}


@pytest.mark.parametrize("name", STATEMENTS)
def test_no_statement_goes_through_a_whole_table(file: DeviceEventFile, name: str) -> None:
    text = STATEMENTS[name]
    plan = file._connected().execute(f"EXPLAIN QUERY PLAN {text}", [1] * text.count("?"))
    details = [detail for *_, detail in plan]
    assert details
    assert [each for each in details if each.startswith("SCAN") and "json_each" not in each] == []
