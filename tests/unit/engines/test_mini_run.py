from pathlib import Path
from typing import Any

import pytest

from tests.unit.engines.mini_runs import BY_THE_MEAN, card, write_run
from wicket.engines.checkpoints import locate
from wicket.errors import EngineFault
from wicket.minis.answers import AnswerShape
from wicket.minis.confidence import Calibration


def fault(spec: str, home: Path) -> EngineFault:
    with pytest.raises(EngineFault) as caught:
        locate.find(spec, home)
    return caught.value


def test_a_run_and_the_current_one(tmp_path: Path) -> None:
    one, two = card(run="r1"), card(run="r2", licence="MIT")
    folder = write_run(tmp_path, one)
    write_run(tmp_path, two)
    found = locate.find("mini:slots@r1", tmp_path)
    assert (found.id, found.licence, found.mini) == ("slots", "Apache-2.0", one)
    assert found.path == folder / "model.script.json" and found.sampling.temperature == 0
    assert locate.find("mini:slots", tmp_path).mini == two
    (folder / "model.gguf").write_bytes(b"GGUF")
    weights = locate.find("mini:slots@r1", tmp_path)
    assert (weights.path, weights.module) == (folder / "model.gguf", "openvino_llama")


def test_a_folder_checkpoint(tmp_path: Path) -> None:
    folder = write_run(tmp_path, card()) / "model"
    folder.mkdir()
    (folder / "config.json").write_text('{"model_type":"llama"}')
    found = locate.find("mini:slots", tmp_path)
    assert (found.id, found.path, found.module) == ("slots", folder, "openvino_llama")


def test_a_missing_mini_says_what_to_do(tmp_path: Path) -> None:
    none = fault("mini:slots", tmp_path)
    assert none.code == "model_missing" and "`wicket mini train slots`" in none.message
    write_run(tmp_path, card())
    other = fault("mini:slots@r9", tmp_path)
    assert other.code == "model_missing" and "there is r1" in other.message and "train" in other.message
    (tmp_path / "minis" / "slots" / "current").write_text("r9\n")
    assert "no run 'r9'" in fault("mini:slots", tmp_path).message


@pytest.mark.parametrize(
    "name",
    ["../other@r1", "slots@../../x", "/etc@r1", "slots@/etc", "@r1", "..@r1", "slots@..", "a/b@r1", "", "."],
)
def test_names_that_lead_out_are_refused(tmp_path: Path, name: str) -> None:
    write_run(tmp_path, card())
    write_run(tmp_path, card(task="other"))
    found = fault(f"mini:{name}", tmp_path)
    assert (found.code, "can't be the name" in found.message) == ("model_missing", True)


def test_a_link_out_of_the_folder_is_refused(tmp_path: Path) -> None:
    outside = write_run(tmp_path / "elsewhere", card())
    task = tmp_path / "minis" / "slots"
    task.mkdir(parents=True)
    (task / "r1").symlink_to(outside)
    assert "can't be the name" in fault("mini:slots@r1", tmp_path).message
    (task / "current").write_bytes(b"../../elsewhere/minis/slots/r1")
    assert "can't be the name" in fault("mini:slots", tmp_path).message
    (task / "current").write_bytes(b"\xff\xfe")
    assert "has no mini yet" in fault("mini:slots", tmp_path).message


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"engine": "clairvoyance"}, "update Wicket"),
        ({"version": 2}, "update Wicket"),
        ({"max_output_tokens": 0}, "no room"),
        ({"systems": ()}, "no room"),
        ({"calibration": Calibration()}, "calibration"),
        ({"calibration": Calibration(BY_THE_MEAN.means, [0.0] * 5, BY_THE_MEAN.weights)}, "calibration"),
        ({"calibration": Calibration(BY_THE_MEAN.means, [1.0] * 4, BY_THE_MEAN.weights)}, "calibration"),
    ],
)
def test_a_card_that_decides_nothing_is_refused(tmp_path: Path, changes: dict[str, Any], word: str) -> None:
    write_run(tmp_path, card(**changes))
    found = fault("mini:slots", tmp_path)
    assert found.code == "bad_checkpoint" and word in found.message


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b'{"task":1}', b"\xff", b"[" * 100_000])
def test_a_damaged_card_is_refused(tmp_path: Path, data: bytes) -> None:
    path = write_run(tmp_path, card()) / "mini.json"
    path.write_bytes(data)
    assert fault("mini:slots", tmp_path).code == "bad_checkpoint"
    path.unlink()
    assert "No such file" in fault("mini:slots", tmp_path).message


def test_a_card_of_another_task_is_refused(tmp_path: Path) -> None:
    folder = write_run(tmp_path, card())
    folder.parent.rename(folder.parents[1] / "intents")
    assert "belongs to the task 'slots'" in fault("mini:intents@r1", tmp_path).message


def test_other_checkpoints_have_no_card(tmp_path: Path) -> None:
    folder = write_run(tmp_path, card(answers=AnswerShape()))
    assert locate.find(str(folder / "model.script.json"), tmp_path).mini is None
    assert locate.is_mini("mini:slots", tmp_path) and not locate.is_mini("smollm2-135m-instruct", tmp_path)
