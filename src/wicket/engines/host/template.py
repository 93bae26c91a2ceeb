"""Chat templates: a stranger's code that turns messages into a prompt, rendered in a sandbox with limits.

The environment is what checkpoints expect (transformers' `chat_template_utils`): Jinja2's immutable
sandbox with trim_blocks, lstrip_blocks, loop controls, `raise_exception`, `strftime_now` and a `tojson`
that escapes nothing. The sandbox alone can't end an endless loop or a huge string, so this module also is
a process of its own (`python -m wicket.engines.host.template`, owned by `renderer.py`), with bounded
memory, no file to write and no secret in its environment, which is killed when it takes too long.
"""

from __future__ import annotations

import datetime
import json
import os
import sys
from collections.abc import Sequence
from typing import Any

import msgspec

from wicket.engines import link

MAX_TEMPLATE_CHARS = 256 * 1024
MAX_OUTPUT_CHARS = 8 * 1024 * 1024
MAX_MEMORY_BYTES = 1024 * 1024 * 1024

CHATML = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' + message['content'] "
    "+ '<|im_end|>\n' }}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)


class Compile(msgspec.Struct, frozen=True, tag="compile"):
    """Make this template the one to render."""

    source: str


class Render(msgspec.Struct, frozen=True, tag="render"):
    """Render with these variables (`messages`, `tools`, `add_generation_prompt`, special tokens …)."""

    variables: dict[str, Any]


class Compiled(msgspec.Struct, frozen=True, tag="compiled"):
    """The template's free variables that matter: whether it knows tools."""

    has_tools: bool


class Rendered(msgspec.Struct, frozen=True, tag="rendered"):
    """The prompt."""

    text: str


class Failed(msgspec.Struct, frozen=True, tag="failed"):
    """No prompt: `is_refusal` if the template itself refused the messages (`raise_exception`)."""

    message: str
    is_refusal: bool = False


Order = Compile | Render
Outcome = Compiled | Rendered | Failed


class _Refusal(Exception):
    """The template called `raise_exception`."""


class Template:
    """One compiled template. Raises `ValueError` if it is too long, jinja2's errors if it is not one."""

    def __init__(self, source: str) -> None:
        if len(source) > MAX_TEMPLATE_CHARS:
            raise ValueError(f"the template has {len(source)} characters, more than {MAX_TEMPLATE_CHARS}")
        from jinja2 import meta

        environment = _environment()
        self.has_tools = "tools" in meta.find_undeclared_variables(environment.parse(source))
        self._compiled = environment.from_string(source)

    def render(self, variables: dict[str, Any]) -> str:
        """The prompt. Raises `ValueError` when it grows past the bound, and what the template raises."""
        pieces: list[str] = []
        total = 0
        for piece in self._compiled.generate(**variables):
            total += len(piece)
            if total > MAX_OUTPUT_CHARS:
                raise ValueError(f"the rendered prompt exceeds {MAX_OUTPUT_CHARS} characters")
            pieces.append(piece)
        return "".join(pieces)


def _environment() -> Any:
    from jinja2 import nodes
    from jinja2.ext import Extension, loopcontrols
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    class Generation(Extension):
        """`{% generation %}` marks the assistant's words for training; here it is its content."""

        tags = {"generation"}

        def parse(self, parser: Any) -> nodes.Node:
            line = next(parser.stream).lineno
            body = parser.parse_statements(("name:endgeneration",), drop_needle=True)
            return nodes.Scope(body, lineno=line)

    environment = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[Generation, loopcontrols]
    )
    environment.filters["tojson"] = _tojson
    environment.globals["raise_exception"] = _raise_exception
    environment.globals["strftime_now"] = _strftime_now
    return environment


def _tojson(
    value: Any,
    ensure_ascii: bool = False,
    indent: int | None = None,
    separators: Sequence[str] | None = None,
    sort_keys: bool = False,
) -> str:
    pair = None if separators is None else (separators[0], separators[1])
    return json.dumps(value, ensure_ascii=ensure_ascii, indent=indent, separators=pair, sort_keys=sort_keys)


def _raise_exception(message: str) -> None:
    raise _Refusal(str(message))


def _strftime_now(form: str) -> str:
    return datetime.datetime.now().astimezone().strftime(form)


class Desk:
    """Answers orders one after another, whatever the template does within the process's limits."""

    def __init__(self) -> None:
        self._template: Template | None = None

    def answer(self, order: Order) -> Outcome:
        """Compile or render; every exception becomes `Failed`."""
        try:
            if isinstance(order, Compile):
                self._template = Template(order.source)
                return Compiled(self._template.has_tools)
            if self._template is None:
                return Failed("no template was compiled")
            return Rendered(self._template.render(order.variables))
        except _Refusal as refusal:
            return Failed(_line(str(refusal)), is_refusal=True)
        except MemoryError:
            return Failed("it needs more memory than a template may use")
        except RecursionError:
            return Failed("it recurses too deeply")
        except Exception as error:
            return Failed(_line(f"{type(error).__name__}: {error}"))


def _line(text: str) -> str:
    return (text.splitlines() or [""])[0][:300]


def _confine() -> None:
    """Bound memory and forbid writing: the sandbox's second wall."""
    try:
        import resource
    except ImportError:
        return
    for limit, bound in (("RLIMIT_AS", MAX_MEMORY_BYTES), ("RLIMIT_FSIZE", 0)):
        try:
            resource.setrlimit(getattr(resource, limit), (bound, bound))
        except (AttributeError, ValueError, OSError):
            continue  # not every system has every limit; the time limit holds everywhere


def main() -> int:
    """Orders on standard input, outcomes on standard output, until the input ends."""
    desk = Desk()
    _confine()
    unpacker: link.Unpacker[Order] = link.Unpacker(Order)
    while data := os.read(sys.stdin.fileno(), 1 << 18):
        for order in unpacker.feed(data):
            sys.stdout.buffer.write(link.pack(desk.answer(order)))
            sys.stdout.buffer.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main())
