"""A run's folder: one run at a time, whoever holds it and however that ends."""

import subprocess
import sys
from pathlib import Path

import pytest

from wicket.errors import OperatorFault
from wicket.lab.run import alone_in

HOLD = """
import sys, time
from pathlib import Path
from wicket.lab.run import alone_in
with alone_in(Path(sys.argv[1])):
    print("in", flush=True)
    sys.stdin.read()
"""


def test_the_second_of_two_runs_is_refused_until_the_first_is_killed(tmp_path: Path) -> None:
    folder = tmp_path / "runs" / "small"
    words = [sys.executable, "-c", HOLD, str(folder)]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None and process.stdout.readline() == b"in\n"
        with (
            pytest.raises(
                OperatorFault, match=rf"run is under way in {folder}: wait .* another --out"
            ) as caught,
            alone_in(folder),
        ):
            raise AssertionError("two at once")
        assert caught.value.code == "in_use"
        process.kill()
    with alone_in(folder), pytest.raises(OperatorFault, match="under way"), alone_in(folder):
        raise AssertionError("two at once")
    with alone_in(folder):
        assert not list(folder.iterdir()), "the lock is no file"


def test_a_folder_that_can_not_be_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OperatorFault, match="can't be used"), alone_in(tmp_path / "file" / "run"):
        pass
