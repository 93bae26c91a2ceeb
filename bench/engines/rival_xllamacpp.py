"""llama.cpp's server out of the xllamacpp wheel, on the workload of workload.py, over its HTTP on loopback.

Packages: numpy, xllamacpp (its CPU wheel is compiled for AVX2).
"""

from __future__ import annotations

import http.client
import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import urlsplit

import workload as w
import xllamacpp

NAMED = 128  # alternatives asked for when comparing with torch


def started(args: Any) -> xllamacpp.Server:
    params = xllamacpp.CommonParams()
    params.model.path = str(args.model)
    params.n_parallel, params.n_ctx, params.kv_unified = w.CHATS, w.CHATS * 512, True
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = args.threads
    params.port, params.verbosity, params.warmup = 0, 0, True
    return xllamacpp.Server(params)


class Rival:
    def __init__(self, args: Any) -> None:
        self.server = started(args)
        where = urlsplit(self.server.listening_address)
        self.host, self.port = where.hostname or "127.0.0.1", where.port

    def complete(self, ids: list[int], count: int, reuse: bool = False, **more: Any) -> dict[str, Any]:
        body = {
            "prompt": ids,
            "n_predict": count,
            "temperature": 0,
            "ignore_eos": True,
            "return_tokens": True,
        }
        connection = http.client.HTTPConnection(self.host, self.port)
        try:
            connection.request(
                "POST",
                "/completion",
                json.dumps(body | {"cache_prompt": reuse} | more),
                {"content-type": "application/json"},
            )
            return dict(json.loads(connection.getresponse().read()))
        finally:
            connection.close()

    def greedy(self, ids: list[int], count: int) -> list[int]:
        return list(self.complete(ids, count)["tokens"])

    def distance(self, case: w.engine_golden.Case) -> float | None:
        """None where the first token is part of a character: the server holds its probabilities back."""
        answer = self.complete(case.ids, 1, n_probs=NAMED)
        if "completion_probabilities" not in answer:
            return None
        top = answer["completion_probabilities"][0]["top_logprobs"]
        return w.engine_golden.divergence(case, {t["id"]: t["logprob"] for t in top})


def chats(rival: Rival) -> None:
    with ThreadPoolExecutor(w.CHATS) as pool:
        list(pool.map(lambda ids: rival.complete(ids, w.CHAT_TOKENS), w.chat_prompts()))


def decode_rates(rival: Rival, rounds: int) -> dict[str, Any]:
    """The server's own clock for the tokens after the first: the prompt is not in it."""
    runs = []
    for _ in range(rounds):
        timings = rival.complete(w.FRANCE.ids, w.DECODE_TOKENS)["timings"]
        runs.append(round(timings["predicted_per_second"], 1))
    return {"median": sorted(runs)[len(runs) // 2], "best": max(runs), "runs": runs}


def main() -> None:
    args = w.arguments(__doc__)
    rivals: list[Rival] = []
    load = w.clock(lambda: rivals.append(Rival(args)))
    rival = rivals[0]
    rival.complete(w.long_prompt(99), 1)
    figures: dict[str, Any] = {
        "build": str(xllamacpp.get_system_info()),
        "load_s": round(load.wall, 2),
        "prefill_600_tok_s": w.rate(
            w.PREFILL_TOKENS, w.timed(lambda n: rival.complete(w.long_prompt(n), 1), args.rounds)
        ),
        "decode_1_tok_s": decode_rates(rival, args.rounds),
        "chats_16_tok_s": w.rate(w.CHATS * w.CHAT_TOKENS, w.timed(lambda n: chats(rival), args.rounds)),
    }
    rival.complete(w.long_prompt(), 1, reuse=True)
    figures |= {
        "repeated_prefix_ms": w.milliseconds(
            w.timed(lambda n: rival.complete(w.long_prompt(), 1, reuse=True), args.rounds)
        ),
        "rss_mb": w.memory_mb(),
        "peak_rss_mb": w.memory_mb("VmHWM"),
        "install_mb": w.install_mb("xllamacpp"),
        "france": rival.complete(w.FRANCE.ids, 40)["content"],
    }
    if not args.skip_golden:
        figures["golden"] = w.judged(rival.greedy, rival.distance)
    w.report("xllamacpp", args, figures)


if __name__ == "__main__":
    main()
