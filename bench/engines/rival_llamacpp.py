"""llama.cpp through its C interface, on the workload of workload.py.

Packages: numpy, and llama-cpp-python built for this machine without AMX (on a CPU that has AMX add
-DGGML_NATIVE=OFF -DGGML_AVX512=ON and its VNNI, VBMI and BF16 companions):

    CMAKE_ARGS="-DGGML_NATIVE=ON" pip install --no-binary llama-cpp-python llama-cpp-python

`--requantise Q4_0|Q8_0|F16|F32` measures the same checkpoint in another of llama.cpp's formats.
"""

from __future__ import annotations

import ctypes
import sys
import tempfile
from pathlib import Path
from typing import Any

import llama_cpp as lib
import numpy as np
import workload as w

FORMATS = {"F32": 0, "F16": 1, "Q4_0": 2, "Q4_1": 3, "Q8_0": 7}
CONTEXT = 16 * 512


class Rival:
    """One model and one context; sequences are llama.cpp's own."""

    def __init__(self, path: Path, threads: int) -> None:
        lib.llama_backend_init()
        self.model = lib.llama_model_load_from_file(str(path).encode(), lib.llama_model_default_params())
        params = lib.llama_context_default_params()
        params.n_ctx, params.n_batch, params.n_ubatch = CONTEXT, 2048, 512
        params.n_seq_max, params.kv_unified = w.CHATS + 1, True
        params.n_threads = params.n_threads_batch = threads
        self.context = lib.llama_init_from_model(self.model, params)
        self.vocab = lib.llama_model_get_vocab(self.model)
        self.vocab_size = lib.llama_vocab_n_tokens(self.vocab)
        self.batch = lib.llama_batch_init(2048, 0, 1)

    def clear(self) -> None:
        lib.llama_memory_clear(lib.llama_get_memory(self.context), False)

    def feed(self, rows: list[tuple[int, int, int, bool]]) -> None:
        """Decode (token, position, sequence, wants logits) rows in one batch."""
        self.batch.n_tokens = len(rows)
        for i, (token, position, sequence, wanted) in enumerate(rows):
            self.batch.token[i], self.batch.pos[i] = token, position
            self.batch.n_seq_id[i], self.batch.seq_id[i][0] = 1, sequence
            self.batch.logits[i] = wanted
        if lib.llama_decode(self.context, self.batch) != 0:
            raise RuntimeError("llama_decode failed")

    def prompt(self, ids: list[int], sequence: int = 0, start: int = 0) -> None:
        last = len(ids) - 1
        self.feed([(t, start + i, sequence, i == last) for i, t in enumerate(ids)])

    def logits(self, row: int = -1) -> np.ndarray[Any, np.dtype[np.float32]]:
        pointer = lib.llama_get_logits_ith(self.context, row)
        return np.ctypeslib.as_array(pointer, (self.vocab_size,))

    def greedy(self, ids: list[int], count: int) -> list[int]:
        self.clear()
        self.prompt(ids)
        out = [int(self.logits().argmax())]
        while len(out) < count:
            self.feed([(out[-1], len(ids) + len(out) - 1, 0, True)])
            out.append(int(self.logits().argmax()))
        return out

    def distance(self, case: w.engine_golden.Case) -> float:
        self.clear()
        self.prompt(case.ids)
        logits = self.logits().astype(np.float64)
        logprobs = logits - logits.max() - np.log(np.exp(logits - logits.max()).sum())
        return w.engine_golden.divergence(case, dict(enumerate(logprobs.tolist())))

    def tokens(self, text: str) -> list[int]:
        raw = text.encode()
        buffer = (lib.llama_token * (len(raw) + 16))()
        n = lib.llama_tokenize(self.vocab, raw, len(raw), buffer, len(buffer), False, True)
        return list(buffer[:n])

    def text(self, ids: list[int]) -> str:
        buffer, out = ctypes.create_string_buffer(256), b""
        for token in ids:
            size = lib.llama_token_to_piece(self.vocab, token, buffer, 256, 0, True)
            out += buffer.raw[:size]
        return out.decode("utf-8", "replace")


def decode_runs(rival: Rival, rounds: int) -> list[w.Run]:
    def steps(token: int, at: int) -> None:
        for n in range(w.DECODE_TOKENS):
            rival.feed([(token, at + n, 0, True)])
            token = int(rival.logits().argmax())

    runs = []
    for _ in range(rounds):
        rival.clear()
        rival.prompt(w.FRANCE.ids)
        first = int(rival.logits().argmax())
        runs.append(w.clock(lambda first=first: steps(first, len(w.FRANCE.ids))))  # type: ignore[misc]
    return runs


def chats(rival: Rival) -> None:
    """Sixteen prompts in one batch, then one batch of sixteen rows per step; ends are ignored."""
    rival.clear()
    prompts = w.chat_prompts()
    rows, wanted = [], []
    for sequence, ids in enumerate(prompts):
        rows += [(t, i, sequence, i == len(ids) - 1) for i, t in enumerate(ids)]
        wanted.append(len(rows) - 1)
    rival.feed(rows)
    last = [int(rival.logits(row).argmax()) for row in wanted]
    for n in range(w.CHAT_TOKENS - 1):
        rival.feed([(t, len(ids) + n, s, True) for s, (t, ids) in enumerate(zip(last, prompts, strict=True))])
        last = [int(rival.logits(row).argmax()) for row in range(len(prompts))]


def repeated_prefix_runs(rival: Rival, rounds: int) -> list[w.Run]:
    """First token of a 600-token prompt of which all but the last token is in the cache."""
    ids = w.long_prompt()
    rival.clear()
    rival.prompt(ids)

    def again(_: int) -> None:
        lib.llama_memory_seq_rm(lib.llama_get_memory(rival.context), 0, len(ids) - 1, -1)
        rival.prompt(ids[-1:], start=len(ids) - 1)
        int(rival.logits().argmax())

    return w.timed(again, rounds)


def prefill(rival: Rival, salt: int) -> None:
    rival.clear()
    rival.prompt(w.long_prompt(salt))
    int(rival.logits().argmax())


def requantised(path: Path, kind: str, folder: Path) -> Path:
    params = lib.llama_model_quantize_default_params()
    params.ftype, params.allow_requantize, params.nthread = FORMATS[kind], True, 2
    target = folder / f"{path.stem}.{kind}.gguf"
    if lib.llama_model_quantize(str(path).encode(), str(target).encode(), ctypes.byref(params)) != 0:
        raise SystemExit(f"llama.cpp can't write {kind}")
    return target


def measure(path: Path, args: Any) -> dict[str, Any]:
    rivals: list[Rival] = []
    load = w.clock(lambda: rivals.append(Rival(path, args.threads)))
    rival = rivals[0]
    prefill(rival, 99)
    figures: dict[str, Any] = {
        "build": lib.llama_print_system_info().decode(),
        "file_mb": round(path.stat().st_size / 1e6, 1),
        "load_s": round(load.wall, 2),
        "prefill_600_tok_s": w.rate(w.PREFILL_TOKENS, w.timed(lambda n: prefill(rival, n), args.rounds)),
        "decode_1_tok_s": w.rate(w.DECODE_TOKENS, decode_runs(rival, args.rounds)),
        "chats_16_tok_s": w.rate(w.CHATS * w.CHAT_TOKENS, w.timed(lambda n: chats(rival), args.rounds)),
        "repeated_prefix_ms": w.milliseconds(repeated_prefix_runs(rival, args.rounds)),
        "rss_mb": w.memory_mb(),
        "peak_rss_mb": w.memory_mb("VmHWM"),
        "install_mb": w.install_mb("llama-cpp-python", "numpy"),
        "france": rival.text(rival.greedy(w.FRANCE.ids, 40)),
    }
    if not args.skip_golden:
        figures["tokens_equal"] = sum(rival.tokens(c.text) == c.ids for c in w.CASES) / len(w.CASES)
        figures["golden"] = w.judged(rival.greedy, rival.distance)
    return figures


def main() -> None:
    kind = None
    if "--requantise" in sys.argv:
        at = sys.argv.index("--requantise")
        kind = sys.argv[at + 1]
        del sys.argv[at : at + 2]
    args = w.arguments(__doc__)
    quiet = lib.llama_log_callback(lambda level, text, data: None)
    lib.llama_log_set(quiet, ctypes.c_void_p(0))
    with tempfile.TemporaryDirectory() as folder:
        path = requantised(args.model, kind, Path(folder)) if kind else args.model
        w.report(
            f"llama.cpp (llama-cpp-python {lib.__version__})",
            args,
            {"format": kind or "as stored"} | measure(path, args),
        )


if __name__ == "__main__":
    main()
