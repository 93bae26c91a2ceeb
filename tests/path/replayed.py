"""Recorded providers, served in a thread of their own."""

import asyncio
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.path.served import LIMIT_S
from wicket.recordings.folder import Folder
from wicket.recordings.index import Index
from wicket.recordings.recording import Recording
from wicket.recordings.replay import Replay

CASSETTES = Path(__file__).parents[1] / "data" / "cassettes"
FOLDER = Folder(CASSETTES, max_kept=1_000)


def recorded(file: str, number: int = 0) -> Recording:
    """One interaction of `tests/data/cassettes`: `recorded("openai/text")`."""
    return FOLDER.again(f"{file}.yaml")[number]


def asked(file: str, number: int = 0) -> dict[str, Any]:
    """The body of a recorded request."""
    found: dict[str, Any] = json.loads(recorded(file, number).request.body)
    return found


def answered(file: str, number: int = 0) -> dict[str, Any]:
    """The body of a recorded answer."""
    found: dict[str, Any] = json.loads(recorded(file, number).response.body)
    return found


@contextmanager
def replaying(folder: Path = CASSETTES, seed: int = 0) -> Iterator[Replay]:
    """A running replay of a folder."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    replay = Replay(Index(Folder(folder)), seed=seed)
    try:
        asyncio.run_coroutine_threadsafe(replay.__aenter__(), loop).result(LIMIT_S)
        asyncio.run_coroutine_threadsafe(replay.filled(), loop).result(LIMIT_S)
        yield replay
    finally:
        asyncio.run_coroutine_threadsafe(replay.__aexit__(), loop).result(LIMIT_S)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
