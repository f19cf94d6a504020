"""What must happen in one place happens nowhere else."""

import re
from pathlib import Path

SOURCE = Path(__file__).parents[2] / "src" / "thingtank"


def files_with(pattern: str, *without: str) -> list[str]:
    """The files whose text holds `pattern`, apart from those named and from migrations."""
    return sorted(
        name
        for path in SOURCE.rglob("*.py")
        if (name := path.relative_to(SOURCE).as_posix()) not in without
        and "/migrations/" not in name
        and re.search(pattern, path.read_text())
    )


def test_accounts_are_stored_for_pages_by_their_changes_and_for_actions_by_their_profiles() -> None:
    writes = r"is_staff = |\.set_password\(|\.set_unusable_password\(|\.create_(super)?user\(|accounts_changed\)|super\(\)\.save_model"
    assert files_with(writes, "web/accounts/changes.py", "web/accounts/profiles.py") == []


def test_an_hour_and_a_day_are_given_once_in_each_unit() -> None:
    assert files_with(r"(?m)^(HOUR|DAY)_S = ") == ["tank/history.py"]
    assert files_with(r"(?m)^(HOUR|DAY)_US = ") == ["stores/history/segments.py"]


def test_what_a_form_answers_to_is_said_once() -> None:
    assert files_with(r"require_http_methods") == ["web/workbench/pages.py"]
