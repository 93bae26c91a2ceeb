"""The request bodies of the dialects other than OpenAI's chat, as far as a caller of them may rely on.

Unknown fields pass, because a provider may know them; each family's own reference says the rest. Sources:
platform.claude.com/docs (Messages), ai.google.dev/api (generateContent), Cohere API reference (POST
/v2/chat), OpenAI API reference (Responses), 2026-11.
"""

from __future__ import annotations

from wicket.server.openapi_schemas import FLAG, MODEL, TEXT, Schema, array, one_of, record

_MAX = (1 << 31) - 1
_LIMIT = one_of("integer", minimum=1, maximum=_MAX)
_SHARE = one_of("number", minimum=0, maximum=1)
_OBJECT = one_of("object")
_STOPS = array(TEXT, maxItems=4)
_IMAGE = "data:image/png;base64,iVBORw0KGgo="


def _kind(kind: str, required: str = "", /, **members: Schema) -> Schema:
    """One of several shapes, told apart by `type`."""
    return record({"type": {"const": kind}, **members}, f"type {required}".strip())


def _any(*schemas: Schema) -> Schema:
    return {"anyOf": list(schemas)}


def _function(**members: Schema) -> Schema:
    return record({"name": one_of("string", minLength=1), "description": TEXT, **members}, "name")


_LINK = record({"url": one_of("string", pattern="^(https?://|data:)", example=_IMAGE)}, "url")
_SCHEMA = record({"type": {"const": "object"}, "properties": _OBJECT}, "type")

_MESSAGES_BLOCK = _any(
    _kind("text", "text", text=TEXT),
    _kind("image", "source", source=_kind("url", "url", url=TEXT)),
    _kind("tool_use", "id name input", id=TEXT, name=TEXT, input=_OBJECT),
    _kind("tool_result", "tool_use_id", tool_use_id=TEXT, content=TEXT, is_error=FLAG),
    _kind("thinking", "thinking signature", thinking=TEXT, signature=TEXT),
)
_MESSAGES_TURN = record(
    {"role": one_of("string", enum=["user", "assistant"]), "content": _any(TEXT, array(_MESSAGES_BLOCK))},
    "role content",
)
_MESSAGES_FIELDS = {
    "model": MODEL,
    "messages": array(_MESSAGES_TURN, minItems=1),
    "system": _any(TEXT, array(_kind("text", "text", text=TEXT))),
    "tools": array(_function(input_schema=_SCHEMA)),
    "tool_choice": _any(_kind("auto"), _kind("any"), _kind("none"), _kind("tool", "name", name=TEXT)),
    "thinking": _any(_kind("enabled", "budget_tokens", budget_tokens=_LIMIT), _kind("disabled")),
}

_NAME = one_of("string", minLength=1)
_MIME = one_of("string", pattern="^(image|audio|video|application|text)/[a-z.+-]{1,80}$")
_BASE64 = one_of("string", pattern="^([A-Za-z0-9+/]{4})+$")
_PART = _any(
    record({"text": TEXT}, "text"),
    record({"inlineData": record({"mimeType": _MIME, "data": _BASE64}, "mimeType data")}, "inlineData"),
    record({"functionCall": record({"name": _NAME, "args": _OBJECT}, "name")}, "functionCall"),
    record({"functionResponse": record({"name": TEXT, "response": _OBJECT}, "name")}, "functionResponse"),
)
_PARTS = record({"parts": array(record({"text": TEXT}, "text"))}, "parts")
_CONTENT = record(
    {"role": one_of("string", enum=["user", "model"]), "parts": array(_PART, minItems=1)}, "parts"
)
_GENERATION = record(
    {
        "temperature": one_of("number", minimum=0, maximum=2),
        "topP": _SHARE,
        "topK": one_of("integer", minimum=0, maximum=1000),
        "maxOutputTokens": _LIMIT,
        "stopSequences": _STOPS,
        "seed": one_of("integer", minimum=0, maximum=_MAX),
        "responseMimeType": one_of("string", enum=["text/plain", "application/json"]),
        "responseJsonSchema": _SCHEMA,
    }
)

_COHERE_ITEM = _any(_kind("text", "text", text=TEXT), _kind("image_url", "image_url", image_url=_LINK))
_CALL = _kind(
    "function", "id function", id=TEXT, function=record({"name": TEXT, "arguments": TEXT}, "name arguments")
)
_COHERE_TURN = _any(
    record(
        {"role": one_of("string", enum=["user", "system"]), "content": _any(TEXT, array(_COHERE_ITEM))},
        "role content",
    ),
    record(
        {"role": {"const": "assistant"}, "content": TEXT, "tool_plan": TEXT, "tool_calls": array(_CALL)},
        "role",
    ),
    record({"role": {"const": "tool"}, "tool_call_id": TEXT, "content": TEXT}, "role tool_call_id content"),
)

_INPUT_PART = _any(
    _kind("input_text", "text", text=TEXT),
    _kind("input_image", "image_url", image_url=_LINK["properties"]["url"]),
)
_INPUT_ITEM = _any(
    record(
        {
            "role": one_of("string", enum=["user", "system", "developer", "assistant"]),
            "content": _any(TEXT, array(_INPUT_PART)),
        },
        "role content",
    ),
    _kind("function_call", "call_id name arguments", call_id=TEXT, name=TEXT, arguments=TEXT),
    _kind("function_call_output", "call_id output", call_id=TEXT, output=TEXT),
    _kind("reasoning", "summary", summary=array(_kind("summary_text", "text", text=TEXT))),
)
_RESPONSES_FIELDS = {
    "model": MODEL,
    "input": _any(TEXT, array(_INPUT_ITEM)),
    "instructions": TEXT,
    "tools": array(_kind("function", "name", name=one_of("string", minLength=1), parameters=_SCHEMA)),
}

FAMILIES: dict[str, Schema] = {
    "MessagesRequest": record(
        {
            **_MESSAGES_FIELDS,
            "max_tokens": _LIMIT,
            "temperature": _SHARE,
            "top_p": _SHARE,
            "stop_sequences": _STOPS,
            "stream": FLAG,
        },
        "model messages max_tokens",
    ),
    "CountTokensRequest": record(_MESSAGES_FIELDS, "model messages"),
    "GenerateRequest": record(
        {
            "contents": array(_CONTENT, minItems=1),
            "systemInstruction": _PARTS,
            "tools": array(record({"functionDeclarations": array(_function(parametersJsonSchema=_SCHEMA))})),
            "generationConfig": _GENERATION,
        },
        "contents",
    ),
    "CohereChatRequest": record(
        {
            "model": MODEL,
            "messages": array(_COHERE_TURN, minItems=1),
            "tools": array(_kind("function", "function", function=_function(parameters=_SCHEMA))),
            "documents": array(_any(TEXT, record({"data": _OBJECT}, "data"))),
            "response_format": _any(_kind("text"), _kind("json_object", json_schema=_SCHEMA)),
            "max_tokens": _LIMIT,
            "temperature": _SHARE,
            "p": _SHARE,
            "stop_sequences": _STOPS,
            "thinking": _any(_kind("enabled", token_budget=_LIMIT), _kind("disabled")),
            "stream": FLAG,
        },
        "model messages",
    ),
    "ResponsesRequest": record(
        {
            **_RESPONSES_FIELDS,
            "max_output_tokens": _LIMIT,
            "temperature": one_of("number", minimum=0, maximum=2),
            "top_p": _SHARE,
            "stream": FLAG,
        },
        "model input",
    ),
}
_BODIES: dict[str, str] = {
    "messages": "MessagesRequest",
    "messages.count_tokens": "CountTokensRequest",
    "generateContent": "GenerateRequest",
    "cohere.chat": "CohereChatRequest",
    "responses": "ResponsesRequest",
}


def body_of(api: str) -> str:
    """The name of the schema of an API's body: "Document" where only its family's reference describes it."""
    return _BODIES.get(api, "Document")
