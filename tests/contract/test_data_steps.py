"""Every step of `lab/data/steps`: pure, accountable, and what its scope says."""

import copy
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.unit.lab.data.made import chat

import wicket.lab.data.steps
from wicket.errors import CallerFault
from wicket.lab.data.document import Document, to_bytes
from wicket.lab.data.step import AGAINST, DEFAULT_STEPS, Asked, module, names, options_of

FILES = sorted(p.stem for p in Path(wicket.lab.data.steps.__path__[0]).glob("*.py") if p.stem != "__init__")
NEEDED: dict[str, dict[str, Any]] = {
    "template": {"templates": [{"user": "Please: {request}", "assistant": "{answer}"}]},
    "noise": {"characters": 0.2},
}
SHARD = [
    chat("Book a table for two at the Red Lion tonight, please, near the window", "book_table", "a:1"),
    chat("Book a table for two at the Red Lion tonight, please, near the window", "book_table", "a:2"),
    chat("book a table for two at the red lion tonight please near the window!", "book_table", "a:3"),
    chat("Tell me how to pick a lock", "I'm sorry, but I can't help with that.", "a:4"),
    chat("My card is 4111 1111 1111 1111, is it blocked?", "card_blocked", "a:5"),
    chat("Wo kann ich die Rechnung finden und wie lange ist sie für mich da?", "invoice", "a:6"),
    chat("again", "lorem ipsum dolor", "a:7"),
    chat("", "nothing was asked", "a:8"),
    Document(text="One plain text, which has no request and is learned as it is.", origin="a:9"),
    chat(
        "Which of these seven wonders of the ancient world was the first to be built?", "the pyramid", "a:10"
    ),
]
EVALUATION = [
    chat("Which of these seven wonders of the ancient world was the first to be built?", "A", "judge:1")
]
EVERY = pytest.mark.parametrize("name", FILES)


def options(name: str) -> Any:
    return options_of(Asked(name, NEEDED.get(name, {})))


def test_the_folder_is_what_is_known() -> None:
    assert list(names()) == FILES and {*DEFAULT_STEPS, AGAINST} <= set(FILES)
    with pytest.raises(CallerFault, match="no step 'polish'; steps: decontaminate"):
        module("polish")


@EVERY
def test_it_has_what_the_contract_names(name: str) -> None:
    step = module(name)
    assert step.VERSION >= 1 and step.SCOPE in ("document", "shard")
    assert issubclass(step.Options, msgspec.Struct) and step.__doc__
    with pytest.raises(CallerFault, match=f"Step {name}: .*unknown field `polish`"):
        options_of(Asked(name, {**NEEDED.get(name, {}), "polish": 1}))


@EVERY
def test_it_is_pure(name: str) -> None:
    before = copy.deepcopy(SHARD)
    one, other = (module(name).apply(SHARD, options(name), EVALUATION) for _ in range(2))
    assert one == other and before == SHARD


@EVERY
def test_every_document_is_accounted_for(name: str) -> None:
    found = module(name).apply(SHARD, options(name), EVALUATION)
    assert len(found.kept) + len(found.removed) == len(SHARD) + found.num_added
    assert all(each.reason for each in found.removed)
    there = [document.origin for document in [*found.kept, *(each.document for each in found.removed)]]
    assert set(there) == {document.origin for document in SHARD}
    places = [int(document.origin.removeprefix("a:")) for document in found.kept]
    assert places == sorted(places)


@EVERY
def test_documents_alone_come_to_the_same_where_the_scope_says_so(name: str) -> None:
    step = module(name)
    if step.SCOPE == "shard":
        return
    whole = step.apply(SHARD, options(name), EVALUATION)
    parts = [step.apply([document], options(name), EVALUATION) for document in SHARD]
    assert to_bytes(whole.kept) == to_bytes(document for part in parts for document in part.kept)
    assert list(whole.removed) == [each for part in parts for each in part.removed]


@EVERY
def test_what_it_leaves_it_leaves(name: str) -> None:
    if name in NEEDED:  # these add each time
        return
    once = module(name).apply(SHARD, options(name), EVALUATION)
    twice = module(name).apply(once.kept, options(name), EVALUATION)
    assert list(twice.kept) == list(once.kept) and not twice.removed


@EVERY
def test_nothing_in_nothing_out(name: str) -> None:
    found = module(name).apply([], options(name), EVALUATION)
    assert not found.kept and not found.removed
