"""Every caller's dialect before every provider's, over real sockets: the conversation suite, and failures."""

from collections.abc import Iterator

import pytest
from _pytest.mark import ParameterSet

from tests.path.callers import CALLERS, Caller, Question
from tests.path.house import SECRET, Answer, Gateway, Provider, delta, rule, sse, stream_rule
from tests.path.pairs import MODELS, SUITE, Pair, paired_gateway, pairs

FEW = {"cohere", "ollama"}  # spoken by few: `make test-services` has time for them


def marked(name: str, spoken: str, *more: str) -> ParameterSet:
    """A pair, and where it is tried."""
    marks = [pytest.mark.services] if FEW & {name, spoken} else []
    return pytest.param(name, spoken, *more, marks=marks)


PAIRS = [marked(name, spoken) for name in CALLERS for spoken in MODELS]


@pytest.fixture(scope="module")
def one_house(one_provider: Provider, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    with paired_gateway(tmp_path_factory.mktemp("pairs"), one_provider) as running:
        yield running


@pytest.fixture
def house(one_house: Gateway, provider: Provider) -> Iterator[Gateway]:
    yield one_house
    said = one_house.heard()
    for leak in ("Traceback", "Error", SECRET, one_house.key):
        assert leak not in said


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize(("name", "spoken", "check"), [marked(*each) for each in pairs(CALLERS)])
def test_suite(
    house: Gateway, provider: Provider, name: str, spoken: str, check: str, *, stream: bool
) -> None:
    SUITE[check](Pair(CALLERS[name], spoken, house, provider, stream))


# What the provider refuses → the status that its callers see, and whether it may be asked again
ERRORS = {
    "bad_request": 400,
    "authentication": 502,
    "rate_limit": 429,
    "overloaded": 503,
    "server_error": 502,
    "html": 502,
}


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("error", ERRORS)
@pytest.mark.parametrize(("name", "spoken"), PAIRS)
def test_a_refusal_comes_in_the_callers_form(
    house: Gateway, provider: Provider, name: str, spoken: str, error: str, *, stream: bool
) -> None:
    caller = CALLERS[name]
    provider.script(rule(error=error, headers={"retry-after": "7"} if error == "rate_limit" else {}))
    answer = _post(caller, house, spoken, stream=stream)
    assert answer.status == ERRORS[error], answer.body
    message = caller.error(answer.json)
    assert message and SECRET not in message and "<html" not in message
    if error == "rate_limit":
        assert answer.headers["retry-after"] == "7"
    if error == "bad_request":
        assert "A field is wrong." in message


def _post(caller: Caller, house: Gateway, spoken: str, *, stream: bool) -> Answer:
    model = MODELS[spoken]
    return caller.post(house, model, caller.body(model, Question(), stream=stream), stream=stream)


@pytest.mark.parametrize("fault", ["cut_after", "error_frame_after"])
@pytest.mark.parametrize(("name", "spoken"), PAIRS)
def test_a_stream_that_breaks_is_no_answer(
    house: Gateway, provider: Provider, name: str, spoken: str, fault: str
) -> None:
    """What was said arrives, then an error in the caller's form, and never a finish reason."""
    caller = CALLERS[name]
    provider.script(rule(text="One two three four", gap_ms=1, **{fault: 2}))
    answer = _post(caller, house, spoken, stream=True)
    if answer.status in (502, 503):  # all of it came at once, so that nothing had gone out yet
        assert fault == "error_frame_after" and caller.error(answer.json)
        return
    assert answer.status == 200, answer.body
    said = caller.streamed(caller.events(answer))
    assert (said.text.strip(), said.finish, said.num_errors) == ("One two", "", 1)
    assert house.record(answer.headers["x-request-id"])["outcome"] != "ok"


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize(("name", "spoken"), PAIRS)
def test_a_finish_reason_that_nobody_knows_is_no_stop(
    house: Gateway, provider: Provider, name: str, spoken: str, *, stream: bool
) -> None:
    provider.script(rule(text="One", finish_reason="brand_new"))
    caller = CALLERS[name]
    answer = _post(caller, house, spoken, stream=stream)
    if name == spoken:  # passes as it came: the caller's own dialect may know the word
        assert b"brand_new" in answer.body
        return
    if answer.status == 200:
        said = caller.streamed(caller.events(answer))
        assert said.finish == "" and said.num_errors == 1
    else:
        assert answer.status == 502 and caller.error(answer.json)


def test_models_are_listed_in_coheres_form_for_its_sdks(house: Gateway) -> None:
    sent = {"x-fern-sdk-name": "cohere"}
    listed = house.request("GET", "/v1/models?endpoint=chat", **sent).json
    named = {one["name"]: one for one in listed["models"]}
    assert named[MODELS["cohere"]]["context_length"] == 256_000 and named["both"]["endpoints"] == ["chat"]
    assert house.request("GET", f"/v1/models/{MODELS['cohere']}", **sent).json == named[MODELS["cohere"]]
    able = house.request("GET", "/v1/models?endpoint=rerank", **sent).json["models"]
    assert not [one for one in able if one["endpoints"] != ["rerank"]]


# What one provider has no word for

ONE_CALL = Question(tools=True, more={"parallel_tool_calls": False})


def _ask_for_one_call(house: Gateway, model: str) -> Answer:
    caller = CALLERS["openai"]
    return caller.post(house, model, caller.body(model, ONE_CALL, stream=False), stream=False)


def test_one_call_at_a_time_is_said_or_refused_or_left_out_by_the_operators_word(
    house: Gateway, provider: Provider
) -> None:
    assert _ask_for_one_call(house, MODELS["anthropic"]).status == 200
    assert provider.last.fields["tool_choice"] == {"type": "auto", "disable_parallel_tool_use": True}
    refused = _ask_for_one_call(house, MODELS["gemini"])
    assert (refused.status, refused.error["param"]) == (400, "parallel_tool_calls")
    lenient = _ask_for_one_call(house, "lenient/gemini-2.5-flash")
    assert (lenient.status, lenient.headers["x-wicket-dropped"]) == (200, "parallel_tool_calls")


def test_who_is_passed_over_for_a_word_is_not_blamed(house: Gateway, provider: Provider) -> None:
    for _ in range(12):
        answer = _ask_for_one_call(house, "both")
        assert answer.headers["x-wicket-deployment"] == MODELS["anthropic"]
    caller = CALLERS["openai"]
    plain = caller.post(house, "both", caller.body("both", Question(), stream=False), stream=False)
    assert plain.headers["x-wicket-deployment"] == MODELS["gemini"]


@pytest.mark.parametrize("name", ["openai", "anthropic"])
def test_usage_that_comes_with_an_error_is_counted(house: Gateway, provider: Provider, name: str) -> None:
    """OpenRouter's, recorded as openrouter/stream_error."""
    usage = b'{"prompt_tokens":43,"completion_tokens":10}'
    error = b'{"error":{"code":400,"message":"Limit"},"choices":[],"usage":%b}' % usage
    provider.script(stream_rule(sse(delta("a"), error)))
    answer = _post(CALLERS[name], house, "openai", stream=True)
    record = house.record(answer.headers["x-request-id"])
    assert record["outcome"] == "provider_error"
    used = record["attempts"][0]
    assert (used["input_tokens"], used["output_tokens"]) == (43, 10)


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("name", ["openai", "anthropic", "cohere"])
def test_a_seal_on_plain_text_is_told_to_be_left_out(
    house: Gateway, provider: Provider, name: str, *, stream: bool
) -> None:
    """In a stream it comes last, behind the headers: the record has it."""
    provider.script(rule(text="One", signature="c2VhbA=="))
    answer = _post(CALLERS[name], house, "gemini", stream=stream)
    told = "response.candidates[0].content.parts[0].thoughtSignature"
    assert house.record(answer.headers["x-request-id"])["dropped"] == [told]
    if not stream:
        assert answer.headers["x-wicket-dropped"] == told
