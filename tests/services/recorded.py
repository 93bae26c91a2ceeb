"""A gateway in front of recorded providers, for other people's clients.

Every provider of `tests/data/cassettes` that the gateway can speak to today has its table. A new dialect adds
its providers here, a new SDK its fixture in `conftest.py`.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.path.house import Gateway
from tests.path.replayed import replaying

# Provider → its own path, as `base_url` ends, for those that were recorded in OpenAI's dialect.
BASES = {
    "openai": "/v1",
    "groq": "/openai/v1",
    "mistral": "/v1",
    "deepseek": "",
    "openrouter": "/api/v1",
    "huggingface": "/together/v1",
    "cerebras": "/v1",
    "zai": "/api/paas/v4",
    "ollama": "/v1",
}
# The others: their path and their dialect.
NATIVE = {
    "anthropic": ("/v1", "anthropic_messages"),
    "gemini": ("/v1beta", "gemini"),
    "cohere": ("/v2", "cohere"),
}


def config(url: str) -> str:
    """Every provider, at the replay's `url`, in the dialect that was recorded."""
    spoken = {name: (base, "openai_chat") for name, base in BASES.items()} | NATIVE
    tables = [
        f'[providers.{name}]\nbase_url = "{url}/{name}{base}"\napi_key = "recorded"\ndialect = "{dialect}"\n'
        for name, (base, dialect) in spoken.items()
    ]
    return "".join(["[server]\nport = 0\nworkers = 1\n", *tables])


@contextmanager
def recorded_gateway(folder: Path, seed: int = 5) -> Iterator[Gateway]:
    """A running server before a running replay."""
    with replaying(seed=seed) as replay:
        running = Gateway(folder, config(replay.url))
        try:
            yield running.wait_ready()
        finally:
            running.close()
