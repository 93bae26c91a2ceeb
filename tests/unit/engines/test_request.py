from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wicket.engines.host import request, schema, verbs
from wicket.engines.host.request import Limits
from wicket.errors import CallerFault
from wicket.wire import json

IMAGE = [{"type": "text", "text": "a"}, {"type": "image_url"}]
LIMITS = Limits(context_tokens=100, vocab_size=50, max_logprobs=20)
HI = [{"role": "user", "content": "hi"}]
TOOL = {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}


def chat(**fields: Any) -> request.ChatCall:
    return request.chat(json.encode({"messages": HI, **fields}))


def refused(**fields: Any) -> CallerFault:
    with pytest.raises(CallerFault) as caught:
        chat(**fields)
    assert caught.value.status == 400
    return caught.value


def test_every_parameter_arrives() -> None:
    call = chat(
        temperature=0, top_p=0.5, top_k=3, min_p=0.1, repetition_penalty=1.1, presence_penalty=-1,
        frequency_penalty=2, seed=-1, logit_bias={"3": -100}, max_tokens=7, stop="x", n=2, logprobs=True,
        top_logprobs=4, ignore_eos=True, stream=True, stream_options={"include_usage": True}, user="u",
        metadata={"a": "b"}, store=False,
    )  # fmt: skip
    options = call.options
    first, second = request.generations(options, [1, 2], [8, 9], LIMITS, schema=None, salt="t")
    assert (first.id, first.max_tokens, first.stop, first.logprobs, first.salt) == (8, 7, ["x"], 4, "t")
    sampling = first.sampling
    assert (sampling.temperature, sampling.top_p, sampling.top_k, sampling.min_p) == (0, 0.5, 3, 0.1)
    assert (sampling.repetition_penalty, sampling.presence_penalty, sampling.frequency_penalty) == (
        1.1,
        -1,
        2,
    )
    assert sampling.logit_bias == {3: -100}
    assert sampling.seed == 2**63 - 1 and second.sampling.seed == 0
    assert first.ignore_eos and options.is_stream and options.has_usage and options.dropped == ()


def test_defaults_and_nulls() -> None:
    call = chat(temperature=None, stop=None, tools=None, max_tokens=None, reasoning_effort="low", x=None)
    assert call.options.sampling.temperature == 1.0
    assert call.options.dropped == ("reasoning_effort",)
    [command] = request.generations(call.options, [1] * 40, [1], LIMITS, schema=None, salt="")
    assert command.max_tokens == 60
    assert chat(max_tokens=5, max_completion_tokens=6).options.max_tokens == 6


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"temperature": 2.1}, "temperature"),
        ({"temperature": "hot"}, "temperature"),
        ({"top_p": 0}, "top_p"),
        ({"max_tokens": -1}, "max_tokens"),
        ({"max_completion_tokens": 0}, "max_completion_tokens"),
        ({"max_tokens": 1.5}, "max_tokens"),
        ({"n": 9}, "n"),
        ({"stop": ["a"] * 5}, "stop"),
        ({"stop": ""}, "stop"),
        ({"stop": [1]}, "stop[0]"),
        ({"presence_penalty": 3}, "presence_penalty"),
        ({"logit_bias": {"a": 1}}, "logit_bias"),
        ({"logit_bias": {"1": 101}}, "logit_bias[...]"),
        ({"top_logprobs": 21, "logprobs": True}, "top_logprobs"),
        ({"top_logprobs": 2}, "top_logprobs"),
        ({"stream_options": {"include_usage": True}}, "stream_options"),
        ({"messages": []}, "messages"),
        ({"messages": [{"role": "king", "content": ""}]}, "messages[0].role"),
        ({"messages": [*HI, {"role": "user"}]}, "messages[1].content"),
        ({"messages": [{"role": "user", "content": 3}]}, "messages[0].content"),
        ({"messages": [{"role": "user", "content": IMAGE}]}, "messages[0].content[1]"),
        ({"response_format": {"type": "xml"}}, "response_format.type"),
        ({"response_format": {"type": "json_schema"}}, "response_format.json_schema"),
        (
            {"response_format": {"type": "json_schema", "json_schema": {"schema": 1}}},
            "response_format.json_schema.schema",
        ),
        ({"tools": [TOOL, TOOL]}, "tools"),
        ({"tools": [{"type": "function", "function": {"name": "a b"}}]}, "tools[0].function.name"),
        ({"tools": [TOOL], "tool_choice": {"type": "function", "function": {"name": "g"}}}, "tool_choice"),
        ({"tool_choice": "required"}, "tool_choice"),
        ({"functions": []}, "functions"),
        ({"modalities": ["audio"]}, "modalities[0]"),
    ],
)  # fmt: skip
def test_a_bad_field_is_named(fields: dict[str, Any], param: str) -> None:
    assert refused(**fields).param == param


def test_no_messages_and_no_object() -> None:
    with pytest.raises(CallerFault) as caught:
        request.chat(b"{}")
    assert caught.value.code == "missing_required_parameter"
    with pytest.raises(CallerFault) as caught:
        request.chat(b"[1]")
    assert caught.value.code == "invalid_json"


@given(st.dictionaries(st.sampled_from(sorted(request.CHAT_FIELDS)), st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
), max_size=5))  # fmt: skip
def test_no_body_gets_past_the_fault_tree(fields: dict[str, Any]) -> None:
    faults = []
    try:
        request.chat(json.encode({"messages": HI, **fields}))
    except CallerFault as fault:
        faults.append(fault)
    assert all(fault.param for fault in faults)


def test_the_context_limit_says_the_numbers() -> None:
    options = chat(max_tokens=61).options
    with pytest.raises(CallerFault) as caught:
        request.generations(options, [1] * 40, [1], LIMITS, schema=None, salt="")
    assert caught.value.code == "context_length_exceeded"
    assert caught.value.message == (
        "This model's maximum context length is 100 tokens. However, you requested 101 tokens (40 in the "
        "prompt, 61 in the completion). Please shorten the prompt or the completion."
    )
    with pytest.raises(CallerFault, match="your prompt has 100 tokens"):
        request.generations(chat().options, [1] * 100, [1], LIMITS, schema=None, salt="")
    assert request.output_tokens(chat(max_tokens=60).options, 40, LIMITS) == 60


def test_what_only_the_engine_can_tell() -> None:
    with pytest.raises(CallerFault) as caught:
        request.check(chat(logit_bias={"50": 1}).options, LIMITS)
    assert caught.value.param == "logit_bias"


def test_completion_prompts() -> None:
    def prompts(prompt: Any, **fields: Any) -> Any:
        return request.completion(json.encode({"prompt": prompt, **fields})).prompts

    assert prompts("a") == ["a"]
    assert prompts(["a", "b"]) == ["a", "b"]
    assert prompts([1, 2]) == [[1, 2]]
    assert prompts([[1], [2]]) == [[1], [2]]
    for bad in ([], [[]], [1, "a"], {}, ["a", 1], 3, [-1]):
        with pytest.raises(CallerFault) as caught:
            prompts(bad)
        assert (caught.value.param or "").startswith("prompt")
    assert request.completion(b'{"prompt":"a"}').options.max_tokens == 16
    assert request.completion(b'{"prompt":"a","echo":true,"max_tokens":0}').options.max_tokens == 0
    with pytest.raises(CallerFault):
        request.completion(b'{"prompt":"a","max_tokens":0}')


def test_embedding_bodies() -> None:
    assert verbs.texts(b'{"input":"a"}').texts == ["a"]
    assert verbs.texts(b'{"input":["a","b"],"encoding_format":"base64"}').is_base64
    for body in (b'{"input":[1,2]}', b'{"input":[]}', b'{"input":""}', b'{"input":["a",""]}', b"{}"):
        with pytest.raises(CallerFault) as caught:
            verbs.texts(body)
        assert (caught.value.param or "").startswith("input")
    with pytest.raises(CallerFault):
        verbs.check_dimensions(3, 4)
    verbs.check_dimensions(None, 4)


def deep(levels: int) -> dict[str, Any]:
    found: dict[str, Any] = {"type": "string"}
    for _ in range(levels):
        found = {"type": "array", "items": found}
    return found


@pytest.mark.parametrize(
    ("bad", "why"),
    [
        (deep(40), "deeper"),
        ({"enum": list(range(2000))}, "enum"),
        ({"type": "array", "maxItems": 10**9}, "maxItems"),
        ({"type": "string", "pattern": "a" * 1000}, "pattern"),
        ({"anyOf": [{}] * 5000}, "parts"),
        ({"description": "x" * 70000}, "bytes"),
        ({"$ref": "#"}, "leads only to itself"),
        ({"$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"$ref": "#/$defs/a"}}}, "leads only to itself"),
        ({"$ref": "https://example.com/x"}, "leaves the document"),
        ({"$ref": "#/$defs/none"}, "leads nowhere"),
    ],
)  # fmt: skip
def test_costly_schemas_are_refused(bad: dict[str, Any], why: str) -> None:
    fault = refused(response_format={"type": "json_schema", "json_schema": {"name": "x", "schema": bad}})
    assert (fault.code, fault.param) == ("invalid_schema", "response_format")
    assert why in fault.message


def test_a_recursive_schema_is_fine() -> None:
    node = {"anyOf": [{"$ref": "#/$defs/node"}, {"type": "null"}]}
    definitions = {"node": {"type": "object", "properties": {"next": node}}}
    tree = {"$ref": "#/$defs/node", "$defs": definitions}
    assert json.decode(schema.bounded(tree, "response_format")) == tree


def test_a_request_that_asks_for_nothing_gets_the_models_own_sampling_and_a_bounded_answer() -> None:
    limits = request.Limits(8192, 49152, 20, temperature=0.2, top_p=0.9)

    def made(**fields: object) -> tuple[float, float, int]:
        body = json.encode({"model": "m", "messages": [{"role": "user", "content": "hi"}], **fields})
        options = request.chat(body).options
        (command,) = request.generations(options, [1, 2, 3], [7], limits, schema=None, salt="")
        return command.sampling.temperature, command.sampling.top_p, command.max_tokens

    assert made() == (0.2, 0.9, request.DEFAULT_OUTPUT_TOKENS)
    assert made(temperature=1) == (1.0, 1.0, request.DEFAULT_OUTPUT_TOKENS)
    assert made(top_p=0.5, max_tokens=5000) == (1.0, 0.5, 5000)
