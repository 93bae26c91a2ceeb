"""Google's credentials in the configuration: where they are found, what is wrong with them; none is shown."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from wicket.config import google
from wicket.config.load import parse, show
from wicket.config.schema import Config
from wicket.config.snapshot import compile_snapshot
from wicket.errors import ConfigFault
from wicket.wire.google_keys import GoogleKeys
from wicket.wire.origin import Origin

USER = {
    "type": "authorized_user",
    "client_id": "the-client",
    "client_secret": "the-client-secret",
    "refresh_token": "1//the-refresh-token",
    "quota_project_id": "payer",
    "universe_domain": "googleapis.com",
}
ACCOUNT = {
    "type": "service_account",
    "client_email": "robot@p.iam.gserviceaccount.com",
    "private_key": "-----BEGIN PRIVATE KEY-----\nthe-private-key\n-----END PRIVATE KEY-----\n",
    "private_key_id": "k1",
    "token_uri": "https://oauth2.googleapis.com/token",
}
TABLE = '[providers.vertex]\nregion = "us-central1"\naccount = "p"\nauth = "google"\n'


def parsed(text: str, base: Path, environ: Mapping[str, str] | None = None) -> Config:
    home = {"CLOUDSDK_CONFIG": str(base / "gcloud")}
    return parse(text, {**home, **(environ or {})}, source="wicket.toml", base=base)


def keys_of(config: Config) -> list[GoogleKeys | None]:
    deployments = compile_snapshot(config, version=1, engine_sockets={}).resolve("vertex/m").deployments
    assert all(each.headers == () for each in deployments)
    return [each.google for each in deployments]


def write(path: Path, value: dict[str, Any]) -> str:
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(value, indent=2))
    return str(path)


def test_a_users_file_by_name_and_by_variable(tmp_path: Path) -> None:
    write(tmp_path / "user.json", USER)
    config = parsed(
        f'{TABLE}api_key = ["file:user.json", "env:THE_JSON"]\n',
        tmp_path,
        {"THE_JSON": json.dumps({**USER, "quota_project_id": ""})},
    )
    first, second = keys_of(config)
    assert first == GoogleKeys(
        kind="authorized_user",
        origin=Origin("https", "oauth2.googleapis.com", 443),
        target="/token",
        audience="https://oauth2.googleapis.com/token",
        client_id="the-client",
        client_secret="the-client-secret",
        refresh_token="1//the-refresh-token",
        quota_project="payer",
    )
    assert second is not None and second.quota_project == ""
    shown = json.dumps(show(config))
    assert "the-client-secret" not in shown and "the-refresh-token" not in shown


def test_a_service_accounts_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(google.importlib.util, "find_spec", lambda name: object())
    write(tmp_path / "account.json", ACCOUNT)
    (keys,) = keys_of(parsed(f'{TABLE}api_key = "file:account.json"\n', tmp_path))
    assert keys is not None and keys.kind == "service_account" and keys.private_key == ACCOUNT["private_key"]
    assert keys.quota_project == ""


def test_without_one_google_s_own_places_are_looked_at_in_their_order(tmp_path: Path) -> None:
    (machine,) = keys_of(parsed(TABLE, tmp_path))
    assert machine is not None and machine.kind == "metadata"
    assert machine.origin == Origin("http", "metadata.google.internal", 80)
    (elsewhere,) = keys_of(
        parsed(f'{TABLE}api_key = "metadata"\n', tmp_path, {"GCE_METADATA_HOST": "1.2.3.4:8"})
    )
    assert elsewhere is not None and elsewhere.origin == Origin("http", "1.2.3.4", 8)
    write(tmp_path / "gcloud" / "application_default_credentials.json", {**USER, "client_id": "left"})
    (left,) = keys_of(parsed(TABLE, tmp_path))
    assert left is not None and left.client_id == "left"
    named = write(tmp_path / "named.json", {**USER, "client_id": "named"})
    (found,) = keys_of(parsed(TABLE, tmp_path, {"GOOGLE_APPLICATION_CREDENTIALS": named}))
    assert found is not None and found.client_id == "named"


@pytest.mark.parametrize(
    ("value", "says"),
    [
        ({**USER, "type": "external_account"}, "'external_account'"),
        ({**USER, "refresh_token": ""}, "no refresh_token"),
        ({**USER, "token_uri": "http://evil.example/token"}, "not an https address"),
        ({**USER, "token_uri": "https://a b/"}, "not an https address"),
        ({**USER, "token_uri": "https://[::1"}, "no URL"),
        ({**USER, "quota_project_id": "x\r\ny: z"}, "quota_project_id"),
        ({**USER, "client_id": 5}, "not JSON of that form"),
        ({"type": "service_account", "client_email": "a"}, "no private_key"),
    ],
)
def test_a_file_that_can_t_be_used_says_why(value: dict[str, Any], says: str, tmp_path: Path) -> None:
    write(tmp_path / "bad.json", value)
    with pytest.raises(ConfigFault) as caught:
        parsed(f'{TABLE}api_key = "file:bad.json"\n', tmp_path)
    assert says in caught.value.message and "api_key" in caught.value.message
    assert "the-client-secret" not in caught.value.message


@pytest.mark.parametrize(
    ("written", "says"),
    [
        ("file:none.json", "can't be read"),
        ("env:NOBODY", "is not set"),
        ("ya29.token", 'is "file:PATH"'),
    ],
)
def test_what_is_no_credential_is_told(written: str, says: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigFault) as caught:
        parsed(f'{TABLE}api_key = "{written}"\n', tmp_path)
    assert says in caught.value.message and "ya29" not in caught.value.message


def test_an_optional_one_that_is_missing_leaves_the_provider_out(tmp_path: Path) -> None:
    config = parsed(f'{TABLE}api_key = "file:none.json"\noptional = true\n', tmp_path)
    assert "vertex" not in config.providers


def test_a_signing_key_names_the_package_that_it_needs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(google.importlib.util, "find_spec", lambda name: None)
    write(tmp_path / "account.json", ACCOUNT)
    with pytest.raises(ConfigFault) as caught:
        parsed(f'{TABLE}api_key = "file:account.json"\n', tmp_path)
    assert "wicket[vertex]" in caught.value.message


def test_an_access_token_works_as_before(tmp_path: Path) -> None:
    text = TABLE.replace('auth = "google"\n', "")
    config = parsed(text, tmp_path, {"GOOGLE_OAUTH_ACCESS_TOKEN": "ya29.by-hand"})
    (deployment,) = compile_snapshot(config, version=1, engine_sockets={}).resolve("vertex/m").deployments
    assert deployment.google is None
    assert deployment.headers == (("authorization", "Bearer ya29.by-hand"),)
