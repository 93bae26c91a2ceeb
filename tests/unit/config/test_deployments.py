"""From a provider and a model's name to what is asked."""

from wicket.config.deployments import provider_template
from wicket.config.schema import Provider


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
