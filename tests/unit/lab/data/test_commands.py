"""`wicket lab curate` and `mix` as people call them."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.unit.lab.data.made import chat
from wicket.errors import CallerFault, OperatorFault
from wicket.lab.data import curate_command, mix_command
from wicket.lab.data.document import to_bytes
from wicket.lab.examples import read_file


def written(path: Path, number: int, task: str) -> Path:
    path.write_bytes(to_bytes(chat(f"{task} request number {n}", f"{task}{n}") for n in range(number)))
    return path


def test_curate_tells_people_and_programs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = written(tmp_path / "in.jsonl", 5, "a")
    source.write_bytes(source.read_bytes() * 2 + b"{\n")
    words = [str(source), "--out", str(tmp_path / "out"), "--set", "length.max_answer=50"]
    assert curate_command.main(words) == 0
    said = capsys.readouterr()
    assert "1 lines can't be read and were skipped, the first is line 11" in said.out
    assert (
        "5 of 10 documents are in " in said.out and "exact_duplicates: 5 removed (same 5); 5 left" in said.err
    )
    assert curate_command.main([*words, "--json"]) == 0
    said = capsys.readouterr()
    assert said.err.count("[done before]") == 6
    assert json.loads(said.out)["steps"][1]["options"]["max_answer"] == 50
    assert len(read_file(tmp_path / "out" / "data.jsonl").samples) == 5


def test_options_of_steps_are_read_as_what_they_are() -> None:
    steps = [curate_command.Asked("language"), curate_command.Asked("pii")]
    found = curate_command.overridden(steps, ["language.keep=en,de", "pii.do=remove"])
    assert found[0].options == {"keep": ["en", "de"]} and found[1].options == {"do": "remove"}
    for word, why in (("language", "STEP.OPTION=VALUE"), ("noise.seed=1", "'noise' is none of the steps")):
        with pytest.raises(CallerFault, match=why):
            curate_command.overridden(steps, [word])


def test_every_step_is_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert curate_command.main(["--list-steps", "--json"]) == 0
    steps = {step["name"]: step for step in json.loads(capsys.readouterr().out)}
    assert steps["near_duplicates"]["options"]["threshold"] == 0.8 and steps["pii"]["is_default"]
    assert steps["template"]["options"] == {
        "templates": None, "slots": {}, "copies": 1, "number": 0, "seed": 0,
    }  # fmt: skip


def test_mix_names_the_task_of_each_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    big, small = written(tmp_path / "big.jsonl", 90, "b"), written(tmp_path / "small.jsonl", 10, "s")
    out = tmp_path / "mixed.jsonl"
    words = [str(big), f"other={small}", "--out", str(out), "--temperature", "2", "--total", "40"]
    assert mix_command.main([*words, "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert {name: task["drawn"] for name, task in report["tasks"].items()} == {"big": 30, "other": 10}
    tasks = [sample.task for sample in read_file(out).samples]
    assert len(tasks) == 40 and tasks[:8].count("other") == 2
    before = out.read_bytes()
    mix_command.main(words)
    assert out.read_bytes() == before
    with pytest.raises(CallerFault, match="Two tasks are called 'big'"):
        mix_command.main([str(big), f"big={small}", "--out", str(out)])
    with pytest.raises(OperatorFault, match="can't be read"):
        mix_command.main([str(tmp_path / "none.jsonl"), "--out", str(out)])


def test_the_command_line_reaches_them(tmp_path: Path) -> None:
    source = written(tmp_path / "in.jsonl", 3, "a")
    line = [sys.executable, "-m", "wicket.cli", "lab", "curate", str(source)]
    done = subprocess.run([*line, "--out", str(tmp_path / "o"), "--json"], capture_output=True, check=True)
    assert json.loads(done.stdout)["num_documents"] == 3
    wrong = subprocess.run(
        [*line, "--out", str(tmp_path / "o"), "--steps", "polish"], capture_output=True, check=False
    )
    assert wrong.returncode == 1 and wrong.stderr.startswith(b"wicket: There is no step 'polish'; steps: ")
    line = [sys.executable, "-m", "wicket.cli", "lab", "generate", str(source), "--out", "x"]
    wrong = subprocess.run([*line, "--teacher", "http://h/v1"], capture_output=True, check=False)
    assert wrong.returncode == 1 and b"--model says which model" in wrong.stderr
