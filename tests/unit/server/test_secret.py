"""The instance's secret: made once, and never in place of one that is missing."""

from pathlib import Path

import pytest

from thingtank.server.secret import SECRET_BYTES, load_secret


def test_the_secret_of_a_new_folder_is_made_once_and_for_its_owner_only(tmp_path: Path) -> None:
    secret = load_secret(tmp_path)
    assert len(secret) == SECRET_BYTES
    assert load_secret(tmp_path) == secret
    assert (tmp_path / "secret.key").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("sign", ["directory.sqlite3", "database.txt", "cold/a.parquet"])
def test_a_missing_secret_is_not_replaced_where_keys_were_sealed_with_it(
    tmp_path: Path, sign: str
) -> None:
    (tmp_path / sign).parent.mkdir(exist_ok=True)
    (tmp_path / sign).touch()
    with pytest.raises(ValueError, match=r"secret\.key is missing .* restore it from your backup"):
        load_secret(tmp_path)
    assert not (tmp_path / "secret.key").exists()


def test_a_file_that_is_no_secret_is_refused(tmp_path: Path) -> None:
    (tmp_path / "secret.key").write_bytes(b"short")
    with pytest.raises(ValueError, match="holds 5 bytes, not 32"):
        load_secret(tmp_path)
