"""The engine's host process: HTTP on a private Unix socket, in front of the core process it keeps alive.

It stays up whatever happens to the core or the checkpoint, and says so at /readyz. SIGTERM lets what is
running finish within `--drain-s`; the parent's end does the same.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import logging
import os
import signal
import socket
import stat
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from wicket.engines import lifeline
from wicket.engines.host.model import Model, Settings
from wicket.engines.host.service import application
from wicket.errors import EngineFault

MAX_SOCKET_BYTES = 100  # 104 on macOS and 108 on Linux with the final NUL (unix(7))
# The gateway pools connections and would have to guess when we close them; it ends them itself.
KEEP_ALIVE_S = 24 * 3600
_BACKLOG = 1024
_PARENT_CHECK_S = 1.0

_log = logging.getLogger("wicket.engines")


def listen(path: Path) -> socket.socket:
    """A listening Unix socket that only this user can connect to (mode 0600).

    Raises `EngineFault` if the path is too long, taken by a living process, or can't be written.
    """
    if len(os.fsencode(path)) > MAX_SOCKET_BYTES:
        raise EngineFault("socket_path", f"The socket path {path} is longer than {MAX_SOCKET_BYTES} bytes.")
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    before = os.umask(0o177)
    try:
        _clear(path)
        # The path appears only when connections are taken: a bound socket refuses them until it listens.
        draft = path.with_name(f"{path.name}~")
        draft.unlink(missing_ok=True)
        listener.bind(str(draft))
        listener.listen(_BACKLOG)
        draft.replace(path)
    except OSError as error:
        listener.close()
        raise EngineFault("socket_path", f"Can't listen at {path}: {error.strerror or error}.") from None
    finally:
        os.umask(before)
    return listener


def _clear(path: Path) -> None:
    """Take away a socket that nobody listens at any more."""
    try:
        if not stat.S_ISSOCK(path.stat().st_mode):
            raise OSError(0, "there is a file that is no socket")
    except FileNotFoundError:
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            path.unlink()
        else:
            raise OSError(0, "another engine is listening there")


async def serve(settings: Settings, listener: socket.socket, parent: int) -> None:
    """Answer until SIGTERM, SIGINT or the parent's end; then finish what is running."""
    import uvicorn

    model = Model(settings, _say)

    class Server(uvicorn.Server):
        @contextlib.contextmanager
        def capture_signals(self) -> Iterator[None]:
            yield  # signals are handled below, and a drained process ends with status 0

    config = uvicorn.Config(
        application(model),
        log_config=None,
        access_log=False,
        lifespan="off",
        ws="none",
        proxy_headers=False,
        server_header=False,
        date_header=False,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=max(1, int(settings.drain_s)),
    )
    server = Server(config)

    def stop() -> None:
        server.should_exit = True

    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop)
    keeping = asyncio.create_task(model.run())
    watching = asyncio.create_task(_until_orphan(parent, stop))
    try:
        await server.serve(sockets=[listener])
    finally:
        for task in (keeping, watching):
            task.cancel()
        await asyncio.gather(keeping, watching, return_exceptions=True)


async def _until_orphan(parent: int, stop: object) -> None:
    """End when the parent has ended: looked at where the kernel does not tell (see `lifeline`)."""
    while not lifeline.is_orphan(parent):  # noqa: ASYNC110
        await asyncio.sleep(_PARENT_CHECK_S)
    assert callable(stop)
    stop()


def _say(state: str, message: str) -> None:
    if state == "failed" or message:
        _log.error("%s", message)
    else:
        _log.debug("The engine is %s.", state)  # the supervisor announces it


def settings(arguments: Sequence[str] | None = None) -> tuple[Settings, Path]:
    """The command line's settings and the socket's path."""
    parser = argparse.ArgumentParser(prog="wicket.engines.host", description=__doc__)
    parser.add_argument("--name", required=True)
    parser.add_argument("--model", required=True)
    parser.add_argument("--socket", required=True, type=Path)
    parser.add_argument("--home", required=True, type=Path)
    parser.add_argument("--label", default="")
    parser.add_argument("--scheme", default="auto")
    for option, default in (("max-batch", 16), ("kv-tokens", 16384)):
        parser.add_argument(f"--{option}", type=_positive, default=default)
    for option, default in (("queue", 64), ("context-tokens", 0), ("threads", 0)):
        parser.add_argument(f"--{option}", type=_natural, default=default)
    for option, seconds in (("load-wait-s", 120.0), ("stall-s", 60.0), ("drain-s", 30.0)):
        parser.add_argument(f"--{option}", type=float, default=seconds)
    given = vars(parser.parse_args(arguments))
    path = given.pop("socket")
    return Settings(spec=given.pop("model"), **given), path


def _positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError("it must be at least 1")
    return value


def _natural(text: str) -> int:
    value = int(text)
    if value < 0:
        raise argparse.ArgumentTypeError("it must not be negative")
    return value


def main(arguments: Sequence[str] | None = None) -> int:
    """The process's entry: `python -m wicket.engines.host --name N --model SPEC --socket PATH --home DIR`."""
    parent = os.getppid()
    lifeline.end_with_parent(signal.SIGTERM)
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(name)s: %(message)s")
    logging.getLogger("uvicorn").setLevel(logging.WARNING)
    chosen, path = settings(arguments)
    try:
        listener = listen(path)
    except EngineFault as fault:
        sys.stderr.write(f"wicket: {fault.message}\n")
        return 1
    try:
        with asyncio.Runner(loop_factory=_loop_factory()) as runner:
            runner.run(serve(chosen, listener, parent))
    finally:
        listener.close()
        path.unlink(missing_ok=True)
    return 0


def _loop_factory() -> type[asyncio.AbstractEventLoop] | None:
    try:
        import uvloop
    except ImportError:
        return None
    return uvloop.Loop
