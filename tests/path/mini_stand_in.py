"""An engine's host process that plays a mini: whole answers, a confidence, and a floor it keeps to.

It speaks what the gateway and a host have agreed on (docs/decisions/0007-the-loop.md). The last user message
says how it goes: `#0.93` is its confidence (0.99 without one), `#busy` answers 429, `#broken` 500, `#strict`
400 and `#silent` never. What it answers is in `says.txt` of its run's folder.
"""

import argparse
import asyncio
import json
import os
import re
from pathlib import Path
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

FAULTS = {"busy": 429, "broken": 500, "strict": 400}


def fault(status: int, code: str) -> Response:
    error = {"message": f"the mini says {code}", "type": "server_error", "param": None, "code": code}
    return JSONResponse({"error": error}, status)


class Mini:
    def __init__(self, spec: str, label: str, home: Path) -> None:
        task, _, run = spec.removeprefix("mini:").partition("@")
        self.label = label
        self.run = run
        self.said = (home / "minis" / task / run / "says.txt").read_text()

    async def ready(self, _: Request) -> Response:
        return JSONResponse({"status": "ready"})

    async def chat(self, request: Request) -> Response:
        body = json.loads(await request.body())
        mark = re.search(r"#([a-z]+|[01]\.\d+)", body["messages"][-1]["content"])
        word = mark[1] if mark else "0.99"
        if word == "silent":
            await asyncio.Event().wait()
        if word in FAULTS:
            return fault(FAULTS[word], word)
        floor = float(request.headers.get("x-wicket-floor", "0"))
        if float(word) < floor:
            return fault(422, "not_confident")
        headers = {"x-wicket-confidence": word, "x-seen-floor": str(floor)}
        if body.get("stream"):
            return StreamingResponse(self.frames(), media_type="text/event-stream", headers=headers)
        message = {"role": "assistant", "content": self.said}
        choice = {"index": 0, "message": message, "finish_reason": "stop"}
        return JSONResponse(
            {**self.named("chat.completion"), "choices": [choice], "usage": USAGE}, 200, headers
        )

    def named(self, kind: str) -> dict[str, Any]:
        return {"id": "chatcmpl-1", "object": kind, "created": 1, "model": self.label}

    async def frames(self) -> Any:
        half = len(self.said) // 2
        for text in (self.said[:half], self.said[half:]):
            yield self.frame({"choices": [{"index": 0, "delta": {"content": text}, "finish_reason": None}]})
        yield self.frame({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
        yield self.frame({"choices": [], "usage": USAGE})
        yield b"data: [DONE]\n\n"

    def frame(self, fields: dict[str, Any]) -> bytes:
        return b"data: " + json.dumps({**self.named("chat.completion.chunk"), **fields}).encode() + b"\n\n"


USAGE = {"prompt_tokens": 8, "completion_tokens": 5, "total_tokens": 13}


def main() -> None:
    parser = argparse.ArgumentParser()
    for name in ("--name", "--model", "--label"):
        parser.add_argument(name, required=True)
    for name in ("--socket", "--home"):
        parser.add_argument(name, type=Path, required=True)
    options, _ = parser.parse_known_args()
    assert options.name == "mini"
    mini = Mini(options.model, options.label, options.home)
    routes = [Route("/readyz", mini.ready), Route("/v1/chat/completions", mini.chat, methods=["POST"])]
    os.umask(0o177)
    uvicorn.run(
        Starlette(routes=routes), uds=str(options.socket), log_config=None, timeout_graceful_shutdown=1
    )


if __name__ == "__main__":
    main()
