"""`make bench`: what docs/benchmarks.md is made of. `python -m bench PART` runs one part of it."""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

PARTS = {
    "gateway": "gateway.py",
    "start": "start.py",
    "metered": "metered.py",
    "walk": "walk.py",
    "ledger": "ledger.py",
    "examples": "examples.py",
    "engine": "engines/embedded.py",
    "router": "router.py",
    "routing": "routing.py",
}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("part", nargs="?", choices=PARTS, help="all parts if left out")
    parser.add_argument("options", nargs=argparse.REMAINDER, help="go to the part")
    arguments = parser.parse_args()
    code = 0
    for part in [arguments.part] if arguments.part else list(PARTS):
        print(f"== {part}", flush=True)
        command = [sys.executable, str(Path(__file__).parent / PARTS[part]), *arguments.options]
        code = subprocess.run(command, check=False).returncode or code
    return code


if __name__ == "__main__":
    sys.exit(main())
