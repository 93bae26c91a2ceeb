"""OpenVINO GenAI's continuous batching with its own GGUF reader, on the workload of workload.py.

Packages: numpy, openvino-genai==2026.4.1.0 (brings openvino and openvino-tokenizers).
It gives no alternatives' log-probabilities, so only greedy text is compared with torch.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import openvino
import openvino_genai as genai
import workload as w


class Rival:
    def __init__(self, args: Any, prefix_cache: bool) -> None:
        scheduler = genai.SchedulerConfig()
        scheduler.num_kv_blocks, scheduler.max_num_seqs = 512, w.CHATS
        scheduler.enable_prefix_caching = prefix_cache
        self.tokenizer = genai.Tokenizer(str(args.model))
        self.pipe = genai.ContinuousBatchingPipeline(
            str(args.model), self.tokenizer, scheduler, "CPU", INFERENCE_NUM_THREADS=args.threads
        )

    def complete(self, prompts: list[list[int]], count: int) -> list[list[int]]:
        config = genai.GenerationConfig(max_new_tokens=count, ignore_eos=True, do_sample=False)
        tensors = [openvino.Tensor(np.array([ids], dtype=np.int64)) for ids in prompts]
        answers = self.pipe.generate(tensors, [config] * len(prompts))
        return [list(answer.m_generation_ids[0]) for answer in answers]

    def greedy(self, ids: list[int], count: int) -> list[int]:
        return self.complete([ids], count)[0]


def decode_runs(rival: Rival, rounds: int) -> list[w.Run]:
    """128 tokens more: the time of 129 less the time of 1, so that the prompt is not in it."""
    runs = []
    for _ in range(rounds):
        short = w.clock(lambda: rival.greedy(w.FRANCE.ids, 1))
        whole = w.clock(lambda: rival.greedy(w.FRANCE.ids, w.DECODE_TOKENS + 1))
        runs.append(w.Run(whole.wall - short.wall, whole.cpu - short.cpu))
    return runs


def measured(rival: Rival, args: Any) -> dict[str, Any]:
    rival.greedy(w.long_prompt(99), 1)
    figures: dict[str, Any] = {
        "prefill_600_tok_s": w.rate(
            w.PREFILL_TOKENS, w.timed(lambda n: rival.greedy(w.long_prompt(n), 1), args.rounds)
        ),
        "decode_1_tok_s": w.rate(w.DECODE_TOKENS, decode_runs(rival, args.rounds)),
        "chats_16_tok_s": w.rate(
            w.CHATS * w.CHAT_TOKENS,
            w.timed(lambda n: rival.complete(w.chat_prompts(), w.CHAT_TOKENS), args.rounds),
        ),
        "rss_mb": w.memory_mb(),
        "peak_rss_mb": w.memory_mb("VmHWM"),
        "install_mb": w.install_mb("openvino-genai", "openvino", "openvino-tokenizers", "numpy"),
        "france": rival.tokenizer.decode(rival.greedy(w.FRANCE.ids, 40)),
    }
    if not args.skip_golden:
        figures["golden"] = w.judged(rival.greedy)
        texts = [rival.tokenizer.encode(c.text, add_special_tokens=False).input_ids.data for c in w.CASES]
        same = [t[0].tolist() == c.ids for t, c in zip(texts, w.CASES, strict=True)]
        figures["tokens_equal"] = sum(same) / len(same)
    return figures


def main() -> None:
    args = w.arguments(__doc__)
    rivals: list[Rival] = []
    load = w.clock(lambda: rivals.append(Rival(args, prefix_cache=False)))
    figures = {"build": genai.__version__, "load_s": round(load.wall, 2)} | measured(rivals.pop(), args)
    caching = Rival(args, prefix_cache=True)
    caching.greedy(w.long_prompt(), 1)
    figures["repeated_prefix_ms"] = w.milliseconds(
        w.timed(lambda n: caching.greedy(w.long_prompt(), 1), args.rounds)
    )
    w.report("openvino-genai, GGUF reader", args, figures)


if __name__ == "__main__":
    main()
