"""Samples as token ids, exactly as the engine's host will make them of a request; and batches of them."""

from __future__ import annotations

import random
from collections.abc import Sequence

import msgspec
import torch
from torch import Tensor

from wicket.engines.checkpoints.tokenizer import Tokenizer

IGNORED = -100  # a target that is not learned (torch's own convention for cross-entropy)
CHATML_SHORT = (
    "{% for message in messages %}{% if message['role'] != 'system' %}"
    "{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n' }}"
    "{% endif %}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
PLAIN = (
    "{% for message in messages %}{% if message['role'] != 'system' %}{{ message['content'] + '\n' }}"
    "{% endif %}{% endfor %}{% if add_generation_prompt %}{{ '=>' }}{% endif %}"
)


class Encoded(msgspec.Struct, frozen=True):
    """Token ids of what the mini is shown and of what it is to answer, the end token included."""

    prompt: list[int]
    answer: list[int]

    def __len__(self) -> int:
        return len(self.prompt) + len(self.answer)


class Encoder:
    """A vocabulary's way with samples. `template` goes into the exported checkpoint."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        special = tokenizer.special_tokens
        self._tokenizer = tokenizer
        if "<|im_start|>" in special and "<|im_end|>" in special:
            self.template, self.end_id = CHATML_SHORT, special["<|im_end|>"]
            self._before, self._after = "<|im_start|>user\n", "<|im_end|>\n<|im_start|>assistant\n"
        else:
            self.template, self.end_id = PLAIN, tokenizer.eos_ids[0]
            self._before, self._after = "", "\n=>"

    def prompt(self, text: str) -> list[int]:
        """The prompt for one request. Control tokens that the text spells stay text."""
        if any(spelling in text for spelling in self._tokenizer.special_tokens):
            inner = self._tokenizer.encode(text, special=False)
            return [*self._tokenizer.encode(self._before), *inner, *self._tokenizer.encode(self._after)]
        return self._tokenizer.encode(self._before + text + self._after)

    def answer(self, text: str) -> list[int]:
        """The answer and its end."""
        return [*self._tokenizer.encode(text, special=False), self.end_id]

    def sample(self, text: str, answer: str) -> Encoded:
        """Both."""
        return Encoded(self.prompt(text), self.answer(answer))


def collate(samples: Sequence[Encoded]) -> tuple[Tensor, Tensor]:
    """Ids and targets (batch, longest); a target stands where the token before it is, `IGNORED` elsewhere."""
    width = max(map(len, samples))
    ids = torch.zeros(len(samples), width, dtype=torch.long)
    targets = torch.full((len(samples), width), IGNORED)
    for row, sample in enumerate(samples):
        both = sample.prompt + sample.answer
        ids[row, : len(both)] = torch.tensor(both)
        targets[row, len(sample.prompt) - 1 : len(both) - 1] = torch.tensor(sample.answer)
    return ids, targets


def batches(lengths: Sequence[int], size: int, *, seed: int) -> list[list[int]]:
    """All indices in batches of `size`, neighbours of like length so that little is padded; by the seed."""
    chance = random.Random(seed)  # noqa: S311 - an order, not a secret
    order = list(range(len(lengths)))
    chance.shuffle(order)
    found = []
    for start in range(0, len(order), size * 8):
        pool = sorted(order[start : start + size * 8], key=lambda index: lengths[index])
        found += [pool[at : at + size] for at in range(0, len(pool), size)]
    chance.shuffle(found)
    return found
