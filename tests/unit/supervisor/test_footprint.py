"""What a process and its children use."""

import os
import subprocess
import sys

import pytest

from wicket.supervisor.footprint import footprint

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")
MIB = 1 << 20


def test_children_are_counted() -> None:
    code = (
        "import subprocess, sys; hold = bytearray(64 << 20);"
        "child = subprocess.Popen([sys.executable, '-c', "
        "'hold = bytearray(96 << 20); print(1, flush=True); input()'], stdin=subprocess.PIPE);"
        "input(); child.communicate(b'\\n')"
    )
    parent = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        assert parent.stdout is not None
        assert parent.stdout.readline() == b"1\n"  # the child has its memory
        found = footprint(parent.pid)
        assert found is not None and found.rss_bytes > 160 * MIB and found.cpu_s > 0
    finally:
        parent.communicate(b"\n")
    assert footprint(parent.pid) is None


def test_ourselves_and_nobody() -> None:
    found = footprint(os.getpid())
    assert found is not None and found.rss_bytes > 5 * MIB
    assert footprint(0) is None
