"""What planning costs: microseconds from a request's bytes to its plan. `python -m bench routing`.

Admission, plan and rules, as the path has them between the parser and the first byte upstream. Each case is
measured in turn, many times, and the best of each kept: what else the machine does only ever adds.
"""

from __future__ import annotations

import gc
import json
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from wicket.accounts.callers import Caller
from wicket.config.load import parse
from wicket.config.snapshot import compile_snapshot
from wicket.dialects.openai_chat import CHAT
from wicket.gateway.admit import admit
from wicket.gateway.call import Arrival
from wicket.gateway.drive import Drive
from wicket.gateway.gate import Gate

REPEATS, ROUNDS = 2_000, 40
CONFIG = """
[providers.a]
base_url = "http://a.example/v1"
auth = "none"
prices.m = { input = 1, output = 2 }
[providers.b]
base_url = "http://b.example/v1"
auth = "none"
[providers.c]
base_url = "http://c.example/v1"
auth = "none"
[models.one]
deployments = ["a/m"]
[models.three]
deployments = ["a/m", "b/m", "c/m"]
"""
# Written for what an older version does not know; `--old` leaves these out.
NEWER = """
[models.priced]
deployments = ["a/m", "b/m", "c/m"]
policy = "price"
[models.weighted]
deployments = ["a/m", { id = "b/m", weight = 3 }, "c/m"]
policy = "weighted"
[models.featured]
deployments = ["a/m", { id = "b/m", features = ["tools"] }, "c/m"]
"""
PROVIDER: dict[str, Any] = {"provider": {"order": ["b"], "max_price": {"prompt": 3}}}
CASES: Mapping[str, tuple[str, dict[str, Any]]] = {
    "one deployment": ("one", {}),
    "three, ordered": ("three", {}),
    "three, by price": ("priced", {}),
    "three, weighted": ("weighted", {}),
    "three, one with known features": ("featured", {}),
    "three, with provider preferences": ("three", PROVIDER),
    "two models": ("one", {"models": ["three"]}),
}


def main() -> None:
    """Print one JSON document: microseconds by case."""
    is_old = "--old" in sys.argv
    config = parse(CONFIG + ("" if is_old else NEWER), {}, source="bench", base=Path())
    gate = Gate(None, 0, lambda record: None)  # type: ignore[arg-type]
    gate.configure(compile_snapshot(config, version=1, engine_sockets={}), 1_000)
    cases = list(CASES.items())[: 2 if is_old else None]
    best = dict.fromkeys((name for name, _ in cases), float("inf"))
    gc.disable()
    for _ in range(ROUNDS):
        for name, (model, more) in cases:
            best[name] = min(best[name], _measure(gate, model, more))
    print(json.dumps({name: round(us, 2) for name, us in best.items()}, indent=2))


def _measure(gate: Gate, model: str, more: dict[str, Any]) -> float:
    messages = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "word " * 100}]
    body = json.dumps(
        {"model": model, "messages": messages, "max_tokens": 64, "stream": True, **more}
    ).encode()
    caller = Caller(key_id=1, name="bench", digest=b"")
    routes = gate.check_room()
    start = time.thread_time_ns()
    for number in range(REPEATS):
        arrival = Arrival(CHAT, {}, body, number, 1, 1)
        Drive(gate, admit(arrival, caller, routes), None)  # type: ignore[arg-type]
    return (time.thread_time_ns() - start) / REPEATS / 1_000


if __name__ == "__main__":
    main()
