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


def write_cards(run: Run, comparison: Comparison) -> list[Path]:
    """One file for each local model, by the name of what answered; the paths.

    Raises `CallerFault` where no local model was compared, where answers are missing, and where the server
    that was asked lives in another data folder (or on another machine) than this command.
    """
    local = [model for model in run.settings.models if run.served[model].engine]
    if not local or not comparison.kinds:
        raise CallerFault("no_card", "--write-card needs a local model and cases with a `kind`.")
    if comparison.stopped:
        raise CallerFault("no_card", "No card is written of a comparison that was stopped.")
    home = default_home(os.environ)
    if Path(run.client.call("GET", "/admin/v1/status")["home"]) != home:
        message = (
            f"The server's data folder is not {home}: write the card on its own machine, with WICKET_HOME."
        )
        raise CallerFault("no_card", message)
    folder = home / FOLDER
    folder.mkdir(mode=0o700, exist_ok=True)
    written = []
    for model in local:
        name = (run.served[model].deployments or (model,))[0]
        kinds = {kind: KindScore(by[model].right, by[model].num) for kind, by in comparison.kinds.items()}
        card = CapabilityCard(
            model=name, created_ms=comparison.created_ms, suite=comparison.suite, kinds=kinds
        )
        path = folder / file_name(name)
        write_private(path, dumps(card) + "\n")
        written.append(path)
    return written
