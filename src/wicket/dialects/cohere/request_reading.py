"""A caller's request to /v2/chat as a conversation. Source: Cohere API reference, POST /v2/chat."""

from __future__ import annotations

from wicket.dialects.cohere.answers import ORIGIN
from wicket.dialects.cohere.turn_reading import read_documents, read_turns
from wicket.dialects.hub import Conversation, Format, Reasoning, Setting, Tool, ToolChoice, Turn
from wicket.dialects.reading import Reading
from wicket.errors import CallerFault
from wicket.routing.deployment import OURS
from wicket.wire.fields import Fields
from wicket.wire.node import Node, kind, wrong_type, wrong_value

_NUMBERS = {
    "temperature": (Setting.TEMPERATURE, None),
    "p": (Setting.TOP_P, None),
    "frequency_penalty": (Setting.FREQUENCY_PENALTY, 0.0),
    "presence_penalty": (Setting.PRESENCE_PENALTY, 0.0),
}
_WHOLES = {"seed": (Setting.SEED, None), "k": (Setting.TOP_K, 0)}
_CHOICES = {"REQUIRED": "required", "NONE": "none"}
_LOOSE = frozenset({"CONTEXTUAL", "OFF", "NONE"})  # safety modes that forbid nothing of what others allow


def read_request(fields: Fields) -> Conversation:
    """The request's meaning. Raises `CallerFault` naming the field."""
    root = Node(fields)
    root.take("model", *OURS)
    conversation = Conversation(
        origin=ORIGIN, turns=[], tools=[], settings={}, names={}, unread=[], extras={}
    )
    conversation.is_streamed = root.flag("stream") is True
    messages = root.nodes("messages")
    if not messages:
        raise CallerFault("missing_field", "'messages' is required.", param="messages")
    conversation.turns = read_turns(messages, conversation.unread)
    _add_documents(root, conversation)
    read = Reading(root, conversation)
    _read_tools(read)
    _read_plain(read)
    _read_format(read)
    _read_thinking(read)
    _read_own(read)
    conversation.extras = root.left()
    return conversation


def _add_documents(root: Node, conversation: Conversation) -> None:
    """In front of what the user said last: there is no other place that every family has."""
    documents = read_documents(root, conversation.unread)
    if not documents:
        return
    users = [turn for turn in conversation.turns if turn.role == "user"]
    if users:
        users[-1].parts[:0] = documents
    else:
        conversation.turns.append(Turn(role="user", parts=documents, path="documents"))


def _read_tools(read: Reading) -> None:
    root, tools = read.root, read.conversation.tools
    is_strict = root.flag("strict_tools")
    items = root.items("tools") or ()
    for raw, node in zip(items, root.nodes("tools") or (), strict=True):
        what = node.text("type") or "function"
        if what != "function":
            tools.append(Tool(kind=what, raw=raw, path=node.path))
            continue
        function = node.node("function")
        if function is None:
            raise wrong_value(node.at("function"), "is required")
        schema = function.raw("parameters")
        if schema is not None and kind(schema) != "object":
            raise wrong_type(function.at("parameters"), "an object")
        name, description = function.needed_text("name"), function.text("description") or ""
        tool = Tool(name=name, description=description, schema=schema, is_strict=is_strict, path=node.path)
        tools.append(tool)
        read.conversation.unread += node.left_paths() + function.left_paths()
    choice = root.text("tool_choice")
    if choice is None:
        return
    if choice not in _CHOICES:
        raise wrong_value("tool_choice", "must be REQUIRED or NONE")
    if tools or choice == "REQUIRED":
        read.set(Setting.TOOL_CHOICE, ToolChoice(_CHOICES[choice]), "tool_choice")


def _read_plain(read: Reading) -> None:
    root = read.root
    for name, (setting, neutral) in _NUMBERS.items():
        value = root.number(name)
        if value is not None and value != neutral:
            read.set(setting, value, name)
    for name, (setting, nothing) in _WHOLES.items():
        whole = root.whole(name)
        if whole is not None and (nothing is None or whole > nothing):
            read.set(setting, whole, name)
    limit = root.whole("max_tokens")
    if limit is not None:
        if limit < 1:
            raise wrong_value("max_tokens", "must be at least 1")
        read.set(Setting.MAX_OUTPUT_TOKENS, limit, "max_tokens")
    stop = root.texts("stop_sequences")
    if stop:
        read.set(Setting.STOP, stop, "stop_sequences")


def _read_format(read: Reading) -> None:
    node = read.root.node("response_format")
    if node is None:
        return
    what = node.needed_text("type")
    if what not in ("text", "json_object"):
        raise wrong_value(node.at("type"), "must be text or json_object")
    schema = node.raw("json_schema")
    if schema is not None and kind(schema) != "object":
        raise wrong_type(node.at("json_schema"), "an object")
    if what == "json_object":
        made = Format(kind="json_object" if schema is None else "json_schema", schema=schema)
        read.set(Setting.FORMAT, made, "response_format")
    read.conversation.unread += node.left_paths()


def _read_thinking(read: Reading) -> None:
    """Cohere shows what was thought; others are asked to."""
    node = read.root.node("thinking")
    if node is None:
        return
    what, budget = node.needed_text("type"), node.whole("token_budget")
    if what not in ("enabled", "disabled"):
        raise wrong_value(node.at("type"), "must be enabled or disabled")
    if budget is not None and budget < 1:
        raise wrong_value(node.at("token_budget"), "must be at least 1")
    is_on = what == "enabled"
    made = Reasoning(is_on=is_on, budget_tokens=budget if is_on else None, is_shown=True if is_on else None)
    read.set(Setting.REASONING, made, "thinking")
    read.conversation.unread += node.left_paths()


def _read_own(read: Reading) -> None:
    """What Cohere alone understands. Its log-probabilities have tokens' numbers, which no one else tells."""
    root = read.root
    if root.flag("logprobs"):
        read.keep(Setting.OWN, "logprobs")
    mode = root.text("safety_mode")
    if mode is not None:
        read.keep(Setting.OWN_HINTS if mode in _LOOSE else Setting.OWN, "safety_mode")
    for name in ("citation_options", "priority"):
        read.keep(Setting.OWN_HINTS, name)
