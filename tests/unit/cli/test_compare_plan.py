"""The order of requests, the most that one can cost, and a budget that threads can't overdraw."""

import json
import threading

from hypothesis import given
from hypothesis import strategies as st

from wicket.cli.compare_files import ANSWERS, AnswerFile, read_answers
from wicket.cli.compare_judges import cosine
from wicket.cli.compare_plan import Budget, Settings, asked_hash, body_of, bound_nanos, errands
from wicket.suites.case import Case, read_cases
from wicket.suites.comparison import Answered


def cases(num: int) -> list[Case]:
    lines = [json.dumps({"prompt": f"p{n}", "expected": "x", "id": f"c{n}"}) for n in range(num)]
    return read_cases("\n".join(lines).encode(), "x")


def test_models_take_turns() -> None:
    found = errands(cases(3), Settings(models=("a", "b", "c"), repeats=2))
    order = [(one.case.id, one.model) for one in found]
    assert order[:6] == [("c0", "a"), ("c0", "b"), ("c0", "c"), ("c1", "b"), ("c1", "c"), ("c1", "a")]
    assert len(set(found_key := [(o.case.id, o.model, o.repeat) for o in found])) == len(found_key) == 18
    firsts = [order[place][1] for place in range(0, 18, 3)]
    assert {model: firsts.count(model) for model in "abc"} == {"a": 2, "b": 2, "c": 2}


def test_a_case_may_say_more_and_a_request_is_known_by_all_of_it() -> None:
    (case,) = read_cases(b'{"prompt": "p", "expected": "x", "request": {"max_tokens": 9, "top_p": 0.5}}', "x")
    settings = Settings(models=("a",))
    body = body_of(case, settings)
    assert (body["max_tokens"], body["top_p"], body["temperature"]) == (9, 0.5, 0.0)
    assert "temperature" not in body_of(case, Settings(models=("a",), temperature=None))
    assert (
        asked_hash(body) == asked_hash(dict(reversed(body.items()))) != asked_hash({**body, "temperature": 1})
    )


def test_the_bound_is_above_what_it_can_cost() -> None:
    prices = [
        {"input": 1.0, "output": 4.0},
        {"input": 2.0, "output": 1.0, "request": 0.001, "cache_write": 3.0},
    ]
    body = {"messages": [{"role": "user", "content": "x" * 1_000}], "max_tokens": 500}
    bound = bound_nanos(prices, body)
    assert bound >= (1_000 * 3.0 + 500 * 1.0) * 1_000 + 1_000_000
    assert bound_nanos([], body) == 0 and bound_nanos(prices, {**body, "max_tokens": 50_000}) > bound


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(0, 50)), max_size=40), st.integers(0, 200))
def test_a_budget_is_never_overdrawn(requests: list[tuple[int, int]], most: int) -> None:
    """Each request holds a bound and costs at most that."""
    budget = Budget(most)
    for bound, share in requests:
        if budget.hold(bound):
            budget.settle(bound, min(bound, share))
    assert budget.spent_nanos <= most


def test_threads_wait_for_money_that_comes_back() -> None:
    budget = Budget(100)
    assert budget.hold(80)
    found: list[bool] = []
    thread = threading.Thread(target=lambda: found.append(budget.hold(50)))
    thread.start()
    budget.settle(80, 10)  # it cost less than feared: there is room now
    thread.join(30)
    assert found == [True] and not budget.hold(91)
    budget.settle(50, 50)
    assert budget.spent_nanos == 60 and budget.hold(40) and not Budget(0).hold(1) and Budget(0).hold(0)


def answered(case: str, **fields: object) -> Answered:
    return Answered(case=case, asked="h", model="m", **fields)  # type: ignore[arg-type]


def test_answers_survive_a_cut_line(tmp_path) -> None:  # type: ignore[no-untyped-def]
    folder = tmp_path / "deep" / "out"
    file = AnswerFile(folder)
    file.add(answered("a", text="one", cost_nanos=5))
    file.add(answered("b", error="timeout"))
    file.close()
    path = folder / ANSWERS
    assert path.stat().st_mode & 0o077 == 0
    path.write_bytes(path.read_bytes() + b'{"case": "c", "asked"')  # killed while it wrote
    file = AnswerFile(folder)
    assert [one.case for one in file.answers] == ["a", "b"]
    file.add(answered("c"))
    file.add(answered("a", text="two"))
    file.close()
    again = read_answers(path.read_bytes())
    assert sorted((one.case, one.text) for one in again) == [("a", "two"), ("b", ""), ("c", "")]
    assert AnswerFile(None).answers == []


def test_cosine() -> None:
    assert cosine([1, 0], [2, 0]) == 1 and cosine([1, 0], [0, 3]) == 0 and cosine([0, 0], [1, 1]) == 0
