"""The dialects held against the project's recordings, and what the report says of a bad one."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from wicket.recordings.apis import place_of
from wicket.recordings.conformance import Conformance, ProviderReport, totals
from wicket.recordings.folder import Folder
from wicket.recordings.hosts import provider_of
from wicket.recordings.reader import reader

CASSETTES = Path(__file__).parents[2] / "data" / "cassettes"
# What one provider says and no other family has a word for: lost when translated, kept when passed through.
OF_ONE_FAMILY = {
    "answer: candidates[].content.parts[].thoughtSignature",  # on plain text; on calls it is carried
    "answer: choices[].message.audio",
    "answer: choices[].message.extra_content",
    "answer: choices[].message.thought_signature",
    "answer: choices[].seed",
    "answer: content_filters",
    "answer: context_management",
    "answer: prompt_filter_results",
    "answer: request_id",
    "answer: time_info",
    "answer: trace",  # what a guardrail saw; nobody but a caller of Converse can ask for it
    "answer: usage_breakdown",
    "request: reasoning.context",
    "request: thinking.clear_thinking",
    "request: tools[].defer_loading",
}
CHAT = "https://api.openai.com/v1/chat/completions"


@pytest.fixture(scope="module")
def reports() -> dict[str, ProviderReport]:
    return Conformance(Folder(CASSETTES), seed=7).run()


def test_every_provider_s_recordings_are_counted(reports: dict[str, ProviderReport]) -> None:
    assert len(reports) >= 16 and totals(reports)["interactions"] > totals(reports)["recordings"]
    assert totals(reports)["recordings"] == len(Folder(CASSETTES).files)


def test_nothing_fails_and_nothing_is_lost(reports: dict[str, ProviderReport]) -> None:
    assert [failure for report in reports.values() for failure in report.failures] == []
    lost = {path for report in reports.values() for path in report.lost_fields}
    assert lost - OF_ONE_FAMILY == set()


@pytest.mark.parametrize(
    "name", ["groq", "mistral", "openrouter", "huggingface", "cerebras", "zai", "ollama"]
)
def test_openai_like_providers_are_read_whole(name: str, reports: dict[str, ProviderReport]) -> None:
    report = reports[name]
    assert report.parsed == report.recordings and not report.no_reader
    assert report.translated["openai_chat"] >= report.recordings - 1


def test_bedrock_and_cohere_are_read_in_their_own_dialects(reports: dict[str, ProviderReport]) -> None:
    for name, dialect in (("bedrock", "bedrock_converse"), ("cohere", "cohere")):
        assert dialect not in reports[name].no_reader
        assert reports[name].translated["openai_chat"] == reports[name].translated["gemini"] > 0
    assert reports["bedrock"].errors["model_not_found"] >= 1 and reports["bedrock"].streams >= 4


def test_errors_are_judged_by_name(reports: dict[str, ProviderReport]) -> None:
    assert reports["openrouter"].errors["rate_limit_exceeded"] == 3
    assert sum(reports["openai"].errors.values()) >= 2


def test_what_providers_add_is_shown(reports: dict[str, ProviderReport]) -> None:
    assert "choices[].message.reasoning_content" in reports["deepseek"].kept_raw
    assert "choices[].message.reasoning" in reports["openrouter"].kept_raw


SAID = {"role": "assistant", "content": "x"}


def run(folder: Path, response: dict[str, Any], url: str = CHAT) -> ProviderReport:
    known = {"method": "POST", "url": url, "headers": {}, "body": {"model": "m"}}
    document = {"request": known, "response": {"status": 200, "headers": {}, **response}}
    (folder / "a.json").write_text(json.dumps(document))
    [report] = Conformance(Folder(folder)).run().values()
    return report


@pytest.mark.parametrize(
    ("response", "what"),
    [
        ({"body": {"no": "choices"}}, "no choices"),
        ({"body_text": "<html>"}, "not what it promised"),
        (
            {"body_text": "data: nope\n\n", "headers": {"content-type": "text/event-stream"}},
            "not (a chunk|JSON)",
        ),
        (
            {
                "body": {
                    "choices": [{"message": SAID, "finish_reason": "stop"}],
                    "usage": {"completion_tokens": -1},
                }
            },
            "usage was reported but not read",
        ),
    ],
)
def test_a_bad_answer_is_a_failure(tmp_path: Path, response: dict[str, Any], what: str) -> None:
    report = run(tmp_path, response)
    assert report.parsed == 0 and [bool(re.search(what, failure.what)) for failure in report.failures] == [
        True
    ]


def test_a_stream_without_an_end_is_told_apart(tmp_path: Path) -> None:
    frame = json.dumps({"choices": [{"index": 0, "delta": {"content": "süß"}}]})
    report = run(
        tmp_path, {"body_text": f"data: {frame}\n\n", "headers": {"content-type": "text/event-stream"}}
    )
    assert report.streams == 1 and report.incomplete == ["a.json#0"] and report.failures == []


def test_an_unreadable_file_is_a_failure(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("a: [")
    [(name, report)] = Conformance(Folder(tmp_path)).run().items()
    assert name == "unknown" and report.recordings == 1 and "can't be read" in report.failures[0].what


def test_other_traffic_passes_with_a_look_at_its_form(tmp_path: Path) -> None:
    headers = {"content-type": "application/json"}
    url = "https://api.openai.com/v1/files"
    assert run(tmp_path, {"body": {"id": "file"}, "headers": headers}, url).passed == 1
    assert run(tmp_path, {"body_text": "{", "headers": headers}, url).failures


BEDROCK = "https://bedrock-runtime.us-east-1.amazonaws.com/model/us.a%3A0"
VERTEX = "https://us-central1-aiplatform.googleapis.com/v1/projects/p/models"


@pytest.mark.parametrize(
    ("url", "provider", "dialect"),
    [
        (CHAT, "openai", "openai_chat"),
        ("https://x.openai.azure.com/openai/deployments/d/chat/completions", "azure_openai", "openai_chat"),
        ("https://api.deepseek.com/responses", "deepseek", "openai_responses"),
        ("https://api.anthropic.com/v1/messages?beta=true", "anthropic", "anthropic_messages"),
        ("https://generativelanguage.googleapis.com/v1beta/models/g:generateContent", "gemini", "gemini"),
        (f"{VERTEX}/g:streamGenerateContent?alt=sse", "vertex_gemini", "gemini"),
        (f"{BEDROCK}/converse-stream", "bedrock", "bedrock_converse"),
        ("https://api.cohere.com/v2/chat", "cohere", "cohere"),
        ("http://localhost:11434/api/chat", "ollama", "ollama"),
        ("https://api.anthropic.com/v1/messages/count_tokens", "anthropic", None),
        ("https://elsewhere.example/v1/chat/completions", "elsewhere.example", None),
    ],
)
def test_place_and_provider_by_url(url: str, provider: str, dialect: str | None, tmp_path: Path) -> None:
    document = {"request": {"method": "POST", "url": url}, "response": {"status": 200}}
    (tmp_path / "a.json").write_text(json.dumps(document))
    [recording] = Folder(tmp_path).read("a.json")
    place = place_of(recording)
    assert recording.provider == provider_of(url) == provider
    assert (place.dialect if place else None) == dialect


def test_a_dialect_that_is_not_there_has_no_reader() -> None:
    assert reader("nobody_speaks_it") is None and reader("openai_chat") is not None
