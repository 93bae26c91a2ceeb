"""A run's model card: where the model comes from, what it can do, what it can't. Pure."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from wicket.lab.measures import SAID

if TYPE_CHECKING:
    from wicket.lab.recipe_form import Recipe

LIMITS = (
    "it knows its task and little else: other requests get an answer that looks right and is not",
    "it was judged on the evaluation data named here, which says nothing of other data",
)


def card(recipe: Recipe, report: dict[str, Any], run: str) -> dict[str, Any]:
    """The card as JSON values; `report` is the run's report.json."""
    teacher = report["teacher"]
    licences = dict.fromkeys(one for one in (teacher["licence"], recipe.data.licence) if one)
    student = report["evaluated"]["student"]
    limits = list(LIMITS)
    if recipe.data.form == "chat":
        limits.append("it reads one message by the user; system prompts are not shown to it")
    limits.append(f"at most {recipe.data.length} tokens of request and answer were taught")
    return {
        "name": recipe.name,
        "run": run,
        "created_ms": time.time_ns() // 1_000_000,
        "description": recipe.description,
        "licence": " and ".join(licences) or "unknown",
        "temperature": 0.0 if recipe.data.form == "chat" else 1.0,  # as it was judged
        "lineage": {
            "teacher": teacher["source"],
            "teacher_licence": teacher["licence"] or "that of the data",
            "data": {part: facts["sha256"] for part, facts in report["data"]["files"].items()},
            "data_licence": recipe.data.licence,
            "steps": [step["technique"] for step in report["steps"]],
            "scheme": report["exported"]["scheme"],
            "seed": recipe.seed,
        },
        "evaluation": {
            "gate_passed": report["gate"]["passed"],
            "kept": report["kept"],
            "worth": {name: each["student"] for name, each in report["evaluated"]["worth"].items()},
            "exact": student["exact"],
            "exact_interval": student["exact_interval"],
            "perplexity": report["perplexity"]["student"],
            "kl": student["likeness"]["kl"],
            "same_top": student["likeness"]["same_top"],
            "decode_speed": student["figures"]["decode_speed"],
            "file_bytes": student["figures"]["file_bytes"],
        },
        "limits": limits,
    }


def text(card: dict[str, Any]) -> str:
    """CARD.md."""
    lineage, found = card["lineage"], card["evaluation"]
    exact = ""
    if found["exact"] is not None:
        low, high = found["exact_interval"]
        exact = f"- exact answers: {found['exact']:.1%} (95 % interval {low:.1%} to {high:.1%})\n"
    measured = [(name, score) for name, score in found["worth"].items() if name != "exact"]
    scores = "".join(f"- {name}: {score:.3f} ({SAID[name]})\n" for name, score in measured)
    alike = ""
    if found["kl"] is not None:
        alike = f"- KL from the teacher: {found['kl']:.4f} nats per token\n"
        alike += f"- same likeliest token as the teacher: {found['same_top']:.1%}\n"
    hashes = "".join(f"  - {part}: SHA-256 {digest}\n" for part, digest in lineage["data"].items())
    steps = ", ".join(lineage["steps"]) or "none"
    limits = "".join(f"- {limit}\n" for limit in card["limits"])
    return (
        f"# {card['name']}\n\n{card['description'] or 'A model made by a recipe.'}\n\n"
        f"Licence: {card['licence']}\n\n## Lineage\n\n- teacher: {lineage['teacher']}\n- steps: {steps}\n"
        f"- format: {lineage['scheme']}, seed {lineage['seed']}\n"
        f"- data (licence: {lineage['data_licence']}):\n{hashes}\n"
        f"## Evaluation\n\nThe gate {'passed' if found['gate_passed'] else 'did not pass'}.\n\n"
        f"{exact}{scores}"
        f"- of the teacher's score: {found['kept']:.3f}\n- perplexity: {found['perplexity']:.3f}\n"
        f"{alike}- {found['decode_speed']:,.0f} tokens/s, {found['file_bytes']:,} bytes\n\n"
        f"## Limits\n\n{limits}"
    )
