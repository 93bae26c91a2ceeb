"""The mean of the weights over the last steps of a training: better than the last ones, and free.

Stochastic weight averaging (Izmailov et al. 2018), with every step of the tail counted alike.
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn

from wicket.lab.saves import Save, load_means


class Average:
    """The running mean of a model's trained parameters, from the share `begin` of its course on.

    `num` steps are in it; `means` go by the parameters' names.
    """

    def __init__(self, model: nn.Module, begin: float) -> None:
        self._model = model
        self._begin = begin
        self.num = 0
        self.means: dict[str, Tensor] = {}

    def resume(self, folder: Path, saved: Save | None) -> None:
        """Go on from the save in a folder; a save without averages begins anew."""
        self.means = load_means(folder) if saved is not None and saved.num_averaged else {}
        self.num = saved.num_averaged if saved is not None and self.means else 0

    def note(self, share: float) -> None:
        """Count the weights in, if `share` of the course lies in the tail."""
        if self._begin >= 1 or share < self._begin:
            return
        self.num += 1
        with torch.no_grad():
            for name, parameter in self._model.named_parameters():
                if not parameter.requires_grad:
                    continue
                if name in self.means:
                    self.means[name].lerp_(parameter, 1 / self.num)
                else:
                    self.means[name] = parameter.detach().clone()

    def take(self) -> None:
        """Give the model the mean, if there is one."""
        with torch.no_grad():
            for name, parameter in self._model.named_parameters():
                if name in self.means:
                    parameter.copy_(self.means[name])
