"""Recipes: what is read of them, and how mistakes are told."""

from pathlib import Path

import pytest

pytest.importorskip("torch")
pytestmark = pytest.mark.lab

from wicket.errors import ConfigFault  # noqa: E402
from wicket.lab.recipe import parse_recipe, read_recipe  # noqa: E402
from wicket.lab.recipe_labels import is_for_labels  # noqa: E402

RECIPES = Path(__file__).parents[2] / "recipes"
GOOD = """name = "small"
[data]
train = "a.jsonl"
evaluate = "b.jsonl"
[vocabulary]
train = 300
[teacher]
shape = { layers = 2, hidden = 64, heads = 4, ffn = 96 }
pace = { steps = 5 }
[[steps]]
technique = "prune_depth"
layers = 1
"""


def mistakes(text: str, *overrides: str) -> list[str]:
    with pytest.raises(ConfigFault) as caught:
        parse_recipe(text, source="r.toml", folder=Path(), overrides=overrides)
    return caught.value.message.splitlines()


DECODERS = [path for path in sorted(RECIPES.glob("*.toml")) if not is_for_labels(path)]


@pytest.mark.parametrize("path", DECODERS, ids=lambda path: path.stem)
def test_the_recipes_that_ship_are_right_and_have_their_data(path: Path) -> None:
    found = read_recipe(path)
    assert found.recipe.name == path.stem and found.steps
    for name in (found.recipe.data.train, found.recipe.data.evaluate):
        assert (path.parent / name).is_file(), name


def test_what_is_left_out_has_defaults_and_steps_keep_their_order() -> None:
    text = GOOD + '[[steps]]\ntechnique = "distil"\npace = { steps = 3 }\ntemperature = 2.0\n'
    found = parse_recipe(text, source="r.toml", folder=Path())
    assert found.recipe.export.scheme == "q8_0" and found.recipe.seed == 0
    assert [step.technique.name for step in found.steps] == ["prune_depth", "distil"]
    assert found.steps[1].options.temperature == 2.0 and found.steps[1].options.pace.steps == 3


def test_every_mistake_is_told_with_its_line_and_what_to_write() -> None:
    text = (
        GOOD.replace("evaluate", "evalute")
        .replace("layers = 1", "layer = 1")
        .replace("heads = 4", "heads = 0")
    )
    assert mistakes(text) == [
        "r.toml:2: data: evaluate is missing",
        "r.toml:4: data.evalute: unknown field (did you mean evaluate?)",
        "r.toml:8: teacher.shape.heads: expected a whole number >= 1 (it is 0)",
        "r.toml:10: steps[0]: layers is missing",
        "r.toml:12: steps[0].layer: unknown field (did you mean layers?)",
    ]


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("prune_depth", "prune_dept", 'r.toml:11: steps[0].technique: "prune_dept" is no technique (did you'),
        ("pace = { steps = 5 }", "", "r.toml:7: teacher: a fresh shape knows nothing"),
        ("train = 300", "", "r.toml:5: vocabulary: a fresh model needs one"),
        ("[[steps]]", '[export]\nscheme = "q4_1x"\n[[steps]]', 'r.toml:11: export.scheme: "q4_1x" is not'),
        ("heads = 4", "heads = 4, kv_heads = 3", "r.toml:8: teacher.shape.kv_heads: 4 heads can't share 3"),
        ('"small"', '"../small"', "r.toml:1: name: use letters"),
        ("shape", 'checkpoint = "x.gguf"\nshape', "r.toml:7: teacher: give a checkpoint or a shape"),
        ('name = "small"', "name =", "r.toml: Invalid value"),
    ],
)  # fmt: skip
def test_what_can_not_go_together_is_refused(old: str, new: str, told: str) -> None:
    assert old in GOOD
    assert mistakes(GOOD.replace(old, new, 1))[0].startswith(told)


def test_values_can_be_set_for_one_run() -> None:
    overrides = ["seed=7", "steps.0.layers=2", "teacher.pace.steps=9", "gate.keep=0.5", "name=other"]
    found = parse_recipe(GOOD, source="r.toml", folder=Path(), overrides=overrides)
    assert (found.recipe.seed, found.recipe.name, found.recipe.gate.keep) == (7, "other", 0.5)
    assert found.steps[0].options.layers == 2
    assert found.recipe.teacher.pace is not None and found.recipe.teacher.pace.steps == 9
    assert found.document["steps"][0]["layers"] == 2
    assert mistakes(GOOD, "seed") == ["--set seed: write key=value, e.g. seed=1"]
    assert mistakes(GOOD, "steps.4.layers=1") == ["--set steps.4.layers: the recipe has no such place"]
    assert mistakes(GOOD, "name.x=1") == ["--set name.x: the recipe has no such place"]
