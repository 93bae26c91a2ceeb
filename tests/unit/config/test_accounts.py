"""`[accounts]`: what is refused, where, and that a secret is resolved and never shown."""

from pathlib import Path

import pytest

from wicket.config.load import parse, show
from wicket.errors import ConfigFault

GOOD = """
[server]
trusted_proxies = ["10.0.0.0/8", "::1"]
[accounts]
sign_up = "open"
session_idle_h = 1
[accounts.oidc.work]
issuer = "https://login.example.com"
client_id = "wicket"
client_secret = "env:OIDC_SECRET"
allowed_domains = ["example.com"]
default_role = "viewer"
"""
SECRET = "a-secret-of-the-client-0123"


def load(text: str, **environ: str) -> object:
    return parse(text, environ, source="wicket.toml", base=Path())


def test_a_provider_is_ready_and_its_secret_masked() -> None:
    config = parse(GOOD, {"OIDC_SECRET": SECRET}, source="wicket.toml", base=Path())
    table = config.accounts.oidc["work"]
    assert table.client_secret == SECRET and config.accounts.sign_up == "open"
    assert config.server.trusted_proxies == ("10.0.0.0/8", "::1")
    assert SECRET not in str(show(config)) and SECRET not in repr(config)
    assert show(config)["accounts"]["oidc"]["work"]["client_secret"].endswith("0123")


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('"https://login.example.com"', '"http://login.example.com"', "https://"),
        ('issuer = "https://login.example.com"', "", "issuer"),
        ('client_id = "wicket"', "", "client_id"),
        ("env:OIDC_SECRET", "env:NOT_SET", "NOT_SET"),
        ("env:OIDC_SECRET", "$OIDC_SECRET", "env:NAME"),
        ('"example.com"]', '"ada@example.com"]', "domain"),
        ('"viewer"', '"owner"', "default_role"),
        ('"open"', '"everybody"', "sign_up"),
        ('"10.0.0.0/8"', '"10.0.0.0/99"', "network"),
        ("session_idle_h = 1", "session_idle_h = 0", "session_idle_h"),
        ("oidc.work", 'oidc."a/b"', "letters"),
        ("sign_up", "signup", "signup"),
    ],
)
def test_a_mistake_is_told_with_its_line(old: str, new: str, said: str) -> None:
    assert old in GOOD
    with pytest.raises(ConfigFault) as caught:
        load(GOOD.replace(old, new), OIDC_SECRET=SECRET)
    assert "wicket.toml:" in caught.value.message and said in caught.value.message
    assert SECRET not in caught.value.message
