"""From a provider and a model's name to what is asked."""

from wicket.config.deployments import provider_template
from wicket.config.schema import Provider
from wicket.providers.catalogue import row_of
from wicket.routing.deployment import ABILITIES
from wicket.wire.quirks import Quirks


def quirks_of(name: str) -> Quirks:
    row = row_of(name)
    assert row is not None
    return row.quirks


def test_the_output_limit_of_models_that_know_its_new_name_only() -> None:
    for row in ("openai", "azure"):
        template = provider_template(
            Provider(name=row, row=row, base_url="https://a.example/v1", quirks=quirks_of(row)), lambda *_: ""
        )
        renamed = [template(name)[0].rename for name in ("gpt-5-mini", "o3", "gpt-4.1")]
        assert renamed == [{"max_tokens": "max_completion_tokens"}] * 2 + [{}]


def test_a_model_of_the_responses_api_alone_is_asked_by_that() -> None:
    template = provider_template(
        Provider(name="openai", row="openai", base_url="https://a.example/v1"), lambda *_: ""
    )
    assert [template(name)[0].dialect for name in ("gpt-5-pro", "gpt-4o")] == [
        "openai_responses",
        "openai_chat",
    ]
    own = Provider(name="mine", row="", base_url="https://a.example/v1")
    assert provider_template(own, lambda *_: "")("gpt-5-pro")[0].dialect == "openai_chat"


def test_what_a_model_of_a_known_kind_can_not_be_asked_for() -> None:
    template = provider_template(
        Provider(name="openai", row="openai", base_url="https://a.example/v1"), lambda *_: ""
    )

    def can(model: str) -> set[str]:
        return set(ABILITIES) - set(template(model)[0].lacks)

    assert can("gpt-image-1") == {"images"} and can("tts-1") == {"speech"}
    assert can("whisper-1") >= {"transcription"} and "images" not in can("whisper-1")
    assert can("text-embedding-3-small") == {"embeddings"}
    assert "images" not in can("gpt-4o") and can("nobody-knows-it") == set(ABILITIES)
