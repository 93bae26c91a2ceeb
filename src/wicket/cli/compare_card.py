"""Writing capability cards: what a comparison showed a local model to be able to do."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from wicket.errors import CallerFault
from wicket.minis.capability import FOLDER, CapabilityCard, KindScore, file_name
from wicket.supervisor.home import default_home, write_private
from wicket.wire.json import dumps

if TYPE_CHECKING:
    from wicket.cli.compare_run import Run
    from wicket.suites.comparison import Comparison


def require_cards(run: Run) -> None:
    """Raises `CallerFault` where no local model is compared, or where the server that is asked lives in
    another data folder (or on another machine) than this command.
    """
    if not _local(run) or not any(case.kind for case in run.cases):
        raise CallerFault("no_card", "--write-card needs a local model and cases with a `kind`.")
    home = default_home(os.environ)
    if Path(run.client.call("GET", "/admin/v1/status")["home"]) != home:
        message = (
            f"The server's data folder is not {home}: write the card on its own machine, with WICKET_HOME."
        )
        raise CallerFault("no_card", message)


def write_cards(run: Run, comparison: Comparison) -> list[Path]:
    """One file for each local model, by the name of what answered; the paths.

    Raises `CallerFault` where answers are missing or failed: that would be a score of something else.
    """
    if comparison.stopped or any(model.errors for model in comparison.models if model.model in _local(run)):
        raise CallerFault("no_card", "No card is written: answers are missing, or there were errors.")
    folder = default_home(os.environ) / FOLDER
    folder.mkdir(mode=0o700, exist_ok=True)
    written = []
    for model in _local(run):
        name = (run.served[model].deployments or (model,))[0]
        kinds = {kind: KindScore(by[model].right, by[model].num) for kind, by in comparison.kinds.items()}
        card = CapabilityCard(
            model=name, created_ms=comparison.created_ms, suite=comparison.suite, kinds=kinds
        )
        path = folder / file_name(name)
        write_private(path, dumps(card) + "\n")
        written.append(path)
    return written


def _local(run: Run) -> list[str]:
    return [model for model in run.settings.models if run.served[model].engine]
