import stat
from pathlib import Path

import pytest

from wicket.errors import OperatorFault
from wicket.providers import catalogue
from wicket.supervisor.credentials import FILE_NAME, CredentialFile, as_variables
from wicket.supervisor.settings import ServeOptions, Settings

KEY = "sk-put-in-0123456789"


def test_keys_are_kept_privately_and_replaced_whole(tmp_path: Path) -> None:
    file = CredentialFile(tmp_path)
    assert file.read() == {}
    file.put("openai", "first")
    file.put("groq", "other")
    file.put("openai", KEY)
    assert CredentialFile(tmp_path).read() == {"openai": KEY, "groq": "other"}
    assert stat.S_IMODE((tmp_path / FILE_NAME).stat().st_mode) == 0o600
    assert file.remove("openai") and not file.remove("openai")
    assert file.read() == {"groq": "other"}


@pytest.mark.parametrize("data", [b"", b"[]", b'{"openai": 1}', b"\xff\xfe"])
def test_a_foreign_file_is_refused_and_says_what_to_do(tmp_path: Path, data: bytes) -> None:
    (tmp_path / FILE_NAME).write_bytes(data)
    with pytest.raises(OperatorFault, match="put the keys in again"):
        CredentialFile(tmp_path).read()
    assert (tmp_path / FILE_NAME).read_bytes() == data


def test_they_stand_for_the_providers_own_variables() -> None:
    rows = catalogue.rows()
    assert as_variables({"openai": KEY, "nobody": "x"}, rows) == {rows["openai"].env[0]: KEY}


def test_without_a_file_a_key_that_was_put_in_enables_its_provider(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    settings = Settings(ServeOptions(), {}, tmp_path)
    assert "openai" not in settings.config.providers and "github" not in settings.config.providers
    settings.credentials.put("openai", KEY)
    settings.credentials.put("github", KEY)  # a variable of that name would not enable it: it has other uses
    assert settings.reload() and settings.version == 2
    for name in ("openai", "github"):
        provider = settings.config.providers[name]
        assert provider.credentials == (KEY,) and provider.reason == "its key was put in"
    settings.credentials.remove("openai")
    assert settings.reload() and "openai" not in settings.config.providers


def test_with_a_file_it_serves_providers_declared_without_one(tmp_path: Path) -> None:
    path = tmp_path / "wicket.toml"
    path.write_text("[providers.openai]\noptional = true\n")
    settings = Settings(ServeOptions(config=path), {"OPENAI_API_KEY": "sk-of-the-environment"}, tmp_path)
    settings.credentials.put("openai", KEY)
    settings.credentials.put("groq", KEY)
    assert settings.reload()
    assert settings.config.providers["openai"].credentials == (KEY,)
    assert "groq" not in settings.config.providers
