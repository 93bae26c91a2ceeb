"""A worker that speaks the control channel and answers a few plain words: for tests of the supervisor only.

Paths: /pid, /callers, /config, /draining (answers when told to drain), /record/N (N records, then their ids).
"""

import argparse
import asyncio
import os
import socket
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import unquote

import msgspec

from wicket.accounts.record import Record, Usage
from wicket.accounts.request_ids import RequestIds
from wicket.config.schema import Config
from wicket.errors import Fault
from wicket.server.control import Control
from wicket.supervisor.ledger import spool_write
from wicket.supervisor.messages import (
    AddCaller,
    Configure,
    Drain,
    EngineState,
    RemoveCaller,
    SetCallers,
    ToWorker,
    pack_record,
)

REFUSE = "refuse"  # with this file in its home, a stand-in ends before it is ready


class StandIn:
    def __init__(self, index: int, home: Path) -> None:
        self.home = home
        self.ids = RequestIds(index)
        self.control = Control(self.hear, self.lost, self.spool)
        self.version = 0
        self.config = Config()
        self.engines: dict[str, str] = {}
        self.callers: dict[int, str] = {}
        self.keyed = asyncio.Event()
        self.draining = asyncio.Event()
        self.serving: set[asyncio.Task[None]] = set()

    def hear(self, message: ToWorker) -> None:
        if isinstance(message, Configure):
            self.version = message.version
            self.config = msgspec.msgpack.decode(message.config, type=Config)
        elif isinstance(message, SetCallers):
            self.callers = {caller.key_id: caller.name for caller in message.callers}
            self.keyed.set()
        elif isinstance(message, AddCaller):
            self.callers[message.caller.key_id] = message.caller.name
        elif isinstance(message, RemoveCaller):
            self.callers.pop(message.key_id, None)
        elif isinstance(message, EngineState):
            self.engines[message.name] = message.state
        elif isinstance(message, Drain):
            self.draining.set()

    def lost(self) -> None:
        self.draining.set()

    def spool(self, records: Sequence[Record]) -> None:
        spool_write(self.home / "spool" / f"worker-{os.getpid()}.spool", records)

    async def run(self, listen_fd: int, control_fd: int) -> None:
        await self.control.connect(control_fd)
        await self.keyed.wait()
        listener = socket.socket(fileno=listen_fd)
        asyncio.get_running_loop().add_reader(listener, self.accept, listener)
        self.control.ready()
        await self.draining.wait()
        asyncio.get_running_loop().remove_reader(listener)
        listener.close()
        if self.serving:
            await asyncio.wait(self.serving)
        self.control.close()

    def accept(self, listener: socket.socket) -> None:
        try:
            connection, _ = listener.accept()
        except BlockingIOError:
            return  # another worker was faster
        task = asyncio.get_running_loop().create_task(self.serve(connection))
        self.serving.add(task)
        task.add_done_callback(self.serving.discard)

    async def serve(self, connection: socket.socket) -> None:
        connection.setblocking(False)
        reader, writer = await asyncio.open_connection(sock=connection)
        head = await reader.readuntil(b"\r\n\r\n")
        _, path, _ = head.decode().split(" ", 2)
        body = msgspec.json.encode(await self.answer(path.strip("/").split("/")))
        writer.write(b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: %d\r\n\r\n" % len(body) + body)
        await writer.drain()
        writer.close()
        await writer.wait_closed()

    async def answer(self, words: list[str]) -> object:
        match words:
            case ["pid"]:
                return os.getpid()
            case ["callers"]:
                return sorted(self.callers.values())
            case ["config"]:
                return {"version": self.version, "models": list(self.config.models), "engines": self.engines}
            case ["draining"]:
                await self.draining.wait()
                return "drained"
            case ["record", number]:
                return self.record(int(number))
            case ["ask", verb, *rest]:
                arguments = msgspec.json.decode(unquote("/".join(rest)) or "{}")
                try:
                    return await self.control.ask(verb, arguments, 0)
                except Fault as fault:
                    return {"fault": fault.code, "message": fault.message, "status": fault.status}
        return None

    def record(self, number: int) -> list[int]:
        now_ms = int(time.time() * 1000)
        ids = [self.ids.next(now_ms) for _ in range(number)]
        self.control.send_records(
            [
                pack_record(Record(
                    id=id, started_ms=now_ms, key_id=0, api="chat.completions", model="m", deployment="d/m",
                    served_model="m", status=200, outcome="ok", is_stream=False, usage=Usage(3, 4),
                    cost_nanos=5, charge_nanos=6, first_token_us=7, total_us=8, attempts=[],
                ))
                for id in ids
            ]
        )  # fmt: skip
        return ids


def main() -> None:
    parser = argparse.ArgumentParser()
    for name in ("--listen-fd", "--control-fd", "--index"):
        parser.add_argument(name, type=int, required=True)
    parser.add_argument("--home", type=Path, required=True)
    options = parser.parse_args()

    if (options.home / REFUSE).exists():
        sys.exit("told not to start")

    async def run() -> None:
        await StandIn(options.index, options.home).run(options.listen_fd, options.control_fd)

    asyncio.run(run())


if __name__ == "__main__":
    main()
