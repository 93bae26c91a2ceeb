"""What the pages of all runs of recipes have in common, whatever was made. Pure."""

from __future__ import annotations

from typing import Any

from wicket.pages.amounts import amount
from wicket.pages.parts import Answer, Table


def gate_table(report: dict[str, Any]) -> Table:
    """The promises of a report, and whether each was kept."""
    rows = [
        [check["name"], "kept" if check["passed"] else "NOT\u00a0kept", f"{check['value']:.4g}",
         f"{check['needed']:.4g}", check["says"]]
        for check in report["gate"]["checks"]
    ]  # fmt: skip
    return Table("The gate", ["promise", "", "measured", "needed", ""], rows, [2, 3])


def judged(name: str, text: str, is_right: bool) -> Answer:
    """Somebody's answer, marked as right or wrong."""
    return Answer(name, text, "right" if is_right else "wrong", "" if is_right else "bad")


def footer(report: dict[str, Any]) -> str:
    """How long it took, where, and with what."""
    machine = report["machine"]
    threads = "thread" if machine["threads"] == 1 else "threads"
    made = " ".join(f"{name} {number}" for name, number in report["versions"].items())
    return (
        f"Made in {report['seconds'] / 60:.1f} minutes (of what was run last) on {machine['cores']} cores "
        f"({machine['processor']}), {amount(machine['threads'])} {threads}, seed {report['seed']}; {made}."
    )
