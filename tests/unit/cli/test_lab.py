"""`wicket lab` without torch: what was run is listed, shown and compared from its reports."""

import json
from pathlib import Path

import pytest

from wicket.cli import lab
from wicket.cli.main import main

CHECKS = [{"name": "keep", "passed": True, "value": 0.96, "needed": 0.9, "says": "of the teacher's score"}]
FIGURES = {"file_bytes": 1_000, "decode_speed": 50.0}


def write(home: Path, name: str, *, exact: float | None, is_passed: bool = True) -> Path:
    """A finished run as far as the command line reads it."""
    folder = home / "runs" / name
    folder.mkdir(parents=True)
    size = {"num_parameters": 12, "file_bytes": 1_000, "exported": {"loss": 1.25}}
    report = {
        "gate": {"passed": is_passed, "checks": CHECKS},
        "kept": 0.96,
        "perplexity": {"student": 3.5},
        "models": [{"name": "teacher", "seconds": 3.0, "size": size}],
        "evaluated": {"student": {"exact": exact, "likeness": {"kl": 0.1}, "figures": FIGURES}},
        "seed": 1,
    }
    (folder / "report.json").write_text(json.dumps(report))
    return folder


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("WICKET_HOME", str(tmp_path))
    return tmp_path


def test_runs_are_listed_shown_and_compared(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["lab", "list"]) == 0 and "No recipe was run yet" in capsys.readouterr().out
    write(home, "one", exact=0.5)
    elsewhere = write(home / "elsewhere", "two", exact=None, is_passed=False)
    assert main(["lab", "list"]) == 0
    said = capsys.readouterr().out
    assert "one" in said and "50.0%" in said and "two" not in said
    assert main(["lab", "compare", "one", str(elsewhere), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [(run["run"], run["passed"], run["exact"]) for run in found] == [
        ("one", True, 0.5),
        ("two", False, None),
    ]
    assert main(["lab", "show", str(elsewhere)]) == 0
    said = capsys.readouterr().out
    assert "The gate did not pass." in said and "1.2500" in said and str(elsewhere / "report.html") in said
    assert main(["lab", "show", "one", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["seed"] == 1


def test_what_is_not_there_or_not_over_is_said(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(home, "one", exact=0.5)
    (home / "runs" / "begun").mkdir()
    (home / "runs" / "begun" / "run.json").write_text("{}")
    (home / "runs" / "broken").mkdir()
    (home / "runs" / "broken" / "report.json").write_text("{")
    for words, told in {
        ("show", "other"): "there are: broken, one",
        ("show", "../one"): "There is no run",
        ("compare", "one", "begun"): "is not over: start its command again",
        ("show", "broken"): "can't be read",
        ("run", "nowhere.toml"): "There is no recipe nowhere.toml",
    }.items():
        assert main(["lab", *words]) == 1
        said = capsys.readouterr().err
        assert told in said and said.count("\n") == 1


def test_a_run_is_named_by_its_recipe(tmp_path: Path) -> None:
    path = tmp_path / "file.toml"
    for text, overrides, name in (
        ('name = "mine"', [], "mine"),
        ('name = "mine"', ["name='yours'"], "yours"),
        ('name = "../mine"', [], "file"),
        ("name =", [], "file"),
    ):
        path.write_text(text)
        assert lab._name_in(path, overrides) == name
