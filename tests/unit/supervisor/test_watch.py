import os
from pathlib import Path

from wicket.supervisor.watch import Watch


def test_a_change_counts_when_the_file_has_come_to_rest(tmp_path: Path) -> None:
    path = tmp_path / "wicket.toml"
    path.write_text("one")
    watch = Watch(path)
    assert not watch.has_changed()
    path.write_text("two and")
    assert not watch.has_changed()  # somebody may still be writing
    path.write_text("two and more")
    assert not watch.has_changed()
    assert watch.has_changed()
    assert not watch.has_changed()


def test_a_touch_and_an_absence_are_no_change(tmp_path: Path) -> None:
    path = tmp_path / "wicket.toml"
    path.write_text("one")
    watch = Watch(path)
    os.utime(path, ns=(1, 1))
    assert [watch.has_changed() for _ in range(3)] == [False, False, False]
    path.unlink()
    assert [watch.has_changed() for _ in range(3)] == [False, False, False]
    path.write_text("two")
    assert [watch.has_changed() for _ in range(3)] == [False, True, False]
