"""A minute of everything at once; `make soak` takes ten."""

import json
import subprocess
import sys

import pytest

from tests.path.served import ROOT

pytestmark = pytest.mark.faults


def test_a_minute_of_all_faults_at_once() -> None:
    command = [sys.executable, str(ROOT / "bench" / "soak.py"), "--seconds", "60", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    report = json.loads(done.stdout)
    assert report["passed"] and report["kills"] >= 3 and report["outcomes"]["complete"] > 500
