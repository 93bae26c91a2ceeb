"""Minis in the data folder: put in place, listed, taken out."""

import json
from pathlib import Path

import pytest
from tests.path.cascaded import made_card

from wicket.errors import CallerFault
from wicket.minis.card import CURRENT, FILE_NAME, FOLDER
from wicket.supervisor.minis import check_task, current, place, runs, withdraw


def finished(folder: Path, *, passed: bool = True) -> Path:
    """A run's folder as a training leaves it (the card is of the task slots)."""
    folder.mkdir(parents=True)
    (folder / FILE_NAME).write_bytes(made_card(folder.name))
    (folder / "model.gguf").write_bytes(b"GGUF")
    (folder / "data").mkdir()
    (folder / "data" / "train.jsonl").write_text("private")
    checks = [{"name": "share", "passed": passed}]
    report = {"gate": {"passed": passed, "checks": checks}}
    report["scores"] = {"test": {"share": 0.5, "precision": 0.97}}  # type: ignore[dict-item]
    (folder / "report.json").write_text(json.dumps(report))
    return folder


def test_a_run_in_its_place_is_only_named(tmp_path: Path) -> None:
    folder = finished(tmp_path / FOLDER / "slots" / "r1")
    assert place(tmp_path, "slots", folder).run == "r1" == current(tmp_path, "slots")
    assert (tmp_path / FOLDER / "slots" / CURRENT).read_text() == "r1\n"


def test_a_run_from_elsewhere_is_copied_without_its_data(tmp_path: Path) -> None:
    place(tmp_path / "home", "slots", finished(tmp_path / "out" / "r2"))
    target = tmp_path / "home" / FOLDER / "slots" / "r2"
    assert (target / "model.gguf").exists() and not (target / "data").exists()


def test_a_run_whose_gate_did_not_pass_needs_force(tmp_path: Path) -> None:
    folder = finished(tmp_path / "r3", passed=False)
    with pytest.raises(CallerFault, match=r"did not pass \(share\)"):
        place(tmp_path / "home", "slots", folder)
    assert current(tmp_path / "home", "slots") == ""
    place(tmp_path / "home", "slots", folder, is_forced=True)
    assert current(tmp_path / "home", "slots") == "r3"


def test_what_is_no_run_of_the_task_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CallerFault, match="no finished run"):
        place(tmp_path, "slots", tmp_path)
    with pytest.raises(CallerFault, match="a run of the task 'slots'"):
        place(tmp_path, "intents", finished(tmp_path / "r1"))
    with pytest.raises(CallerFault, match="can't be a run's name"):
        place(tmp_path, "slots", finished(tmp_path / "a run"))


def test_runs_are_listed_the_newest_first(tmp_path: Path) -> None:
    for name in ("r1", "r2"):
        finished(tmp_path / FOLDER / "slots" / name)
    (tmp_path / FOLDER / "slots" / "r3").mkdir()
    place(tmp_path, "slots", tmp_path / FOLDER / "slots" / "r2")
    found = runs(tmp_path)
    assert [(run["run"], run["is_current"], run["share"]) for run in found] == [
        ("r3", False, None),
        ("r2", True, 0.5),
        ("r1", False, 0.5),
    ]


def test_withdrawn_means_there_is_none(tmp_path: Path) -> None:
    place(tmp_path, "slots", finished(tmp_path / FOLDER / "slots" / "r1"))
    assert withdraw(tmp_path, "slots") == "r1" and withdraw(tmp_path, "slots") == ""


@pytest.mark.parametrize("name", ["", "..", "a/b", "x" * 65, "a..b", "off", "-x"])
def test_names_that_are_none(name: str) -> None:
    with pytest.raises(CallerFault):
        check_task(name)
