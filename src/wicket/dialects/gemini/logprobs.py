"""Log-probabilities: Gemini's `logprobsResult` and OpenAI's list of tokens, each made of the other."""

from __future__ import annotations

from typing import Any

import msgspec

from wicket.dialects.gemini import objects
from wicket.wire import json


class _Token(msgspec.Struct, rename="camel"):
    token: str = ""
    log_probability: float = 0.0


class _Top(msgspec.Struct, rename="camel"):
    candidates: list[_Token] = []


class _Result(msgspec.Struct, rename="camel"):
    chosen_candidates: list[_Token] = []
    top_candidates: list[_Top] = []


def read_logprobs(raw: msgspec.Raw) -> msgspec.Raw | None:
    """OpenAI's `content` list; None where nothing is told. `bytes` is null: Gemini does not tell them."""
    result = json.decode(raw, type=_Result)
    if not result.chosen_candidates:
        return None
    entries = []
    for i, chosen in enumerate(result.chosen_candidates):
        top = result.top_candidates[i].candidates if i < len(result.top_candidates) else []
        entries.append({**_entry(chosen), "top_logprobs": [_entry(one) for one in top]})
    return objects.packed(entries)


def _entry(token: _Token) -> dict[str, Any]:
    return {"token": token.token, "logprob": token.log_probability, "bytes": None}


class _Entry(msgspec.Struct):
    token: str = ""
    logprob: float = 0.0
    top_logprobs: list[_Entry] | None = None


class _Told(msgspec.Struct):
    content: list[_Entry] | None = None


def write_logprobs(raw: msgspec.Raw | None) -> dict[str, Any] | None:
    """`logprobsResult` of OpenAI's `{"content": […]}`, or of its list alone."""
    if raw is None:
        return None
    try:
        is_list = bytes(raw)[:1] == b"["
        entries = json.decode(raw, type=list[_Entry]) if is_list else json.decode(raw, type=_Told).content
    except msgspec.DecodeError:
        return None
    if not entries:
        return None
    result: dict[str, Any] = {"chosenCandidates": [_token(one) for one in entries]}
    if any(one.top_logprobs for one in entries):
        tops = [[_token(top) for top in one.top_logprobs or ()] for one in entries]
        result["topCandidates"] = [{"candidates": top} for top in tops]
    return result


def _token(entry: _Entry) -> dict[str, Any]:
    return {"token": entry.token, "logProbability": entry.logprob}
