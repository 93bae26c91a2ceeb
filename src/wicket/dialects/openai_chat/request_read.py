"""A caller's chat completion as a conversation. Source: OpenAI API reference, "create chat completion"."""

from __future__ import annotations

import msgspec

from wicket.dialects.hub import Conversation, Format, Reasoning, Setting, Tool, ToolChoice
from wicket.dialects.openai_chat.content import ORIGIN
from wicket.dialects.openai_chat.turns_read import read_turns
from wicket.dialects.reading import Reading
from wicket.errors import CallerFault
from wicket.routing.deployment import OURS
from wicket.wire.fields import Fields
from wicket.wire.node import Node, kind, wrong_type, wrong_value

EFFORTS = frozenset({"none", "minimal", "low", "medium", "high", "xhigh", "max"})
_NUMBERS = {
    "temperature": None,
    "top_p": 1.0,
    "min_p": 0.0,
    "frequency_penalty": 0.0,
    "presence_penalty": 0.0,
}
_WHOLES = {"seed": None, "top_k": 0}
_TEXTS = {
    "user": None, "verbosity": None, "service_tier": "auto", "prompt_cache_key": None,
    "prompt_cache_retention": None,
}  # fmt: skip
_SETTINGS = {"prompt_cache_key": Setting.CACHE_KEY, "prompt_cache_retention": Setting.CACHE_RETENTION}


def read_request(fields: Fields) -> Conversation:
    """The request's meaning. Raises `CallerFault` naming the field."""
    root = Node(fields)
    root.take("model", "stream_options", *OURS)
    conversation = Conversation(
        origin=ORIGIN, turns=[], tools=[], settings={}, names={}, unread=[], extras={}
    )
    conversation.is_streamed = root.flag("stream") is True
    messages = root.nodes("messages")
    if not messages:
        raise CallerFault("missing_field", "'messages' is required.", param="messages")
    conversation.turns = read_turns(messages, conversation.unread)
    read = Reading(root, conversation)
    _read_tools(read)
    _read_plain(read)
    _read_limits(read)
    _read_format(read)
    _read_reasoning(read)
    _read_extras_of_openai(read)
    conversation.extras = root.left()
    return conversation


def _read_plain(read: Reading) -> None:
    root = read.root
    for name, neutral in _NUMBERS.items():
        value = root.number(name)
        if value is not None and value != neutral:
            read.set(Setting(name), value, name)
    for name, nothing in _WHOLES.items():
        whole = root.whole(name)
        if whole is not None and (nothing is None or whole > nothing):
            read.set(Setting(name), whole, name)
    for name, usual in _TEXTS.items():
        text = root.text(name)
        if text is not None and text != usual:
            read.set(_SETTINGS.get(name) or Setting(name), text, name)
    who = root.text("safety_identifier")
    if who is not None:
        if Setting.USER in read.conversation.settings:
            read.conversation.unread.append("safety_identifier")
        else:
            read.set(Setting.USER, who, "safety_identifier")


def _read_limits(read: Reading) -> None:
    root = read.root
    limits = {name: root.whole(name) for name in ("max_completion_tokens", "max_tokens")}
    given = {name: value for name, value in limits.items() if value is not None}
    if given:
        name = min(given, key=lambda one: given[one])
        if given[name] < 1:
            raise wrong_value(name, "must be at least 1")
        read.set(Setting.MAX_OUTPUT_TOKENS, given[name], name)
    raw = root.raw("stop")
    if raw is not None:
        stop = (root.needed_text("stop"),) if kind(raw) == "string" else root.texts("stop") or ()
        if stop:
            read.set(Setting.STOP, stop, "stop")
    num_choices = root.whole("n")
    if num_choices is not None and num_choices != 1:
        read.set(Setting.NUM_CHOICES, num_choices, "n")
    top = root.whole("top_logprobs")
    if root.flag("logprobs"):
        read.set(Setting.LOGPROBS, top or 0, "logprobs")
    bias = root.node("logit_bias")
    values = {name: bias.number(name) or 0.0 for name in bias.left()} if bias is not None else {}
    if values:
        read.set(Setting.LOGIT_BIAS, values, "logit_bias")


def _read_format(read: Reading) -> None:
    node = read.root.node("response_format")
    if node is None:
        return
    name = node.needed_text("type")
    if name in ("text", "json_object"):
        if name != "text":
            read.set(Setting.FORMAT, Format(kind="json_object"), "response_format")
        read.conversation.unread += node.left_paths()
        return
    inner = node.node("json_schema")
    if name != "json_schema" or inner is None:
        raise wrong_value(node.at("type"), "must be text, json_object or json_schema")
    schema = inner.raw("schema")
    if schema is not None and kind(schema) != "object":
        raise wrong_type(inner.at("schema"), "an object")
    made = Format(
        kind="json_schema",
        name=inner.text("name") or "",
        description=inner.text("description") or "",
        schema=schema,
        is_strict=inner.flag("strict"),
    )
    read.set(Setting.FORMAT, made, "response_format")
    read.conversation.unread += node.left_paths() + inner.left_paths()


def _read_reasoning(read: Reading) -> None:
    """OpenAI's effort, OpenRouter's object, and the switches of DeepSeek, Z.ai, Moonshot and Qwen."""
    root, name = read.root, "reasoning_effort"
    effort, budget, is_on, is_shown, summary = root.text(name), root.whole("thinking_budget"), None, None, ""
    is_on = root.flag("enable_thinking")
    if is_on is not None or budget is not None:
        name = "enable_thinking" if is_on is not None else "thinking_budget"
    node = root.node("reasoning")
    if node is not None:
        name = "reasoning"
        effort = node.text("effort") or effort
        budget = node.whole("max_tokens") or budget
        is_on, is_hidden = node.flag("enabled"), node.flag("exclude")
        is_shown = None if is_hidden is None else not is_hidden
        summary = node.text("summary") or ""
        read.conversation.unread += node.left_paths()
    node = root.node("thinking")
    if node is not None:
        name = "thinking"
        kind_of = node.text("type")
        is_on = None if kind_of is None else kind_of != "disabled"
        budget = node.whole("budget_tokens") or budget
        read.conversation.unread += node.left_paths()
    is_included, form = root.flag("include_reasoning"), root.text("reasoning_format")  # Groq
    if is_included is not None or form is not None:
        name = name if effort is not None else "include_reasoning" if form is None else "reasoning_format"
        is_shown = is_included is not False and form != "hidden"
    if effort == "default":  # Groq's word for nothing said
        effort = None
    if effort is not None and effort not in EFFORTS:
        path = "reasoning.effort" if name == "reasoning" else "reasoning_effort"
        raise wrong_value(path, f"must be one of {', '.join(sorted(EFFORTS))}")
    wanted = Reasoning(effort=effort, budget_tokens=budget, is_on=is_on, is_shown=is_shown, summary=summary)
    if wanted != Reasoning():
        read.set(Setting.REASONING, wanted, name)


def _read_extras_of_openai(read: Reading) -> None:
    root = read.root
    modalities = root.texts("modalities")
    if modalities is not None and set(modalities) - {"text"}:
        read.set(Setting.MODALITIES, modalities, "modalities")
    audio = root.raw("audio")
    if audio is not None and Setting.MODALITIES in read.conversation.settings:
        read.set(Setting.AUDIO, audio, "audio")
    prediction = root.raw("prediction")
    if prediction is not None:
        read.set(Setting.PREDICTION, prediction, "prediction")
    if root.flag("store"):
        read.set(Setting.STORE, True, "store")
    node = root.node("metadata")
    if node is not None:
        values = {name: node.text(name) or "" for name in node.left()}
        if values:
            read.set(Setting.METADATA, values, "metadata")


def _read_tools(read: Reading) -> None:
    root, tools = read.root, read.conversation.tools
    items = root.items("tools") or []
    for raw, node in zip(items, root.nodes("tools") or (), strict=True):
        name = node.text("type") or "function"  # some clients leave it out
        cache = node.raw("cache_control")
        if name != "function":
            tools.append(Tool(kind=name, raw=raw, cache=cache, path=node.path))
            continue
        inner = node.node("function")
        if inner is None:
            raise wrong_value(node.at("function"), "is required")
        tools.append(_tool(inner, node.path, raw, cache))
        read.conversation.unread += node.left_paths() + inner.left_paths()
    for node in root.nodes("functions") or ():
        tools.append(_tool(node, node.path, None, None))
        read.conversation.unread += node.left_paths()
    search = root.raw("web_search_options")
    if search is not None:
        tools.append(Tool(kind="web_search_options", raw=search, path="web_search_options"))
    _read_choice(read)
    is_parallel = root.flag("parallel_tool_calls")
    if is_parallel is False and tools:
        read.set(Setting.PARALLEL_TOOLS, False, "parallel_tool_calls")


def _tool(node: Node, path: str, raw: msgspec.Raw | None, cache: msgspec.Raw | None) -> Tool:
    schema = node.raw("parameters")
    if schema is not None and kind(schema) != "object":
        raise wrong_type(node.at("parameters"), "an object")
    return Tool(
        name=node.needed_text("name"),
        description=node.text("description") or "",
        schema=schema,
        is_strict=node.flag("strict"),
        raw=raw,
        cache=cache,
        path=path,
    )


def _read_choice(read: Reading) -> None:
    root = read.root
    for name in ("tool_choice", "function_call"):
        raw = root.raw(name)
        if raw is None:
            continue
        choice = _plain_choice(root, name) if kind(raw) == "string" else _choice(root.node(name), name)
        is_usual = choice == ToolChoice("auto") or (
            choice == ToolChoice("none") and not read.conversation.tools
        )
        if not is_usual:
            read.set(Setting.TOOL_CHOICE, choice, name)


def _plain_choice(root: Node, name: str) -> ToolChoice:
    mode = root.needed_text(name)
    if mode == "any":  # Mistral's
        mode = "required"
    if mode not in ("auto", "none", "required"):
        raise wrong_value(name, "must be auto, none, required or an object")
    return ToolChoice(mode)


def _choice(node: Node | None, name: str) -> ToolChoice:
    assert node is not None
    if name == "function_call":
        return ToolChoice("named", (node.needed_text("name"),))
    what = node.needed_text("type")
    if what == "allowed_tools":
        inner = node.node("allowed_tools")
        if inner is None:
            raise wrong_value(node.at("allowed_tools"), "is required")
        names = tuple([_named(tool) for tool in inner.nodes("tools") or ()])
        mode = inner.text("mode") or "auto"
        if mode not in ("auto", "required"):
            raise wrong_value(inner.at("mode"), "must be auto or required")
        return ToolChoice(mode, names)
    return ToolChoice("named", (_named(node),))


def _named(node: Node) -> str:
    what = node.needed_text("type")
    inner = node.node(what)
    if inner is None:
        raise wrong_value(node.at(what), "is required")
    return inner.needed_text("name")
