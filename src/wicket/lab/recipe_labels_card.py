"""The cards of a run for labels: `card.json` and CARD.md for people, `mini.json` for the engine. Pure."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import msgspec

from wicket.minis.answers import AnswerShape
from wicket.minis.card import MiniCard
from wicket.minis.familiarity import Familiarity

if TYPE_CHECKING:
    from wicket.lab.mini_writer import Fitted
    from wicket.lab.recipe_labels import LabelRecipe
    from wicket.lab.recipe_labels_stages import Floored

LIMITS = (
    "it knows its labels only: whatever it is asked, the likeliest of them is what it says",
    "below the floor a chat request is refused; scores of /v1/classify are given whatever they are worth",
    "the floor holds for traffic like validation's, with so many strangers as it says",
    "it was judged on the evaluation data named here, which says nothing of other data",
    "it reads one message by the user and no system prompt",
)


class Place(msgspec.Struct, frozen=True):
    """The run's name, and what it began with."""

    run: str
    base: str
    base_licence: str


def card(recipe: LabelRecipe, report: dict[str, Any], run: str, base_licence: str) -> dict[str, Any]:
    """card.json as JSON values; `report` is the run's report.json."""
    licences = dict.fromkeys(
        [base_licence, *(f"{each.licence} ({name})" for name, each in recipe.sets.items())]
    )
    return {
        "name": recipe.name,
        "run": run,
        "created_ms": time.time_ns() // 1_000_000,
        "description": recipe.description,
        "licence": " and ".join(licences),
        "lineage": {
            "teacher": f"{recipe.teacher.checkpoint}, fine-tuned",
            "teacher_licence": base_licence,
            "data": {name: facts["sha256"] for name, facts in report["data"]["files"].items()},
            "data_licence": ", ".join(f"{name}: {each.licence}" for name, each in recipe.sets.items()),
            "layers": list(recipe.student.layers),
            "seed": recipe.seed,
        },
        "evaluation": {
            "gate_passed": report["gate"]["passed"],
            "kept": report["kept"],
            "floor": report["floor"],
            "quality": recipe.floor.quality,
            "strangers": recipe.floor.strangers,
            "sets": report["sets"],
            "num_parameters": report["fitted"]["num_parameters"],
            "file_bytes": report["fitted"]["bytes"],
            "speed": report["speeds"]["student"],
        },
        "limits": list(LIMITS),
    }


def mini_card(
    place: Place,
    fitted: Fitted,
    floored: Floored,
    shape: AnswerShape,
    learnt: Familiarity,
    card: dict[str, Any],
) -> MiniCard:
    """mini.json; the evaluation and lineage of `card` stand in it too."""
    return MiniCard(
        task=place.run,
        run=place.run,
        created_ms=card["created_ms"],
        engine="label",
        base=place.base,
        licence=card["licence"],
        systems=("",),
        answers=shape,
        max_input_tokens=fitted.max_input_tokens,
        max_output_tokens=fitted.max_output_tokens,
        calibration=floored.calibration,
        familiarity=learnt,
        floor=floored.floor,  # above any confidence where validation shows none
        evaluation=card["evaluation"],
        lineage=card["lineage"],
    )


def text(card: dict[str, Any]) -> str:
    """CARD.md."""
    lineage, found = card["lineage"], card["evaluation"]
    hashes = "".join(f"  - {name}: SHA-256 {digest}\n" for name, digest in lineage["data"].items())
    lines = [line for name, each in found["sets"].items() for line in _of_set(name, each)]
    speed = found["speed"]
    limits = "".join(f"- {limit}\n" for limit in card["limits"])
    return (
        f"# {card['name']}\n\n{card['description'] or 'A classifier made by a recipe.'}\n\n"
        f"Licence: {card['licence']}\n\n## Lineage\n\n- teacher: {lineage['teacher']}\n"
        f"- the student began with its layers {', '.join(map(str, lineage['layers']))}; "
        f"seed {lineage['seed']}\n"
        f"- data ({lineage['data_licence']}):\n{hashes}\n"
        f"## Evaluation\n\nThe gate {'passed' if found['gate_passed'] else 'did not pass'}.\n\n"
        f"{''.join(lines)}- {found['num_parameters']:,} parameters, {found['file_bytes']:,} bytes; "
        f"{speed['cpu_ms_p50']:.1f} ms of processor time a request ({speed['cpu_ms_p99']:.1f} at the 99th "
        f"percentile)\n\n## Limits\n\n{limits}"
    )


def _of_set(name: str, found: dict[str, Any]) -> list[str]:
    student, taken, met = found["student"], found["at_floor"], found["strangers"]
    lines = []
    if student["num"]:
        words = (
            f"{student['share']:.1%} right (95 % interval {student['low']:.1%} to {student['high']:.1%}), "
        )
        words += f"{found['kept']:.3f} of its teacher; at the floor {taken['share']:.1%} answered, "
        lines.append(f"- {name}: {words}{taken['precision']:.1%} of those right\n")
    if met is not None:
        lines.append(f"- {name}: of {met['num']} requests without a label {met['share']:.1%} refused\n")
    return lines
