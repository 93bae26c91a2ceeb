"""From messages or text to token ids, and back: the checkpoint's chat template and tokenizer, in the host."""

from __future__ import annotations

import asyncio
import importlib
import re
import secrets
from collections.abc import Sequence
from typing import Protocol

import msgspec

from wicket.engines.checkpoints.locate import Checkpoint
from wicket.engines.host.renderer import Renderer
from wicket.engines.host.template import CHATML
from wicket.engines.host.tools import Shape, variables
from wicket.errors import CallerFault, EngineFault, Fault

# Longer texts are encoded in a thread, so that other requests' tokens keep flowing meanwhile.
_INLINE_CHARS = 16 * 1024
MAX_TEXT_CHARS = 4_000_000


class Tokenizer(Protocol):
    """What the host needs of a checkpoint's tokenizer."""

    eos_ids: list[int]
    bos_id: int | None
    adds_bos: bool
    special_tokens: dict[str, int]
    chat_template: str | None

    def encode(self, text: str, *, special: bool) -> list[int]:
        """Token ids; `special`: the text may spell special tokens."""
        ...

    def decode(self, ids: Sequence[int]) -> str:
        """Text of token ids."""
        ...

    def token_bytes(self) -> list[bytes]:
        """The bytes of every token, by id."""
        ...


class Prompter:
    """One checkpoint's way with text. Made by `prepare`."""

    def __init__(self, tokenizer: Tokenizer, renderer: Renderer) -> None:
        self._tokenizer = tokenizer
        self._renderer = renderer
        spellings = sorted(filter(None, tokenizer.special_tokens), key=len, reverse=True)
        self._control = re.compile("|".join(map(re.escape, spellings))) if spellings else None
        self._special = _template_tokens(tokenizer)

    @property
    def has_template(self) -> bool:
        """Whether the checkpoint has a chat template of its own."""
        return bool(self._tokenizer.chat_template)

    @property
    def has_template_tools(self) -> bool:
        """Whether the chat template knows tools."""
        return self._renderer.has_tools

    async def chat(self, shape: Shape) -> list[int]:
        """The prompt for messages. Raises `CallerFault` if the template refuses them.

        Only the template can write control tokens: where a message spells one, its text stays text.
        """
        disguise = Disguise(self._control)
        turns = [msgspec.structs.replace(turn, content=disguise.put_on(turn.content)) for turn in shape.turns]
        shape = msgspec.structs.replace(shape, turns=turns)
        text = await self._renderer.render({**self._special, **variables(shape)})
        ids: list[int] = []
        for part, is_spelled in disguise.take_off(text):
            ids += await self._encode(part, special=not is_spelled)
        return ids

    async def complete(self, text: str) -> list[int]:
        """Token ids of a plain prompt, which may spell control tokens."""
        tokens = self._tokenizer
        first = [tokens.bos_id] if tokens.adds_bos and tokens.bos_id is not None else []
        return first + await self._encode(text, special=True)

    async def _encode(self, text: str, *, special: bool) -> list[int]:
        if len(text) > MAX_TEXT_CHARS:
            message = f"The prompt has {len(text)} characters: at most {MAX_TEXT_CHARS} are read."
            raise CallerFault("context_length_exceeded", message)
        if len(text) > _INLINE_CHARS:
            return await asyncio.to_thread(self._tokenizer.encode, text, special=special)
        return self._tokenizer.encode(text, special=special)

    def decode(self, ids: Sequence[int]) -> str:
        """Text of token ids."""
        return self._tokenizer.decode(ids)

    def spell(self, token: int) -> bytes:
        """One token's bytes."""
        table = self._tokenizer.token_bytes()
        return table[token] if token < len(table) else b""

    async def close(self) -> None:
        """End the renderer."""
        await self._renderer.close()


async def prepare(checkpoint: Checkpoint) -> Prompter:
    """Load tokenizer and template. Raises `EngineFault` with one clear line."""
    tokenizer = await asyncio.to_thread(_load, checkpoint)
    renderer = Renderer(tokenizer.chat_template or CHATML)
    await renderer.start()
    return Prompter(tokenizer, renderer)


def _load(checkpoint: Checkpoint) -> Tokenizer:
    try:
        module = importlib.import_module(f"wicket.engines.{checkpoint.tokenizer}")
        tokenizer: Tokenizer = module.tokenizer(checkpoint.path)
    except Fault:
        raise
    except ImportError as error:
        message = f"The engine's packages are missing ({error.name}): install wicket[compact]."
        raise EngineFault("engine_missing", message) from None
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:  # a panic in the tokenizer's native code is no Exception
        line = (str(error).splitlines() or [type(error).__name__])[0][:300]
        raise EngineFault(
            "bad_checkpoint", f"The tokenizer of {checkpoint.path} is broken: {line}"
        ) from error
    return tokenizer


class Disguise:
    """Replaces spellings of control tokens by marks that nobody can guess, and finds the marks again."""

    def __init__(self, control: re.Pattern[str] | None) -> None:
        self._control = control
        self._nonce = secrets.token_hex(8)
        self._hidden: list[str] = []

    def put_on(self, text: str) -> str:
        """The text with marks."""
        return text if self._control is None else self._control.sub(self._mark, text)

    def _mark(self, found: re.Match[str]) -> str:
        self._hidden.append(found.group())
        return f"({self._nonce}:{len(self._hidden) - 1})"

    def take_off(self, text: str) -> list[tuple[str, bool]]:
        """The text in parts, each with whether it is a spelling that was hidden."""
        if not self._hidden:
            return [(text, False)]
        parts = re.split(rf"\({self._nonce}:(\d+)\)", text)
        whole = [
            (self._hidden[int(part)], True) if at % 2 else (part, False) for at, part in enumerate(parts)
        ]
        return [(part, is_hidden) for part, is_hidden in whole if part]


def _template_tokens(tokenizer: Tokenizer) -> dict[str, str]:
    """The variables `bos_token` and `eos_token`, which most templates use."""
    texts = {token: text for text, token in tokenizer.special_tokens.items()}
    bos = texts.get(tokenizer.bos_id, "") if tokenizer.bos_id is not None else ""
    eos = next((texts[token] for token in tokenizer.eos_ids if token in texts), "")
    return {"bos_token": bos, "eos_token": eos}
