"""A worker's process: `python -m wicket.server.process --listen-fd N --control-fd M --index I --home DIR`.

Started by the supervisor. The cycle collector rests until the worker serves: reading modules leaves next to
no garbage, and a fifth of a worker's start went into looking for some.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import resource
import signal
from collections.abc import Callable, Sequence
from pathlib import Path

MAX_FILES = 65_536


def main(argv: Sequence[str] | None = None) -> None:
    """The process's entry point."""
    gc.disable()
    from wicket.server.worker import Worker

    parser = argparse.ArgumentParser(prog="wicket worker", description="Started by `wicket serve`.")
    parser.add_argument("--listen-fd", type=int, required=True)
    parser.add_argument("--control-fd", type=int, required=True)
    parser.add_argument("--index", type=int, required=True)
    parser.add_argument("--home", type=Path, required=True)
    options = parser.parse_args(argv)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the supervisor's to hear

    async def run() -> None:
        await Worker(options.index, options.home).run(options.listen_fd, options.control_fd)

    _raise_file_limit()
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        runner.run(run())


def _raise_file_limit() -> None:
    """Each request holds two sockets; the usual soft limit of 1,024 files is for programs that use select."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MAX_FILES if hard == resource.RLIM_INFINITY else min(MAX_FILES, hard)
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop]:
    try:
        import uvloop
    except ImportError:  # not made for this platform
        return asyncio.new_event_loop
    return uvloop.new_event_loop


if __name__ == "__main__":
    main()
