"""From a provider and a model's name to what is asked."""

from wicket.config.deployments import provider_template
from wicket.config.schema import Provider
from wicket.routing.deployment import ABILITIES


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
