"""A task that a tiny model learns in seconds: a word among others decides the answer."""

import json
import random
from pathlib import Path

from tests.unit.engines.checkpoints import gguf_metadata, random_weights, write_gguf

WORDS = [f"{a}{b}" for a in "bdfgklmnprstvw" for b in ("a", "e", "i", "o", "u")]
KEYS = {"hello": "greet", "stop": "halt", "buy": "order"}
SYSTEM = "Say what the caller wants."
START_S = 1_764_000_000


def base(folder: Path) -> Path:
    """A random decoder with a vocabulary of bytes, as a GGUF file."""
    assert gguf_metadata()["llama.context_length"] == 512
    return write_gguf(folder / "base.gguf", random_weights(seed=1))


def requests(num: int, seed: int) -> list[tuple[str, str]]:
    """Distinct texts with their answers."""
    chance = random.Random(seed)
    found: dict[str, str] = {}
    while len(found) < num:
        key = chance.choice(list(KEYS))
        words = [*chance.sample(WORDS, 4), key]
        chance.shuffle(words)
        found[" ".join(words)] = json.dumps({"do": KEYS[key]})
    return list(found.items())


def write_log(path: Path, pairs: list[tuple[str, str]]) -> Path:
    """The log's export: a line per request."""
    lines = []
    for number, (text, answer) in enumerate(pairs):
        roles = (("system", SYSTEM), ("user", text), ("assistant", answer))
        messages = [{"role": role, "content": content} for role, content in roles]
        lines.append(json.dumps({"messages": messages, "meta": {"id": f"r{number}", "at": START_S + number}}))
    path.write_text("\n".join(lines) + "\n")
    return path
