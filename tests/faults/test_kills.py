"""Some thousand charged requests with kills in their midst; `bench/kills.py` takes a hundred thousand."""

import json
import subprocess
import sys

import pytest

from tests.path.served import ROOT

pytestmark = pytest.mark.faults


def test_kills_lose_nothing_old_and_charge_nothing_twice() -> None:
    command = [
        sys.executable,
        str(ROOT / "bench" / "kills.py"),
        "--requests",
        "6000",
        "--kills",
        "6",
        "--json",
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    report = json.loads(done.stdout)
    assert report["passed"] and report["kills"] == 6 and report["answered"] >= 6_000
