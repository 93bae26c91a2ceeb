"""What the tests of `wicket compare` share: cases, models of different quality, the command itself."""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.path.house import LIMIT_S, Gateway, Provider, rule
from wicket.upstream.scripted_script import Rule

COMMAND = [sys.executable, "-m", "wicket.cli", "compare"]
CONFIG = """
[server]
port = 0
workers = 1
drain_s = 1
[providers.mine]
base_url = "{url}"
api_key = "{secret}"
models = ["good", "poor", "broken", "slow", "judge"]
prices.good = {{ input = 10.0, output = 40.0 }}
prices.poor = {{ input = 1.0, output = 4.0 }}
prices.slow = {{ input = 1.0, output = 4.0 }}
prices.judge = {{ input = 2.0, output = 2.0 }}
"""
NUM = 24


def right(number: int) -> str:
    return f"the answer {number}"


def lines(num: int = NUM, **fields: Any) -> list[dict[str, Any]]:
    """Cases whose answers the scripted models know."""
    return [
        {
            "prompt": f"question {n}",
            "expected": right(n),
            "kind": "odd" if n % 2 else "even",
            "id": f"c{n}",
            **fields,
        }
        for n in range(num)
    ]


def write(path: Path, rows: Sequence[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def teach(provider: Provider, *before: Rule) -> None:
    """`poor` knows nothing but the first third, `broken` fails, `slow` is slow, the others know all."""
    known = [rule("poor", when={"contains": f'"question {n}"'}) for n in range(NUM // 3)]
    provider.script(
        *before,
        *known,
        rule("poor", text="no idea"),
        rule("broken", error="server_error"),
        rule("slow", first_token_ms=150.0, gap_ms=20.0),
        answers={f"question {n}": right(n) for n in range(NUM)},
    )


def start(gateway: Gateway, folder: Path, *words: object) -> "subprocess.Popen[str]":
    """The command under way, with the server's data folder."""
    kept = {name: text for name, text in os.environ.items() if not name.startswith("WICKET_")}
    return subprocess.Popen(
        [*COMMAND, *map(str, words)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=folder,
        env={**kept, "WICKET_HOME": str(gateway.home), "COLUMNS": "200"},
    )


def run(gateway: Gateway, folder: Path, *words: object, code: int = 0) -> tuple[str, str]:
    """Standard output and standard error; the exit code must be `code`."""
    running = start(gateway, folder, *words)
    said, complained = running.communicate(timeout=4 * LIMIT_S)
    assert running.returncode == code, (running.returncode, said, complained)
    return said, complained


def compared(gateway: Gateway, folder: Path, *words: object, code: int = 0) -> dict[str, Any]:
    """The one document."""
    document: dict[str, Any] = json.loads(run(gateway, folder, *words, "--json", code=code)[0])
    return document


def models(document: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {model["model"]: model for model in document["models"]}
