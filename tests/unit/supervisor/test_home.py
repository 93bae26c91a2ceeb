from pathlib import Path

import pytest

from wicket.errors import OperatorFault
from wicket.supervisor.home import (
    HomeLock,
    default_home,
    is_locked,
    prepare,
    read_server_file,
    write_private,
)


@pytest.mark.parametrize(
    ("platform", "environ", "expected"),
    [
        ("linux", {"HOME": "/h"}, "/h/.local/share/wicket"),
        ("linux", {"HOME": "/h", "XDG_DATA_HOME": "/data"}, "/data/wicket"),
        ("linux", {"HOME": "/h", "XDG_DATA_HOME": "relative"}, "/h/.local/share/wicket"),
        ("darwin", {"HOME": "/h", "XDG_DATA_HOME": "/data"}, "/h/Library/Application Support/wicket"),
        ("win32", {"HOME": "/h", "LOCALAPPDATA": "/local"}, "/local/wicket"),
        ("linux", {"HOME": "/h", "WICKET_HOME": "/mine"}, "/mine"),
    ],
)
def test_where_the_data_lives(platform: str, environ: dict[str, str], expected: str) -> None:
    assert default_home(environ, platform) == Path(expected)


def test_the_folder_is_private(tmp_path: Path) -> None:
    home = tmp_path / "a" / "b"
    prepare(home)
    assert home.stat().st_mode & 0o777 == 0o700
    assert sorted(path.name for path in home.iterdir()) == ["run"]


def test_a_folder_that_cannot_be_made_says_what_to_do(tmp_path: Path) -> None:
    blocker = tmp_path / "file"
    blocker.touch()
    with pytest.raises(OperatorFault, match="WICKET_HOME"):
        prepare(blocker / "home")


def test_a_private_file_is_replaced_whole_and_private(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    path.touch(mode=0o644)
    write_private(path, "one")
    assert path.read_text() == "one" and path.stat().st_mode & 0o777 == 0o600
    assert list(tmp_path.iterdir()) == [path]


def test_the_second_supervisor_is_told_who_was_first(tmp_path: Path) -> None:
    prepare(tmp_path)
    assert not is_locked(tmp_path)
    lock = HomeLock(tmp_path)
    lock.write_server_file({"pid": 4321, "url": "http://127.0.0.1:4242"})
    assert is_locked(tmp_path)
    with pytest.raises(OperatorFault, match=r"process 4321, http://127.0.0.1:4242"):
        HomeLock(tmp_path)
    lock.release()
    assert not is_locked(tmp_path) and read_server_file(tmp_path) == {}
    HomeLock(tmp_path).release()
