from pathlib import Path

import msgspec

from wicket.config.local_models import defaults
from wicket.config.schema import Config, Provider
from wicket.supervisor.adminkey import AdminKey
from wicket.supervisor.announce import engine_line, example_model, start_message
from wicket.supervisor.probe import LOADING, Readiness

HOME = Path("/data/wicket")
NEW = AdminKey("wk-admin-secret", HOME / "admin.key", is_new=True, is_from_variable=False)
KEPT = msgspec.structs.replace(NEW, is_new=False)
GROQ = Provider(name="groq", base_url="https://api.groq.com/openai/v1", reason="GROQ_API_KEY is set")


def test_the_first_start_shows_the_key_and_a_line_to_paste() -> None:
    config = Config(engines=defaults(), providers={"groq": GROQ}, warnings=("provider x is not enabled: y",))
    text = start_message(config, "http://127.0.0.1:4242", NEW, HOME)
    assert text.count("wk-admin-secret") == 2  # alone, and in the line
    assert "groq (GROQ_API_KEY is set)" in text
    assert "provider x is not enabled: y" in text
    assert '"model": "mini"' in text and "curl http://127.0.0.1:4242/v1/chat/completions" in text
    assert "compact/smollm2-135m-instruct (chat, also as mini)" in text
    assert "/data/wicket" in text


def test_later_starts_show_only_where_the_key_is() -> None:
    text = start_message(Config(), "http://127.0.0.1:4242", KEPT, HOME)
    assert "secret" not in text
    assert '$(cat "/data/wicket/admin.key")' in text
    assert "Nothing can answer yet" in text
    given = msgspec.structs.replace(KEPT, is_from_variable=True)
    assert "WICKET_ADMIN_KEY" in start_message(Config(), "http://127.0.0.1:4242", given, HOME)


def test_the_example_names_a_model_that_is_there() -> None:
    assert example_model(Config(engines=defaults())) == "mini"
    known = msgspec.structs.replace(GROQ, models=("llama-3",))
    assert example_model(Config(providers={"groq": known})) == "groq/llama-3"


def test_how_an_engine_is_doing() -> None:
    engine = defaults()["compact"]
    assert engine_line(engine, LOADING, 0).endswith("is loading …")
    assert engine_line(engine, Readiness("ready"), 1.94).endswith("is ready, in 1.9 s")
    assert engine_line(engine, Readiness("failed", "no such file"), 0).endswith("can't run: no such file")
