"""A recipe whose teacher is behind an address: its failures, its budget, its key."""

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("torch")
pytestmark = pytest.mark.lab

from tests.lab import small_recipe, tiny_task  # noqa: E402
from tests.path.house import Provider, rule  # noqa: E402

from wicket.errors import ConfigFault, OperatorFault  # noqa: E402
from wicket.lab.recipe import Resolved, read_recipe  # noqa: E402
from wicket.lab.recipe_asking import ANSWERS  # noqa: E402
from wicket.lab.recipe_run import make  # noqa: E402
from wicket.lab.recipe_stages import Bench, answers_stage  # noqa: E402

KEY = "sk-teacher-5eda1c"
NUM, NUM_JUDGED = 30, 4
PAIRS = tiny_task.requests(NUM + NUM_JUDGED, seed=5)
TEXT = """name = "told"
[data]
train = "train.jsonl"
evaluate = "test.jsonl"
learn = "all"
length = 64
rows = 4
calibration_batches = 1
[vocabulary]
train = 280
[teacher]
url = "{url}"
model = "large"
key_env = "TEACHER_KEY"
max_all_tokens = 100_000
wait_s = 0.005
concurrency = 4
[student]
shape = {{ layers = 1, hidden = 32, heads = 2, ffn = 32, context = 128 }}
[[steps]]
technique = "learn_tokens"
pace = {{ steps = 2, rate = 2e-3, warm_up = 1 }}
[[steps]]
technique = "train_on_grid"
scheme = "q8_0"
pace = {{ steps = 1, rate = 2e-3, warm_up = 1 }}
[evaluate]
samples = 4
batches = 1
max_tokens = 4
"""
HALF = [  # of four calls two fail
    rule(when={"every_nth": 4}, error="server_error"),
    rule(when={"every_nth": 4}, reset=True),
]


@pytest.fixture(scope="module")
def provider() -> Iterator[Provider]:
    with Provider() as provider:
        yield provider


@pytest.fixture(autouse=True)
def _key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEACHER_KEY", KEY)


def told(text: str) -> str:
    """What this teacher says: other than the file."""
    return json.dumps({"did": text.split()[0]})


def recipe(provider: Provider, folder: Path, *overrides: str) -> Resolved:
    folder.mkdir(exist_ok=True)
    asked = [{"messages": [{"role": "user", "content": text}]} for text, _ in PAIRS[:NUM]]
    (folder / "train.jsonl").write_text("".join(json.dumps(line) + "\n" for line in asked))
    tiny_task.write_log(folder / "test.jsonl", PAIRS[NUM:])
    (folder / "told.toml").write_text(TEXT.format(url=provider.upstream.base_url))
    return read_recipe(folder / "told.toml", overrides)


ANSWERED = {text: told(text) for text, _ in PAIRS[:NUM]} | dict(PAIRS[NUM : NUM + 2])


def everything(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())


def test_a_student_learns_what_a_teacher_that_fails_half_the_time_says(
    provider: Provider, tmp_path: Path
) -> None:
    provider.script(*HALF, answers=ANSWERED)
    resolved = recipe(provider, tmp_path / "recipe")
    make(resolved, tmp_path / "run", tmp_path)
    found = small_recipe.report(tmp_path / "run")
    asking = found["teacher"]["asking"]
    assert (asking["num_asked"], asking["num_answered"]) == (NUM, NUM) and asking["num_failed_calls"] > 9
    assert found["teacher"]["source"] == "large at 127.0.0.1" and len(asking["sha256"]) == 64
    assert [made["name"] for made in found["models"]] == ["student", "1-learn_tokens", "2-train_on_grid"]
    teacher = found["evaluated"]["teacher"]
    assert teacher["exact"] == 0.5 and teacher["figures"] is None and teacher["num"] == NUM_JUDGED
    assert found["models"][-1]["size"]["exported"]["kl"] is None
    assert {seen.key_sha256 for seen in provider.log} == {hashlib.sha256(KEY.encode()).hexdigest()}
    assert KEY.encode() not in everything(tmp_path / "run")
    page = (tmp_path / "run" / "report.html").read_text()
    assert "large at 127.0.0.1 answered 30 of 30 requests" in page
    provider.script(answers=ANSWERED)
    make(resolved, tmp_path / "run", tmp_path)
    assert not provider.log, "nothing is asked twice"


def bench(resolved: Resolved, folder: Path) -> Bench:
    folder.mkdir(exist_ok=True)
    return Bench(resolved, folder, folder)


def test_what_is_learned_are_the_answers_in_the_requests_order_after_their_curation(
    provider: Provider, tmp_path: Path
) -> None:
    refused = PAIRS[3][0]
    provider.script(answers=ANSWERED | {refused: "I'm sorry, but I can't help with that."})
    resolved = recipe(provider, tmp_path / "recipe", "teacher.steps=['refusals']")
    found = bench(resolved, tmp_path / "run")
    asking = answers_stage(found)
    learned = [(sample.text, sample.answer) for sample in found.texts.train]
    assert learned == [(text, told(text)) for text, _ in PAIRS[:NUM] if text != refused]
    assert asking.curation is not None and asking.curation.steps[0].reasons == {"refuses": 1}
    again = bench(resolved, tmp_path / "run")
    assert again.told[1] == asking.sha256


def test_one_that_fails_for_good_is_named_and_its_answers_are_kept(
    provider: Provider, tmp_path: Path
) -> None:
    refusing = rule(when={"contains": PAIRS[0][0]}, error="content_policy")
    provider.script(refusing, answers=ANSWERED)
    asking = answers_stage(bench(recipe(provider, tmp_path / "recipe"), tmp_path / "few"))
    assert asking.failures == {"status_400": 1} and asking.num_answered == NUM - 1
    down = [rule(when={"contains": text}, error="server_error") for text, _ in PAIRS[: NUM // 2]]
    provider.script(*down, answers=ANSWERED)
    resolved = recipe(provider, tmp_path / "recipe", "teacher.attempts=2")
    with pytest.raises(OperatorFault, match=r"large answered 15 of 30 requests: .*status 500.* is kept"):
        answers_stage(bench(resolved, tmp_path / "half"))
    provider.script(answers=ANSWERED)
    assert answers_stage(bench(resolved, tmp_path / "half")).num_answered == NUM
    assert len(provider.log) == NUM // 2
    tight = recipe(provider, tmp_path / "recipe", "teacher.max_all_tokens=450")
    with pytest.raises(OperatorFault, match="budget does not allow another call"):
        answers_stage(bench(tight, tmp_path / "tight"))


def test_a_wrong_key_that_the_teacher_repeats_is_written_nowhere(provider: Provider, tmp_path: Path) -> None:
    echo = json.dumps({"error": {"message": f"Incorrect API key provided: {KEY}."}})
    provider.script(rule(status=401, body=echo))
    resolved = recipe(provider, tmp_path / "recipe")
    with pytest.raises(Exception, match=r"Incorrect API key provided: \[key\]\.") as caught:
        answers_stage(bench(resolved, tmp_path / "run"))
    assert KEY not in str(caught.value) and KEY.encode() not in everything(tmp_path / "run")
    assert (tmp_path / "run" / ANSWERS).read_bytes() == b""


@pytest.mark.parametrize(
    ("override", "told"),
    [
        ("teacher.url='https://me:secret@host/v1'", "teacher.url: an address holds no key"),
        ("teacher.url='ftp://host'", "teacher.url: expected an address such as"),
        ("teacher.max_usd=1.0", "teacher.max_usd: needs price"),
        ("teacher.samples=2", "teacher.samples: several answers need a temperature"),
        ("teacher.pace.steps=2", "teacher.pace: what is behind a url is not trained"),
        ("teacher.steps=['nothing']", "teacher.steps[0]: There is no step 'nothing'"),
        ("steps.0.technique='distil'", "steps[0].technique: distil needs logits"),
        ("gate.max_bytes=0.5", "gate.max_bytes: compares weights"),
        ("data.form='text'", "data.form: a teacher by its url answers requests"),
    ],
)
def test_what_an_address_can_not_give_is_told_before_it_starts(
    provider: Provider, tmp_path: Path, override: str, told: str
) -> None:
    with pytest.raises(ConfigFault) as caught:
        recipe(provider, tmp_path / "recipe", override)
    assert told in caught.value.message and "secret" not in caught.value.message
