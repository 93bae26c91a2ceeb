"""Which run is in force: what `current` says, if it can be used, else what was."""

from pathlib import Path

import pytest
from tests.path.cascaded import made_card

from wicket.config.load import parse
from wicket.config.schema import Config
from wicket.supervisor.pins import Pins

CONFIG = """
[providers.mine]
base_url = "http://127.0.0.1:9/v1"
[models.x]
deployments = ["mini:slots", "mine/big"]
policy = "cascade"
quality = 0.9
[engines.compact]
model = "smollm2-135m-instruct"
"""


@pytest.fixture
def config() -> Config:
    return parse(CONFIG, {}, source="wicket.toml", base=Path("/etc"))


def put(home: Path, run: str, current: str = "") -> None:
    folder = home / "minis" / "slots" / run
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "mini.json").write_bytes(made_card(run))
    (folder.parent / "current").write_text(current or f"{run}\n")


def test_a_task_without_a_current_has_no_engine(tmp_path: Path, config: Config) -> None:
    pinned = Pins(tmp_path).pin(config, {})
    assert list(pinned.config.engines) == ["compact"] and pinned.cards == {}
    assert pinned.config.warnings == ()


def test_a_run_is_pinned_and_its_successor_seen_at_the_second_look(tmp_path: Path, config: Config) -> None:
    put(tmp_path, "r1")
    pins = Pins(tmp_path)
    first = pins.pin(config, {})
    assert first.config.engines["mini:slots"].model == "mini:slots@r1" and first.cards["slots"].run == "r1"
    assert not pins.have_changed() and not pins.have_changed()
    put(tmp_path, "r2")
    assert not pins.have_changed(), "one look may have met a file half written"
    assert pins.have_changed()
    second = pins.pin(config, first.cards)
    assert second.config.engines["mini:slots"].model == "mini:slots@r2"
    assert not pins.have_changed() and not pins.have_changed()
    (tmp_path / "minis" / "slots" / "current").unlink()
    assert not pins.have_changed() and pins.have_changed()
    assert "mini:slots" not in pins.pin(config, second.cards).config.engines


@pytest.mark.parametrize("current", ["r2", "../slots/r1", "..", "a b", "x" * 200, "\x00", "r1/../r1"])
def test_what_cant_be_used_leaves_the_old_one(
    tmp_path: Path, config: Config, current: str, caplog: pytest.LogCaptureFixture
) -> None:
    put(tmp_path, "r1")
    pins = Pins(tmp_path)
    first = pins.pin(config, {})
    put(tmp_path, "r1", current)
    second = pins.pin(config, first.cards)
    assert second == first
    assert "task slots stays with its run r1" in caplog.text
    fresh = Pins(tmp_path).pin(config, {})
    assert "mini:slots" not in fresh.config.engines
    [warning] = fresh.config.warnings
    assert warning.startswith("task slots has no mini: ")
