from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from wicket.config.load import parse, show
from wicket.config.schema import Config
from wicket.errors import ConfigFault
from wicket.supervisor.settings import ServeOptions, Settings

SECRET = "a-secret-of-the-webhook-0123"


def config(text: str, **environ: str) -> Config:
    return parse(text, environ, source="wicket.toml", base=Path("/"))


def test_a_webhook_has_its_secret_resolved_and_never_shown() -> None:
    text = '[accounts.webhook]\nurl = "http://10.0.0.7:8080/hook?a=b"\nsecret = "env:HOOK"\nbelow_usd = 2.5\n'
    found = config(text, HOOK=SECRET)
    webhook = found.accounts.webhook
    assert webhook is not None and (webhook.secret, webhook.below_usd) == (SECRET, 2.5)
    assert SECRET not in str(show(found)) and SECRET not in repr(found)
    assert config("").accounts.webhook is None


def test_workers_are_not_told_the_secret(tmp_path: Path) -> None:
    file = tmp_path / "wicket.toml"
    file.write_text(f'[accounts.webhook]\nurl = "https://hook.example/"\nsecret = "{SECRET}"\n')
    settings = Settings(ServeOptions(config=file), {}, tmp_path)
    assert settings.config.accounts.webhook is not None
    assert SECRET.encode() not in settings.encoded
    assert msgspec.msgpack.decode(settings.encoded, type=Config).accounts.webhook is None


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ('url = "ftp://x/"', "wicket.toml:2: accounts.webhook.url"),
        ('url = "http://user:pw@x/"', "must not hold a user"),
        ('url = "http://x/#y"', "fragment"),
        ('url = "http://x y/"', "is not a URL"),
        ('url = "http://x:0/"', "is not a URL"),
        ('secret = "short"', "16 characters"),
        ('secret = "$HOOK"', "env:NAME"),
        ('secret = "env:ABSENT"', "ABSENT is not set"),
        ("below_usd = -1", "below_usd"),
        ("below_usd = nan", "below_usd"),
        ('colour = "red"', "colour"),
    ],
)
def test_mistakes_are_told_by_field(line: str, told: str) -> None:
    name = line.split(" ")[0]
    usual = {"url": 'url = "https://x.example/"', "secret": f'secret = "{SECRET}"'}
    lines = [line, *(text for field, text in usual.items() if field != name)]
    with pytest.raises(ConfigFault) as caught:
        config("[accounts.webhook]\n" + "\n".join(lines) + "\n")
    assert told in caught.value.message, caught.value.message
    assert SECRET not in caught.value.message


def test_records_may_be_kept_for_a_while() -> None:
    assert config("").records.keep_days == 0
    assert config("[records]\nkeep_days = 90\n").records.keep_days == 90
    with pytest.raises(ConfigFault, match="keep_days"):
        config("[records]\nkeep_days = -1\n")
