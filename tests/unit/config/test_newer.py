from pathlib import Path

import msgspec
import pytest

from wicket.config.newer import FILE_NAME, with_newer_catalogue
from wicket.config.schema import Config
from wicket.config.snapshot import compile_snapshot
from wicket.providers import catalogue
from wicket.providers.facts import Facts
from wicket.providers.sources.build import encode


def written(home: Path, facts: Facts) -> Config:
    (home / FILE_NAME).write_bytes(encode(facts))
    return with_newer_catalogue(Config(), home)


def test_without_a_file_nothing_changes(tmp_path: Path) -> None:
    assert with_newer_catalogue(Config(), tmp_path) == Config()


def test_a_valid_newer_file_is_used_by_a_snapshot(tmp_path: Path) -> None:
    facts = catalogue.facts()
    model = msgspec.structs.replace(facts.models["openai"][0], model="gpt-99")
    newer = msgspec.structs.replace(
        facts, generated="2099-01-01", models={**facts.models, "openai": (*facts.models["openai"], model)}
    )
    config = written(tmp_path, newer)
    assert config.catalogue is not None and config.warnings == ()
    assert config != written(tmp_path, newer)  # written anew: a reload sees that something changed
    try:
        compile_snapshot(config, version=1, engine_sockets={})
        assert catalogue.fact_of("openai", "gpt-99") is not None
    finally:
        compile_snapshot(Config(), version=1, engine_sockets={})
    assert catalogue.fact_of("openai", "gpt-99") is None


def test_an_older_file_is_not_used(tmp_path: Path) -> None:
    config = written(tmp_path, msgspec.structs.replace(catalogue.facts(), generated="2020-01-01"))
    assert config.catalogue is None
    assert "is not used" in config.warnings[0] and "older" in config.warnings[0]


def test_a_file_with_faults_is_not_used(tmp_path: Path) -> None:
    config = written(tmp_path, msgspec.structs.replace(catalogue.facts(), models={}))
    assert config.catalogue is None and "only 0 models have a price" in config.warnings[0]


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b'{"generated": 7}', b"\xff\xfe"])
def test_a_broken_file_is_not_used(tmp_path: Path, data: bytes) -> None:
    (tmp_path / FILE_NAME).write_bytes(data)
    config = with_newer_catalogue(Config(), tmp_path)
    assert config.catalogue is None and "is not a catalogue" in config.warnings[0]


def test_a_folder_of_that_name_is_not_used(tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).mkdir()
    assert "can't be read" in with_newer_catalogue(Config(), tmp_path).warnings[0]
