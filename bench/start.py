"""From the command to the first answer of a remote model: `python bench/start.py [OTHER/src …]`.

Each tree of sources is compiled, then started in turn, in a home of its own (a first start) and again in the
same (a later one), on one core and on all; asked again and again until it answers. CPU is that of all its
processes up to the answer, from /proc (Linux). What counts are the best of the rounds, and their ratios to
the first tree.
"""

from __future__ import annotations

import argparse
import asyncio
import compileall
import contextlib
import http.client
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from wicket.upstream.scripted import ScriptedUpstream

HERE = Path(__file__).parents[1] / "src"
ADMIN_KEY = "bench-admin-key-0123456789"
LIMIT_S = 120.0
NANOSECONDS = 1e9
CONFIG = """
[server]
port = 0
[providers.mine]
base_url = "{url}"
api_key = "upstream-key"
"""
BODY = json.dumps({"model": "mine/m", "messages": [{"role": "user", "content": "hi"}]}).encode()
HEADERS = {"authorization": f"Bearer {ADMIN_KEY}", "content-type": "application/json"}
Figures = tuple[float, float]


@contextlib.contextmanager
def upstream() -> Iterator[str]:
    """A scripted provider in a thread: its base URL."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    provider = ScriptedUpstream()
    asyncio.run_coroutine_threadsafe(provider.__aenter__(), loop).result()
    try:
        yield provider.base_url
    finally:
        asyncio.run_coroutine_threadsafe(provider.__aexit__(), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


def family(pid: int) -> list[int]:
    """A process and its descendants."""
    found = [pid]
    for parent in found:
        with contextlib.suppress(OSError):
            for task in Path(f"/proc/{parent}/task").iterdir():
                found += [int(child) for child in (task / "children").read_text().split()]
    return found


def cpu_s(pids: list[int]) -> float:
    """Seconds of CPU that the processes' living threads have had."""
    total = 0
    for pid in pids:
        for file in Path(f"/proc/{pid}/task").glob("*/schedstat"):
            with contextlib.suppress(OSError):
                total += int(file.read_text().split()[0])
    return total / NANOSECONDS


def first_answer(source: Path, home: Path, port: int, cores: str) -> Figures:
    """Wall and CPU seconds of one start."""
    environ = {
        **os.environ,
        "WICKET_HOME": str(home),
        "WICKET_ADMIN_KEY": ADMIN_KEY,
        "PYTHONPATH": str(source),
    }
    serve = [sys.executable, "-P", "-m", "wicket.cli", "serve", "--port", str(port)]
    serve += ["--config", str(home.parent / "wicket.toml")]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    began = time.monotonic()
    with subprocess.Popen(["taskset", "-c", cores, *serve], env=environ, **quiet) as process:  # type: ignore[call-overload]
        try:
            while not is_answered(port):
                if time.monotonic() - began > LIMIT_S:
                    raise SystemExit("Wicket did not answer")
                time.sleep(0.002)
            return time.monotonic() - began, cpu_s(family(process.pid))
        finally:
            process.send_signal(signal.SIGTERM)


def is_answered(port: int) -> bool:
    """Whether a request is answered now."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=LIMIT_S)
    try:
        connection.request("POST", "/v1/chat/completions", BODY, HEADERS)
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("trees", nargs="*", type=Path, default=[HERE], help="folders that hold `wicket`")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--port", type=int, default=4271)
    options = parser.parse_args()
    every = ",".join(map(str, sorted(os.sched_getaffinity(0))))
    seen: dict[tuple[Path, str, str], list[Figures]] = {}
    for tree in options.trees:
        compileall.compile_dir(tree, quiet=2)
    with tempfile.TemporaryDirectory(prefix="wicket-start-") as name, upstream() as url:
        (Path(name) / "wicket.toml").write_text(CONFIG.format(url=url))
        for number in range(options.rounds):
            for index, tree in enumerate(options.trees):
                for cores, words in (("0", "one core"), (every, "all cores")):
                    home = Path(name) / f"{number}-{index}-{len(cores)}"
                    for when in ("first", "later"):
                        figures = first_answer(tree, home, options.port, cores)
                        seen.setdefault((tree, words, when), []).append(figures)
    report(options.trees, seen)


def report(trees: list[Path], seen: dict[tuple[Path, str, str], list[Figures]]) -> None:
    """A line per tree, cores and kind of start."""
    for (tree, words, when), rows in sorted(seen.items(), key=lambda item: item[0][1:]):
        wall, cpu = (min(row[part] for row in rows) for part in (0, 1))
        first = seen[trees[0], words, when]
        ratios = [best / min(row[part] for row in first) for part, best in enumerate((wall, cpu))]
        texts = f"{wall:.2f} s (ratio {ratios[0]:.2f}), CPU {cpu:.2f} s ({ratios[1]:.2f})"
        print(f"{words}, {when} start: {texts}  {tree}")


if __name__ == "__main__":
    main()
