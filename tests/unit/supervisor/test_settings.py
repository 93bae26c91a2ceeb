from pathlib import Path

import msgspec
import pytest
from tests.path.cascaded import made_card

from wicket.config.schema import Config
from wicket.errors import ConfigFault
from wicket.supervisor.settings import ServeOptions, Settings, pending_restart


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "wicket.toml"
    path.write_text("[server]\nport = 5000\n")
    return path


def test_options_stand_above_the_environment_and_that_above_the_file(file: Path, tmp_path: Path) -> None:
    environ = {"WICKET_PORT": "5001", "WICKET_HOST": "0.0.0.0"}
    settings = Settings(ServeOptions(config=file, port=5002, workers=3), environ, tmp_path)
    server = settings.config.server
    assert (server.port, server.host, server.workers) == (5002, "0.0.0.0", 3)
    assert msgspec.msgpack.decode(settings.encoded, type=Config) == settings.config


def test_a_reload_counts_only_when_something_is_different(file: Path, tmp_path: Path) -> None:
    settings = Settings(ServeOptions(config=file), {}, tmp_path)
    opened = settings.config
    assert not settings.reload() and settings.version == 1
    file.write_text("[server]\nport = 5003\n")
    assert settings.reload() and settings.version == 2
    assert pending_restart(opened, settings.config) == ["server.port"]


def test_a_bad_file_changes_nothing_and_is_remembered(file: Path, tmp_path: Path) -> None:
    settings = Settings(ServeOptions(config=file), {}, tmp_path)
    before = settings.config
    file.write_text("[server]\nprot = 1\n")
    with pytest.raises(ConfigFault, match="prot"):
        settings.reload()
    assert settings.config is before and settings.version == 1 and "prot" in settings.fault
    file.write_text("[server]\nport = 5000\n")
    assert not settings.reload() and settings.fault == ""


def test_a_task_without_a_run_has_no_engine_and_its_first_run_is_a_change(tmp_path: Path) -> None:
    file = tmp_path / "wicket.toml"
    mine = '[providers.mine]\nbase_url = "http://127.0.0.1:9/v1"\n'
    file.write_text(mine + '[models.x]\ndeployments = ["mini:slots", "mine/big"]\n')
    settings = Settings(ServeOptions(config=file), {}, tmp_path)
    assert settings.config.engines == {} and settings.cards == {}
    assert not settings.have_changed()
    folder = tmp_path / "minis" / "slots"
    (folder / "r1").mkdir(parents=True)
    (folder / "r1" / "mini.json").write_bytes(made_card("r1"))
    (folder / "current").write_text("r1\n")
    assert not settings.have_changed() and settings.have_changed()
    assert settings.reload() and settings.version == 2 and settings.cards["slots"].run == "r1"
    assert settings.config.engines["mini:slots"].model == "mini:slots@r1"
    file.write_text("[server]\nprot = 1\n")
    with pytest.raises(ConfigFault):
        settings.reload()
    assert settings.cards["slots"].run == "r1"
