"""`python -m wicket.lab COMMAND …`: what the command line starts as processes of their own."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib import import_module

from wicket.errors import Fault

COMMANDS = {
    "curate": "wicket.lab.data.curate_command",
    "discover": "wicket.lab.discover_command",
    "generate": "wicket.lab.generation.command",
    "mini": "wicket.lab.mini",
    "run": "wicket.lab.recipe_run",
    "mix": "wicket.lab.data.mix_command",
}


def main(arguments: Sequence[str]) -> int:
    """Run one command; a fault is one line on standard error and exit code 1."""
    if not arguments or arguments[0] not in COMMANDS:
        sys.stderr.write(f"usage: python -m wicket.lab {{{','.join(COMMANDS)}}} …\n")
        return 2
    try:
        return int(import_module(COMMANDS[arguments[0]]).main(arguments[1:]))
    except Fault as fault:
        sys.stderr.write(f"wicket: {fault.message}\n")
        return 1
    except KeyboardInterrupt:
        sys.stderr.write("\nwicket: interrupted; the same command goes on from the last save\n")
        return 130


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
