"""Programs that models wrote: good ones pass, others can't hurt, hang, cheat or talk to anybody."""

import os
import socket
import threading
from pathlib import Path

import pytest

from wicket.cli import sandbox
from wicket.cli.sandbox import passes

WORD = "the-last-word"
END = f"\nprint({WORD!r})\n"


def test_a_program_that_passes_its_tests() -> None:
    program = "import math, random\ndef f(x):\n    return math.floor(x)\nassert f(2.5) == 2\nprint('hi')"
    assert passes(program + END, WORD) == ""
    assert passes("open('mine.txt', 'w').write('x')\nassert open('mine.txt').read() == 'x'" + END, WORD) == ""


@pytest.mark.parametrize(
    ("program", "word"),
    [
        ("assert 1 == 2, 'not equal'", "AssertionError: not equal"),
        ("def f(:", "SyntaxError"),
        ("raise SystemExit(0)", "ends before its tests do"),
        ("import os\nos._exit(0)", "ends before its tests do"),
        ("print('the-last-word')\nraise SystemExit(3)", "fails"),
        ("x = 'a' * (3 << 30)", "MemoryError"),
        ("open('big', 'wb').write(b'x' * (8 << 20))", "File too large"),
    ],
)
def test_what_does_not_pass_says_why(program: str, word: str) -> None:
    assert word in passes(program + END, WORD)


def test_a_program_that_never_ends_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sandbox, "CPU_S", 1)
    monkeypatch.setattr(sandbox, "WALL_S", 120.0)
    assert "more than 1 s of processor time" in passes("while True: pass" + END, WORD)
    monkeypatch.setattr(sandbox, "WALL_S", 0.5)
    assert "runs for more than" in passes("import time\ntime.sleep(60)" + END, WORD)


@pytest.mark.parametrize(
    "program",
    [
        "import subprocess\nsubprocess.run(['true'])",
        "import os\nos.system('true')",
        "import os\nos.fork()",
        "import os\nos.execv('/bin/true', ['true'])",
        "import os\nos.kill(os.getppid(), 9)",
        "import ctypes\nctypes.CDLL(None)",
        "open('/etc/passwd').read()",
        "import os\nos.symlink('/etc/passwd', 'here')\nopen('here').read()",
        "open('../escaped.txt', 'w')",
        "import resource\nresource.setrlimit(resource.RLIMIT_CPU, (1, 1))",
    ],
)
def test_processes_and_other_files_are_out_of_reach(program: str) -> None:
    assert "PermissionError" in passes(program + END, WORD)


def test_secrets_of_the_caller_are_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("A_SECRET_OF_OURS", "x")
    folders = tmp_path / "folders"  # other tests' programs run beside this one
    folders.mkdir()
    monkeypatch.setattr(sandbox.tempfile, "tempdir", str(folders))
    (tmp_path / "secret").write_text("x")
    assert (
        passes(
            "import os\nassert 'A_SECRET_OF_OURS' not in os.environ and 'HOME' not in os.environ" + END, WORD
        )
        == ""
    )
    assert "PermissionError" in passes(f"open({str(tmp_path / 'secret')!r}).read()" + END, WORD)
    assert os.listdir(folders) == []


def test_the_network_is_out_of_reach() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(0.0)
        port = listener.getsockname()[1]
        program = f"import socket\nsocket.create_connection(('127.0.0.1', {port}), 2)"
        assert "fails" in passes(program + END, WORD)
        with pytest.raises(BlockingIOError):
            listener.accept()  # nobody knocked


def test_programs_of_several_threads_do_not_mix() -> None:
    found: list[str] = []
    threads = [
        threading.Thread(target=lambda n=n: found.append(passes(f"assert {n} < 2{END}", WORD)))
        for n in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(bool(why) for why in found) == [False, False, True, True]
