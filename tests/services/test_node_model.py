"""The unmodified OpenAI SDK for Node against a real server with the real embedded models."""

import json
import math
import subprocess
from pathlib import Path

import pytest

from tests.path.house import Gateway
from tests.services.conftest import NODE
from tests.services.test_node import LIMIT_S

pytestmark = [pytest.mark.services, pytest.mark.model]
CONFIG = (
    '[server]\nport = 0\n[engines.compact]\nmodel = "smollm2-135m-instruct"\ncontext_tokens = 1024\n'
    '[engines.embed]\nmodel = "all-minilm-l6-v2"\n'
)


def test_the_node_sdk_gets_answers_and_vectors(node_folder: Path, tmp_path: Path) -> None:
    (node_folder / "mini.mjs").write_bytes((NODE / "mini.mjs").read_bytes())
    running = Gateway(tmp_path, CONFIG).wait_ready()
    try:
        ran = subprocess.run(
            ["node", "mini.mjs", f"{running.url}/v1", running.key],
            check=False,
            cwd=node_folder,
            capture_output=True,
            text=True,
            timeout=LIMIT_S,
        )
    finally:
        running.close()
    assert ran.returncode == 0, ran.stderr
    got = json.loads(ran.stdout)
    assert "Paris" in got["whole"] and got["streamed"] == got["whole"]
    assert got["model"] == "smollm2-135m-instruct" and got["usage"]["prompt_tokens"] > 5
    cat, kitten, law = got["vectors"]
    assert len(cat) == 384 and math.isclose(math.hypot(*cat), 1, abs_tol=1e-4)
    assert dot(cat, kitten) > dot(cat, law) + 0.2


def dot(left: list[float], right: list[float]) -> float:
    return sum(a * b for a, b in zip(left, right, strict=True))
