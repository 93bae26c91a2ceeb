from pathlib import Path

import pytest

from wicket.accounts.callers import CallerTable
from wicket.errors import OperatorFault
from wicket.supervisor.adminkey import take_admin_key

GIVEN = "a key of twenty char"


def test_the_first_start_makes_a_key_and_the_second_finds_it(tmp_path: Path) -> None:
    first = take_admin_key(tmp_path, {})
    second = take_admin_key(tmp_path, {})
    assert first.is_new and not second.is_new
    assert first.key == second.key == first.file.read_text().strip()
    assert first.file.stat().st_mode & 0o777 == 0o600
    caller = CallerTable([second.caller()]).find(first.key.encode())
    assert caller is not None and caller.is_admin and caller.key_id == 0


def test_the_variable_wins_and_the_file_follows_it(tmp_path: Path) -> None:
    take_admin_key(tmp_path, {})
    admin = take_admin_key(tmp_path, {"WICKET_ADMIN_KEY": GIVEN})
    assert admin.key == GIVEN == admin.file.read_text().strip()
    assert admin.is_from_variable and not admin.is_new
    assert GIVEN not in repr(admin)


@pytest.mark.parametrize("bad", ["short", "nineteen-characters", "a\ttab in the middle of it", "ümlaut" * 5])
def test_what_is_no_key_is_refused_without_repeating_it(tmp_path: Path, bad: str) -> None:
    with pytest.raises(OperatorFault, match="20 or more printable ASCII") as caught:
        take_admin_key(tmp_path, {"WICKET_ADMIN_KEY": bad})
    assert bad not in caught.value.message
    assert not (tmp_path / "admin.key").exists()


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "admin.key").write_text("oops")
    with pytest.raises(OperatorFault, match=r"admin\.key"):
        take_admin_key(tmp_path, {})
