"""Wicket's embedded engine on the workload of workload.py, stepped directly as its own process does.

Packages: wicket[compact]. `--scheme NAME` chooses the weights' format (default: the engine's choice).
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import workload as w

from wicket.engines import openvino_llama
from wicket.engines.contract import Engine, Generate, Piece, Refused, Sampling


class Embedded:
    def __init__(self, args: Any, scheme: str, cache: Path) -> None:
        self.engine: Engine = openvino_llama.load(
            args.model,
            kv_tokens=16_384,
            max_batch=w.CHATS,
            threads=args.threads,
            cache_dir=cache,
            scheme=scheme,
        )
        self.next_id = 0

    def begin(self, ids: list[int], count: int, logprobs: int | None = None, salt: str = "") -> int:
        self.next_id += 1
        self.engine.submit(
            Generate(
                id=self.next_id,
                prompt=ids,
                max_tokens=count,
                sampling=Sampling(temperature=0.0),
                ignore_eos=True,
                logprobs=logprobs,
                salt=salt,
            )
        )
        return self.next_id

    def pieces(self) -> list[Piece]:
        out = []
        while not self.engine.is_idle():
            for event in self.engine.step():
                if isinstance(event, Refused):
                    raise RuntimeError(event.message)
                if isinstance(event, Piece):
                    out.append(event)
        return out

    def greedy(self, ids: list[int], count: int, salt: str = "") -> list[int]:
        self.begin(ids, count, salt=salt)
        return [i for piece in self.pieces() for i in piece.token_ids]

    def distance(self, case: w.engine_golden.Case) -> float:
        self.begin(case.ids, 1, logprobs=self.engine.capabilities().max_logprobs)
        return w.engine_golden.divergence(case, dict(self.pieces()[0].logprobs[0].top))

    def decode(self, rounds: int) -> list[w.Run]:
        """The 128 tokens after the first; the prompt is not in it."""
        runs = []
        for n in range(rounds):
            self.begin(w.FRANCE.ids, w.DECODE_TOKENS + 1, salt=f"decode {n} {time.time_ns()}")
            while not any(isinstance(event, Piece) for event in self.engine.step()):
                pass
            runs.append(w.clock(self.pieces))
        return runs

    def chats(self, n: int) -> None:
        for ids in w.chat_prompts():
            self.begin(ids, w.CHAT_TOKENS, salt=f"chats {n}")
        self.pieces()


def measured(own: Embedded, args: Any) -> dict[str, Any]:
    own.greedy(w.long_prompt(99), 1, salt="warm")
    figures: dict[str, Any] = {
        "scheme": own.engine.capabilities().scheme,
        "weights_mb": round(own.engine.capabilities().weights_bytes / 1e6, 1),
        "prefill_600_tok_s": w.rate(
            w.PREFILL_TOKENS, w.timed(lambda n: own.greedy(w.long_prompt(n), 1, salt=f"p{n}"), args.rounds)
        ),
        "decode_1_tok_s": w.rate(w.DECODE_TOKENS, own.decode(args.rounds)),
        "chats_16_tok_s": w.rate(w.CHATS * w.CHAT_TOKENS, w.timed(own.chats, args.rounds)),
    }
    own.greedy(w.long_prompt(), 1, salt="again")
    return figures | {
        "repeated_prefix_ms": w.milliseconds(
            w.timed(lambda n: own.greedy(w.long_prompt(), 1, salt="again"), args.rounds)
        ),
        "rss_mb": w.memory_mb(),
        "peak_rss_mb": w.memory_mb("VmHWM"),
        "install_mb": w.install_mb("openvino", "numpy", "tokenizers", "llguidance", "jinja2"),
    }


def main() -> None:
    scheme = "auto"
    if "--scheme" in sys.argv:
        at = sys.argv.index("--scheme")
        scheme = sys.argv[at + 1]
        del sys.argv[at : at + 2]
    args = w.arguments(__doc__)
    with tempfile.TemporaryDirectory() as folder:
        cache = Path(folder)
        kept: list[Embedded] = []
        first = w.clock(lambda: kept.append(Embedded(args, scheme, cache)))
        kept.pop().engine.close()
        again = w.clock(lambda: kept.append(Embedded(args, scheme, cache)))
        own = kept[0]
        loads = {"load_first_s": round(first.wall, 2), "load_s": round(again.wall, 2)}
        figures = loads | measured(own, args)
        if not args.skip_golden:
            figures["golden"] = w.judged(own.greedy, own.distance)
        own.engine.close()
    w.report("wicket, embedded", args, figures)


if __name__ == "__main__":
    main()
