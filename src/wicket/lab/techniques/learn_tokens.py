"""Plain training: the model learns the tokens themselves, with all of its weights and no teacher.

The control of everything that has a teacher, and task fine-tuning of a decoder in a recipe.
"""

from __future__ import annotations

import msgspec

from wicket.lab.llama import Llama
from wicket.lab.material import Material
from wicket.lab.steps import Pace, Stepped, train
from wicket.lab.techniques.train_on_grid import hard_loss

NEEDS = frozenset({"training"})


class Options(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How to train."""

    pace: Pace


def apply(model: Llama, options: Options, material: Material) -> Stepped:
    """Train in place."""
    model.settle()
    return train(
        model, material.training, hard_loss, options.pace, folder=material.folder, tell=material.tell
    )
