"""A real gateway with a cascade: a mini that a stand-in plays, and a scripted large model behind it."""

import json
from pathlib import Path
from typing import Any

import msgspec

from tests.path.house import SECRET, Answer, Gateway, Provider, rule
from wicket.minis.answers import AnswerShape
from wicket.minis.card import FILE_NAME, FOLDER, MiniCard
from wicket.minis.confidence import Calibration, Point
from wicket.minis.familiarity import Familiarity
from wicket.upstream.scripted_script import Rule

ROME = '{"city": "rome"}'
PARIS = '{"city": "paris"}'
# 0.97 is the lowest confidence whose precision is at least 0.95 by Wilson's lower end; for 0.975 it is 0.99
POINTS = [Point(0.99, 200, 200), Point(0.97, 400, 392), Point(0.5, 900, 600)]
CONFIG = """
[server]
port = 0
workers = {workers}
[providers.mine]
base_url = "{url}"
api_key = "{secret}"
prices.large = {{ input = 3.0, output = 15.0 }}
prices.plain = {{ input = 0.5, output = 1.5 }}
[models.extract]
deployments = ["mini:slots", "mine/large"]
policy = "cascade"
timeouts = {{ mini_s = {mini_s}, first_token_s = 30 }}
{terms}
[models.alone]
deployments = ["mini:slots"]
"""


class Cascaded(Gateway):
    """`minis` are runs that lie there before the start, the last one in force."""

    engine_module = "tests.path.mini_stand_in"

    def __init__(
        self,
        folder: Path,
        provider: Provider,
        terms: str = "quality = 0.95",
        workers: int = 1,
        run: str = "r1",
        mini_s: float = 25,
    ) -> None:
        config = CONFIG.format(
            url=provider.upstream.base_url, secret=SECRET, terms=terms, workers=workers, mini_s=mini_s
        )
        self.minis = folder / "home" / FOLDER
        if run:
            self.promote(run)
        super().__init__(folder, config)

    def promote(self, run: str, says: str = ROME, card: bytes = b"", points: list[Point] = POINTS) -> None:
        """What a training that passes its gate leaves, and the step that puts it in force."""
        folder = self.minis / "slots" / run
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "says.txt").write_text(says)
        (folder / FILE_NAME).write_bytes(card or made_card(run, points))
        draft = self.minis / "slots" / "current.new"
        draft.write_text(f"{run}\n")
        draft.replace(self.minis / "slots" / "current")

    def ask(self, text: str = "a table in rome", model: str = "extract", **fields: Any) -> Answer:
        return self.post(
            "/v1/chat/completions",
            {"model": model, "messages": [{"role": "user", "content": text}], **fields},
        )

    def cascade(self) -> dict[str, Any]:
        """What `wicket status` says of the cascade."""
        [found] = [c for c in self.admin("GET", "/admin/v1/status")["cascades"] if c["route"] == "extract"]
        return dict(found)

    def mini(self) -> dict[str, Any]:
        """What it says of the mini's engine, {} if there is none."""
        found = self.admin("GET", "/admin/v1/status")["engines"]
        return dict(found[0]) if found else {}


def made_card(run: str, points: list[Point] = POINTS) -> bytes:
    card = MiniCard(
        task="slots",
        run=run,
        created_ms=1,
        base="scripted",
        licence="Apache-2.0",
        systems=("",),
        answers=AnswerShape("json", {"city": ["string"]}, (), 40),
        max_input_tokens=100,
        max_output_tokens=50,
        calibration=Calibration(num_validated=1000, points=points),
        familiarity=Familiarity(),
    )
    return msgspec.json.encode(card)


def says(content: str, tokens: int = 6, **when: Any) -> Rule:
    """The large model's answer."""
    body = {
        "id": "c",
        "object": "chat.completion",
        "created": 1,
        "model": "large-0301",
        "choices": [
            {"index": 0, "message": {"role": "assistant", "content": content}, "finish_reason": "stop"}
        ],
        "usage": {"prompt_tokens": 20, "completion_tokens": tokens, "total_tokens": 20 + tokens},
    }
    return rule("large", when=when, body=json.dumps(body), headers={"content-type": "application/json"})
