"""A caller's request as a conversation. Source: OpenAI's OpenAPI description, `CreateResponse`."""

from __future__ import annotations

import msgspec

from wicket.dialects.hub import Conversation, Format, Reasoning, Setting, unsayable
from wicket.dialects.openai_chat.request_read import EFFORTS
from wicket.dialects.openai_responses.apis import NAME
from wicket.dialects.openai_responses.items_read import read_input
from wicket.dialects.openai_responses.tools_read import read_choice, read_tools
from wicket.dialects.reading import Reading
from wicket.errors import CallerFault
from wicket.routing.deployment import OURS
from wicket.wire.fields import Fields
from wicket.wire.node import Node, kind, wrong_type, wrong_value

LOGPROBS = "message.output_text.logprobs"
ENCRYPTED = "reasoning.encrypted_content"
_TEXTS = {
    "user": (Setting.USER, None),
    "service_tier": (Setting.SERVICE_TIER, "auto"),
    "prompt_cache_key": (Setting.CACHE_KEY, None),
    "prompt_cache_retention": (Setting.CACHE_RETENTION, None),
    "previous_response_id": (Setting.PREVIOUS_ID, None),
    "truncation": (Setting.TRUNCATION, "disabled"),
}
_REPORTED = ("context_management", "prompt_cache_options")
_REFUSED = {
    "conversation": "a conversation is kept at its own provider",
    "prompt": "a stored prompt is kept at its own provider",
    "moderation": "it has no moderation of its own that can be asked for",
}


def read_request(fields: Fields) -> Conversation:
    """The request's meaning. Raises `CallerFault` naming the field."""
    root = Node(fields)
    root.take("model", *OURS)
    conversation = Conversation(
        origin=NAME, turns=[], tools=[], settings={}, names={}, unread=[], extras={}
    )  # fmt: skip
    conversation.is_streamed = root.flag("stream") is True
    conversation.turns = read_input(root, conversation.unread)
    for name, why in _REFUSED.items():
        if root.raw(name) is not None:
            raise unsayable(name, why)
    read = Reading(root, conversation)
    _read_plain(read)
    if not conversation.turns and Setting.PREVIOUS_ID not in conversation.settings:
        raise CallerFault("missing_field", "'input' is required.", param="input")
    _read_tools(read)
    _read_text(read)
    _read_reasoning(read)
    _read_kept(read)
    conversation.extras = root.left()
    return conversation


def _read_plain(read: Reading) -> None:
    root = read.root
    for name, neutral in (("temperature", None), ("top_p", 1.0)):
        value = root.number(name)
        if value is not None and value != neutral:
            read.set(Setting(name), value, name)
    for name in ("max_output_tokens", "max_tool_calls"):
        whole = root.whole(name)
        if whole is not None and whole < 1:
            raise wrong_value(name, "must be at least 1")
        if whole is not None:
            read.set(Setting(name), whole, name)
    for name, (setting, usual) in _TEXTS.items():
        text = root.text(name)
        if text is not None and text != usual:
            read.set(setting, text, name)
    who = root.text("safety_identifier")
    if who is not None:
        if Setting.USER in read.conversation.settings:
            read.conversation.unread.append("safety_identifier")
        else:
            read.set(Setting.USER, who, "safety_identifier")


def _read_tools(read: Reading) -> None:
    conversation = read.conversation
    conversation.tools = read_tools(read.root, conversation.unread)
    choice = read_choice(read.root)
    if choice is not None and (conversation.tools or choice.mode != "none"):
        read.set(Setting.TOOL_CHOICE, choice, "tool_choice")
    if read.root.flag("parallel_tool_calls") is False and conversation.tools:
        read.set(Setting.PARALLEL_TOOLS, False, "parallel_tool_calls")


def _read_text(read: Reading) -> None:
    node = read.root.node("text")
    if node is None:
        return
    verbosity = node.text("verbosity")
    if verbosity is not None:
        read.set(Setting.VERBOSITY, verbosity, "text.verbosity")
    inner = node.node("format")
    if inner is not None:
        found = _format(inner)
        if found is not None:
            read.set(Setting.FORMAT, found, "text.format")
        read.conversation.unread += inner.left_paths()
    read.conversation.unread += node.left_paths()


def _format(node: Node) -> Format | None:
    name = node.needed_text("type")
    if name == "text":
        return None
    if name == "json_object":
        return Format(kind="json_object")
    if name != "json_schema":
        raise wrong_value(node.at("type"), "must be text, json_object or json_schema")
    schema = node.raw("schema")
    if schema is None or kind(schema) != "object":
        raise wrong_type(node.at("schema"), "an object")
    return Format(
        kind="json_schema",
        name=node.needed_text("name"),
        description=node.text("description") or "",
        schema=schema,
        is_strict=node.flag("strict"),
    )


def _read_reasoning(read: Reading) -> None:
    node = read.root.node("reasoning")
    if node is None:
        return
    effort = node.text("effort")
    if effort is not None and effort not in EFFORTS:
        raise wrong_value(node.at("effort"), f"must be one of {', '.join(sorted(EFFORTS))}")
    older = node.text("generate_summary")
    summary = node.text("summary") or older or ""
    wanted = Reasoning(effort=effort, summary=summary, is_shown=True if summary else None)
    if wanted != Reasoning():
        read.set(Setting.REASONING, wanted, "reasoning")
    if node.any("context") == "auto":
        node.take("context")
        left = [path for path in node.left_paths() if not path.endswith(".context")]
    else:
        left = [node.at("context")] if node.raw("context") is not None else []
        left += node.left_paths()
    read.conversation.unread += left


def _read_kept(read: Reading) -> None:
    """What is kept, and what else the answer should hold."""
    root, unread = read.root, read.conversation.unread
    if root.flag("store"):
        read.set(Setting.STORE, True, "store")
    if root.flag("background"):
        read.set(Setting.BACKGROUND, True, "background")
    metadata = root.node("metadata")
    if metadata is not None:
        values = {name: metadata.text(name) or "" for name in metadata.left()}
        if values:
            read.set(Setting.METADATA, values, "metadata")
    include = root.texts("include") or ()
    top = root.whole("top_logprobs")
    if LOGPROBS in include or top:
        read.set(Setting.LOGPROBS, top or 0, "top_logprobs" if top else "include")
    others = tuple([one for one in include if one not in (LOGPROBS, ENCRYPTED)])
    if others:
        read.set(Setting.INCLUDE, others, "include")
    options = root.node("stream_options")
    if options is not None:
        if options.flag("include_obfuscation"):
            unread.append(options.at("include_obfuscation"))
        unread += options.left_paths()
    unread += [name for name in _REPORTED if _is_set(root.raw(name))]


def _is_set(raw: msgspec.Raw | None) -> bool:
    return raw is not None and bytes(raw) not in (b"[]", b"{}")
