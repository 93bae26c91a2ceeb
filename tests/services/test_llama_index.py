"""LlamaIndex's OpenAI class against a real server: a smoke test.

It needs an older `openai` than we do, so it lives in an environment of its own; with it that older SDK is
tested too.
"""

import hashlib
import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.path.house import Gateway, Provider, rule

pytestmark = pytest.mark.services
HERE = Path(__file__).parent / "llama_index"
INSTALL_LIMIT_S = 600
LIMIT_S = 180


@pytest.fixture(scope="module")
def python() -> Path:
    """A Python with LlamaIndex in it, exactly as locked: made once, inside our own environment."""
    folder = Path(sys.prefix) / "llama_index"
    made, stamp = folder / "bin" / "python", folder / "installed"
    lock = HERE / "requirements.txt"
    known = hashlib.sha256(lock.read_bytes()).hexdigest()
    if stamp.exists() and stamp.read_text() == known:
        return made
    subprocess.run(
        [sys.executable, "-m", "venv", "--clear", str(folder)], check=True, timeout=INSTALL_LIMIT_S
    )
    install = ["-m", "pip", "--disable-pip-version-check", "install", "--quiet", "--no-input", "--no-deps"]
    locked = ["--require-hashes", "--only-binary", ":all:", "-r", str(lock)]
    subprocess.run([made, *install, *locked], check=True, timeout=INSTALL_LIMIT_S)
    stamp.write_text(known)
    return made


def test_chat_stream_tools_and_an_error(python: Path, gateway: Gateway, provider: Provider) -> None:
    provider.script(
        rule("calls", tool_calls=[{"name": "weather", "arguments": '{"city": "Paris"}'}]),
        rule("limited", error="rate_limit", headers={"retry-after": "30"}),
    )
    ran = subprocess.run(
        [python, HERE / "client.py", f"{gateway.url}/v1", gateway.key],
        check=False,
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
    )
    assert ran.returncode == 0, ran.stderr
    got = json.loads(ran.stdout)
    assert got["whole"] == got["streamed"] == got["awaited"] == "Paris is the capital of France."
    assert got["call"] == ["weather", {"city": "Paris"}] and got["error"] == "RateLimitError"
