"""Running a program that a model wrote: a child with little of everything, an empty folder, and no network.

What holds: limits on processor time, memory, file size and open files (setrlimit(2)); no variables, no home,
a new folder that is removed; wall-clock time, after which the whole process group is ended; no network, by a
namespace of its own where the system lets us make one (unshare(1)), and everywhere by Python's audit hooks,
which also refuse to start processes and to read or write files outside the folder (but Python's own). That
keeps mistakes and mischief of a model's code away from the machine. It is no wall against somebody who writes
an attack on Python itself, which is why it takes `--allow-code`.
"""

from __future__ import annotations

import functools
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

CPU_S = 5
WALL_S = 10.0
MEMORY_BYTES = 1 << 30
FILE_BYTES = 1 << 20
MAX_OUTPUT = 1 << 16
_MAX_SHOWN = 160
_PROBE_S = 5.0

# Runs in the child before the candidate: limits, hooks, then the program.
_FENCE = f"""
import os, resource, sys
limits = [(resource.RLIMIT_CPU, int(sys.argv[3])), (resource.RLIMIT_AS, {MEMORY_BYTES}),
          (resource.RLIMIT_FSIZE, {FILE_BYTES}), (resource.RLIMIT_NOFILE, 64), (resource.RLIMIT_CORE, 0)]
for kind, most in limits:
    hard = resource.getrlimit(kind)[1]
    most = most if hard == resource.RLIM_INFINITY else min(most, hard)
    try:
        resource.setrlimit(kind, (most, most))
    except (OSError, ValueError):
        pass  # a system without that limit
path, folder = sys.argv[1], os.path.realpath(sys.argv[2])
source = open(path, encoding="utf-8").read()
os.chdir(folder)
refused = ("socket.", "subprocess.", "os.system", "os.exec", "os.fork", "os.posix_spawn", "os.spawn",
           "os.kill", "os.startfile", "pty.", "ctypes.", "shutil.rmtree", "os.remove", "os.rename",
           "os.rmdir", "os.chmod", "os.chown", "os.link", "os.symlink", "os.mkdir", "os.truncate",
           "os.setxattr", "ftplib.", "smtplib.", "urllib.", "http.", "webbrowser.", "sqlite3.", "resource.",
           "syslog.", "mmap.")
library = os.path.dirname(os.__file__), sys.base_prefix + "/lib"
readable = (folder, *map(os.path.realpath, library))
writing = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
def hook(event, arguments, refused=refused, readable=readable, real=os.path.realpath, fspath=os.fsdecode):
    if event == "open" and isinstance(arguments[0], (str, bytes)):
        name, flags = real(fspath(arguments[0])), arguments[2]
        places = readable[:1] if isinstance(flags, int) and flags & writing else readable
        if not any(name.startswith(place + "/") for place in places):
            raise PermissionError("the tests may use files of their own folder only")
    elif event.startswith(refused):
        raise PermissionError("the tests may not use " + event)
sys.addaudithook(hook)
sys.argv = ["candidate.py"]
exec(compile(source, "candidate.py", "exec"), {{"__name__": "__main__", "__builtins__": __builtins__}})
"""


def passes(program: str, word: str) -> str:
    """Run a program that prints `word` as its last line if all is well; why it did not, else ""."""
    with tempfile.TemporaryDirectory(prefix="wicket-tests-") as folder:
        path = Path(folder) / "candidate.py"
        path.write_text(program, encoding="utf-8", errors="replace")
        inside = Path(folder) / "work"
        inside.mkdir()
        output = Path(folder) / "output"
        with output.open("wb") as sink:
            code = _ended(_command(path, inside), inside, sink.fileno())
        with output.open("rb") as source:
            size = output.stat().st_size
            source.seek(max(0, size - MAX_OUTPUT))
            said = source.read().decode("utf-8", "replace").strip()
    lines = said.splitlines()
    last = lines[-1] if lines else ""
    if code == 0 and last == word:
        return ""
    if code is None:
        return f"runs for more than {WALL_S:g} s"
    if code in (-signal.SIGXCPU, -signal.SIGKILL):
        return f"takes more than {CPU_S} s of processor time"
    return f"fails: {last[:_MAX_SHOWN]}" if last and code else "ends before its tests do"


@functools.cache
def isolation() -> tuple[str, ...]:
    """The words before a command that give it a network without a way out; () if that can't be."""
    tool = shutil.which("unshare")
    if tool is None:
        return ()
    words = (tool, "--user", "--map-root-user", "--net", "--")
    try:
        done = subprocess.run([*words, "true"], capture_output=True, timeout=_PROBE_S, check=False)  # noqa: S603 - fixed words
    except (OSError, subprocess.TimeoutExpired):
        return ()
    return words if done.returncode == 0 else ()


def _command(path: Path, folder: Path) -> list[str]:
    return [*isolation(), sys.executable, "-I", "-S", "-B", "-c", _FENCE, str(path), str(folder), str(CPU_S)]


def _ended(command: list[str], folder: Path, output: int) -> int | None:
    """The exit code; None if it had to be ended."""
    child = subprocess.Popen(  # noqa: S603 - ours; what it runs is what this file is about
        command,
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=output,
        cwd=folder,
        env={"PATH": os.defpath, "PYTHONHASHSEED": "0", "LANG": "C.UTF-8"},
        start_new_session=True,
        close_fds=True,
    )
    try:
        return child.wait(WALL_S)
    except subprocess.TimeoutExpired:
        return None
    finally:
        try:
            os.killpg(child.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        child.wait()
