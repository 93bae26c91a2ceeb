"""The conversation suite through the official SDKs, and their types over what the scripted providers say."""

from collections.abc import Iterator
from typing import Any

import openai
import pytest

from tests.path.callers import Question
from tests.path.house import Gateway, Provider, rule
from tests.path.pairs import MODELS, SUITE, Pair, paired_gateway, pairs
from tests.services.sdk_callers import SDKS, cohere, google

pytestmark = pytest.mark.services
# Before all providers the callers of bare HTTP are: what SDKs read does not depend on them further.
SPOKEN = ("openai", "anthropic", "gemini", "bedrock")
PAIRS = [(name, spoken) for name in SDKS for spoken in SPOKEN]


@pytest.fixture(scope="module")
def house(one_provider: Provider, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    with paired_gateway(tmp_path_factory.mktemp("sdk"), one_provider) as running:
        yield running


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize(("name", "spoken", "check"), pairs(SDKS, SPOKEN))
def test_suite(
    house: Gateway, provider: Provider, name: str, spoken: str, check: str, *, stream: bool
) -> None:
    SUITE[check](Pair(SDKS[name], spoken, house, provider, stream))


# The error class of each SDK, by what the provider refused
ERRORS: dict[str, dict[str, tuple[str, int]]] = {
    "openai": {
        "bad_request": ("BadRequestError", 400),
        "authentication": ("InternalServerError", 502),
        "rate_limit": ("RateLimitError", 429),
        "overloaded": ("InternalServerError", 503),
    },
    "anthropic": {
        "bad_request": ("BadRequestError", 400),
        "authentication": ("InternalServerError", 502),
        "rate_limit": ("RateLimitError", 429),
        "overloaded": ("ServiceUnavailableError", 503),
    },
    "gemini": {
        "bad_request": ("ClientError", 400),
        "authentication": ("ServerError", 502),
        "rate_limit": ("ClientError", 429),
        "overloaded": ("ServerError", 503),
    },
    "cohere": {
        "bad_request": ("BadRequestError", 400),
        "authentication": ("ApiError", 502),
        "rate_limit": ("TooManyRequestsError", 429),
        "overloaded": ("ServiceUnavailableError", 503),
    },
}


ERRORS["responses"] = ERRORS["openai"]  # one SDK


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("error", ERRORS["openai"])
@pytest.mark.parametrize(("name", "spoken"), PAIRS)
def test_errors_are_the_sdks_own(
    house: Gateway, provider: Provider, name: str, spoken: str, error: str, *, stream: bool
) -> None:
    provider.script(rule(error=error, headers={"retry-after": "7"} if error == "rate_limit" else {}))
    with pytest.raises(Exception) as caught:
        SDKS[name].ask(house, MODELS[spoken], Question(), stream=stream)
    status = getattr(caught.value, "status_code", None) or getattr(caught.value, "code", None)
    assert (type(caught.value).__name__, status) == ERRORS[name][error], caught.value


@pytest.mark.parametrize("fault", ["cut_after", "error_frame_after"])
@pytest.mark.parametrize(("name", "spoken"), PAIRS)
def test_a_stream_that_breaks_raises(
    house: Gateway, provider: Provider, name: str, spoken: str, fault: str
) -> None:
    provider.script(rule(text="One two three four", gap_ms=1, **{fault: 2}))
    if name == "cohere":  # whose SDK raises nothing in a stream: the reason tells
        said = SDKS[name].ask(house, MODELS[spoken], Question(), stream=True)
        assert (said.text, said.finish, said.num_errors) == ("One two", "", 1)
        return
    with pytest.raises(Exception) as caught:
        SDKS[name].ask(house, MODELS[spoken], Question(), stream=True)
    assert type(caught.value).__name__ in {"APIError", "APIStatusError", "InternalServerError", "ServerError"}


def test_embeddings_of_an_openai_caller_reach_gemini(house: Gateway, provider: Provider) -> None:
    provider.script()
    with openai.OpenAI(base_url=f"{house.url}/v1", api_key=house.key, max_retries=0) as client:
        made = client.embeddings.create(model="gemini/gemini-embedding-001", input=["a", "b"])
    assert [len(row.embedding) for row in made.data] == [8, 8]
    assert provider.last.path.endswith("/openai/embeddings")
    assert provider.last.fields["model"] == "gemini-embedding-001"


# What the scripted providers say is what the SDKs' types say: read straight from them, without a gateway


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("name", [name for name in SDKS if name in MODELS])
def test_the_scripted_provider_speaks_as_the_sdk_expects(
    provider: Provider, name: str, *, stream: bool
) -> None:
    calls = [{"name": "weather", "arguments": '{"city": "Quito"}'}]
    provider.script(rule(text="So.", reasoning="Hm.", signature="c2VhbA==", tool_calls=calls))
    straight: Any = _Straight(provider.upstream.base_url.removesuffix("/v1"))
    model = MODELS[name].partition("/")[2].replace("sonnet-4-5", "sonnet-5")  # the SDK warns of old ones
    said = SDKS[name].ask(straight, model, Question(tools=True), stream=stream)
    assert (said.text, said.thoughts, said.finish) == ("So.", "Hm.", "tool_calls")
    assert [call[1:] for call in said.calls] == [("weather", {"city": "Quito"})]


class _Straight:
    """Stands where the gateway does."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.key = "any"


def test_models_are_listed_for_every_sdk(house: Gateway) -> None:
    from anthropic import Anthropic

    with Anthropic(base_url=house.url, api_key=house.key, max_retries=0) as client:
        assert MODELS["anthropic"] in [model.id for model in client.models.list(limit=1000)]
    with google(house) as client:
        names = {model.name for model in client.models.list()}
    assert f"models/{MODELS['gemini']}" in names
    with cohere(house) as client:
        assert MODELS["cohere"] in [model.name for model in client.models.list(page_size=1000).models]


def test_bodies_for_the_providers_are_what_the_sdks_types_say(house: Gateway, provider: Provider) -> None:
    """What an OpenAI caller's request becomes, judged by Anthropic's and Google's own types."""
    import pydantic
    from anthropic.types.message_create_params import MessageCreateParamsNonStreaming
    from google.genai import types

    question = Question(system="Be brief.", tools=True, image=True, schema=True, stop=("END",), limit=9)
    provider.script(rule(text='{"name": "a"}'))
    caller = SDKS["openai"]
    caller.ask(house, MODELS["anthropic"], question, stream=False)
    judge = pydantic.TypeAdapter(MessageCreateParamsNonStreaming)
    judge.validate_python(provider.last.fields)
    known = (
        MessageCreateParamsNonStreaming.__required_keys__ | MessageCreateParamsNonStreaming.__optional_keys__
    )
    assert set(provider.last.fields) <= known
    caller.ask(house, "gemini/gemini-3-pro-preview", question, stream=False)
    sent = provider.last.fields
    for content in sent["contents"]:
        types.Content.model_validate(content)
    for tool in sent["tools"]:
        types.Tool.model_validate(tool)
    types.GenerationConfig.model_validate(sent["generationConfig"])
    types.Content.model_validate(sent["systemInstruction"])
