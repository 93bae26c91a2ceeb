"""`auto` over the real server: the real compact model, a scripted large one behind it, and feedback."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.path.house import HELLO, MINE, SECRET, Answer, Gateway, Provider, rule
from tests.path.served import eventually
from tests.path.test_feedback import document, wicket
from wicket.minis.correction import correction_name, read_correction

pytestmark = pytest.mark.model
LOCAL, LARGE = "compact/smollm2-135m-instruct", "mine/large"
ENGINE = '[server]\nport = 0\n[engines.compact]\nmodel = "smollm2-135m-instruct"\ncontext_tokens = 1024\n'
RULE = '[models.big]\ndeployments = ["mine/large"]\ntimeouts = { connect_s = 2 }\n'
AUTO = '[models.auto]\nquality = 0.3\ncollect = "chat"\n'
FRANCE = "What is the capital of France?"
SUM = "What is 17 + 25?"
TOOL = {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}
HARD: list[dict[str, Any]] = [
    {"text": SUM},
    {"text": FRANCE, "tools": [TOOL]},
    {"text": "Tell me all about it. " * 300},
    {"text": "Warum ist der Himmel am Tag blau und am Abend rot?"},
    {"text": FRANCE, "temperature": 9},
]


def opened(folder: Path, config: str) -> Gateway:
    served = Gateway(folder, config)
    try:
        served.wait_ready()
        eventually(lambda: engine(served)["state"] == "ready", 90)
    except BaseException:
        served.close()
        raise
    return served


def engine(served: Gateway) -> dict[str, Any]:
    [found] = served.admin("GET", "/admin/v1/status")["engines"]
    return dict(found)


@pytest.fixture(scope="module")
def shared(one_provider: Provider, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    url = one_provider.upstream.base_url
    config = ENGINE + MINE.format(url=url, secret=SECRET) + RULE + AUTO
    running = opened(tmp_path_factory.mktemp("auto"), config)
    yield running
    running.close()


@pytest.fixture
def served(shared: Gateway, provider: Provider) -> Iterator[Gateway]:
    provider.script(rule("large", text="From afar."))
    yield shared
    said = shared.heard()
    assert "Traceback" not in said and FRANCE not in said


def ask(served: Gateway, text: str = FRANCE, **fields: Any) -> Answer:
    fields = {"temperature": 0, "max_tokens": 12, **fields}
    return served.chat("auto", messages=[{"role": "user", "content": text}], **fields)


def attempts(served: Gateway, answer: Answer) -> list[tuple[str, str]]:
    record = served.record(answer.headers["x-request-id"])
    return [(attempt["deployment"], attempt["reason"]) for attempt in record["attempts"]]


def test_it_stands_second_and_its_card_says_what_it_asks_for(served: Gateway) -> None:
    listed = served.request("GET", "/v1/models").json["data"]
    assert [card["id"] for card in listed[:2]] == ["mini", "auto"]
    for card in (listed[1], served.request("GET", "/v1/models/auto").json):
        assert (card["quality"], card["deployments"]) == (0.3, [LOCAL, LARGE])
        assert card["engine"]["state"] == "ready" and "prices" not in card and "card" not in card


def test_an_easy_question_stays_here(served: Gateway, provider: Provider) -> None:
    whole, stream = ask(served), ask(served, stream=True)
    assert whole.json["model"] == "smollm2-135m-instruct"
    assert "Paris" in whole.json["choices"][0]["message"]["content"] and "Paris" in stream.text
    assert {chunk["model"] for chunk in stream.chunks} == {"smollm2-135m-instruct"}
    for answer in (whole, stream):
        assert answer.headers["x-wicket-deployment"] == LOCAL
        assert 0.3 <= float(answer.headers["x-wicket-confidence"]) < 1
        assert attempts(served, answer) == [(LOCAL, "ok")]
    assert whole.headers["x-wicket-cost-usd"] == "0" and provider.log == []


@pytest.mark.parametrize("asked", HARD)
@pytest.mark.parametrize("stream", [False, True])
def test_what_it_is_not_good_enough_for_goes_to_the_large_model(
    served: Gateway, asked: dict[str, Any], stream: bool
) -> None:
    answer = ask(served, **asked, stream=stream)
    assert answer.status == 200 and answer.headers["x-wicket-deployment"] == LARGE
    said = answer.text if stream else answer.json["choices"][0]["message"]["content"]
    assert said == "From afar." and "x-wicket-confidence" not in answer.headers
    assert attempts(served, answer) == [(LOCAL, "not_confident"), (LARGE, "ok")]


def test_the_record_shows_who_was_asked_and_why_not(served: Gateway) -> None:
    id = ask(served, SUM).headers["x-request-id"]
    served.record(id)
    shown = wicket(served, "requests", "show", id).stdout.split("\n\n")[1]
    assert "not_confident" in shown and LOCAL in shown and LARGE in shown and "maths" not in shown


def test_a_callers_own_floor_and_a_providers_confidence_count_for_nothing(
    served: Gateway, provider: Provider
) -> None:
    provider.script(rule("large", text="From afar.", headers={"x-wicket-confidence": "0.99"}))
    body = {"model": "auto", "messages": [{"role": "user", "content": SUM}]}
    answer = served.post("/v1/chat/completions", body, x_wicket_floor="0")
    assert answer.headers["x-wicket-deployment"] == LARGE and "x-wicket-confidence" not in answer.headers
    assert "x-wicket-floor" not in {name.lower() for name, _ in provider.last.headers}
    easy = {"model": "mini", "messages": [{"role": "user", "content": SUM}], "max_tokens": 1}
    direct = served.post("/v1/chat/completions", easy, x_wicket_floor="0.9")
    assert direct.status == 200 and "x-wicket-confidence" not in direct.headers


def test_what_can_not_be_judged_never_comes_here(served: Gateway) -> None:
    for path, body in (("embeddings", {"input": "x"}), ("completions", {"prompt": "x", "max_tokens": 1})):
        answer = served.post(f"/v1/{path}", {"model": "auto", **body})
        assert [who for who, _ in attempts(served, answer)] == [LARGE]


def test_a_caller_hears_what_the_large_model_says(served: Gateway, provider: Provider) -> None:
    body = '{"error": {"message": "no such temperature", "code": "bad", "param": "temperature"}}'
    provider.script(rule("large", status=400, body=body))
    refused = ask(served, temperature=9)
    assert (refused.status, refused.error["param"]) == (400, "temperature")
    assert refused.error["message"] == "no such temperature"


def test_a_killed_engine_leaves_everything_to_the_large_model(served: Gateway) -> None:
    os.kill(engine(served)["pid"], signal.SIGKILL)
    for stream in (False, True, False):
        answer = ask(served, stream=stream)
        assert answer.status == 200 and answer.headers["x-wicket-deployment"] == LARGE
        assert [who for who, _ in attempts(served, answer)][-1] == LARGE
    eventually(lambda: ask(served).headers["x-wicket-deployment"] == LOCAL)


def test_a_dead_provider_costs_the_hard_questions_only(tmp_path: Path) -> None:
    served = opened(tmp_path, ENGINE + MINE.format(url="http://127.0.0.1:9/v1", secret=SECRET) + RULE + AUTO)
    try:
        assert "Paris" in ask(served).json["choices"][0]["message"]["content"]
        hard = ask(served, SUM)
        assert hard.status == 502 and hard.error["code"] != "not_confident"
        assert hard.headers["x-wicket-deployment"] == LARGE
        assert attempts(served, hard)[0] == (LOCAL, "not_confident")
    finally:
        served.close()


def test_without_a_provider_it_answers_everything(tmp_path: Path) -> None:
    served = opened(tmp_path, ENGINE)
    try:
        for answer in (ask(served), ask(served, SUM), ask(served, SUM, stream=True)):
            assert answer.status == 200 and answer.headers["x-wicket-deployment"] == LOCAL
            assert "x-wicket-confidence" not in answer.headers
        listed = served.request("GET", "/v1/models").json["data"]
        assert [card["id"] for card in listed[:2]] == ["mini", "auto"] and "quality" not in listed[1]
    finally:
        served.close()


LANDS = (
    "Italy Spain Japan Egypt Peru Chile Cuba Greece Norway Sweden Poland Turkey Kenya India China Iran Iraq "
    "Ghana Mali Nepal"
)
BOOKS = (
    "Hamlet Emma Ulysses Dracula Faust Walden Utopia Candide Beowulf Macbeth Othello Ivanhoe Dune Kim Emile "
    "Germinal Nana Zadig Rebecca Shane"
)


def sure(served: Gateway, text: str) -> float:
    """What the local model says of a question, 0 where it leaves it to the large one."""
    return float(ask(served, text, max_tokens=1).headers.get("x-wicket-confidence", "0"))


def test_what_callers_say_teaches_who_should_answer(served: Gateway) -> None:
    capital, writer = "What is the capital of Portugal?", "Who wrote the book Persuasion?"
    before = {text: sure(served, text) for text in (capital, writer)}
    assert min(before.values()) >= 0.3
    refused = wicket(served, "auto", "learn")
    assert refused.returncode == 1 and "20 are the least" in refused.stderr and not refused.stdout
    said = [(f"What is the capital of {land}?", 1) for land in LANDS.split()]
    said += [(f"Who wrote the book {book}?", 0) for book in BOOKS.split()]
    assert len(said) == 40
    for text, score in said:
        id = ask(served, text, max_tokens=60, stop=["."]).headers["x-request-id"]
        served.record(id)
        assert served.post("/v1/feedback", {"request_id": id, "score": score}).status == 200
    eventually(lambda: _num_scored(served) >= 25)
    learned = document(served, "auto", "learn")
    assert learned["model"] == LOCAL and learned["feedback"] >= 25
    assert learned["brier_after"] < learned["brier_before"]
    file = served.home / "capabilities" / correction_name(LOCAL)
    assert read_correction(file.read_bytes()).num_feedback == learned["feedback"]
    assert [path for path in served.home.iterdir() if path.name.startswith(".auto")] == []
    assert sure(served, capital) > before[capital] + 0.05
    assert sure(served, writer) < before[writer] - 0.05
    assert document(served, "auto", "forget") == {"model": LOCAL, "forgotten": True}
    assert {text: sure(served, text) for text in (capital, writer)} == before
    assert "nothing was learned" in wicket(served, "auto", "forget").stdout


def _num_scored(served: Gateway) -> int:
    [task] = [task for task in served.admin("GET", "/admin/v1/tasks")["data"] if task["task"] == "chat"]
    return int(task["scored"])


def test_the_large_models_answers_teach_nothing_about_the_local_one(served: Gateway) -> None:
    answer = served.chat("auto", messages=[*HELLO, {"role": "assistant", "content": "It."}, HELLO[0]], n=2)
    assert answer.status == 200
    id = ask(served, SUM).headers["x-request-id"]
    served.record(id)
    eventually(lambda: served.post("/v1/feedback", {"request_id": id, "score": 1}).status == 200)
    refused = wicket(served, "auto", "learn", "--model", LARGE)
    assert refused.returncode == 1 and "20 are the least" in refused.stderr
