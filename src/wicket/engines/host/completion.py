"""Answers text completion requests: several prompts, several choices each, echo with log-probabilities."""

from __future__ import annotations

from typing import Any

import msgspec

from wicket.engines import contract
from wicket.engines.host import answer, request
from wicket.engines.host.exchange import Exchange
from wicket.engines.host.fields import bad_value
from wicket.engines.host.model import Model
from wicket.engines.host.posting import another_verb, dropped, posted, refusal, stamp
from wicket.engines.host.prompter import Prompter
from wicket.engines.host.request import CompletionCall, Options


class _Choice(msgspec.Struct):
    """One choice under way. `echo` is the prompt's text, `scores` its tokens' log-probabilities."""

    echo: str = ""
    text: str = ""
    scores: list[contract.TokenLogprob] = []
    logprobs: list[contract.TokenLogprob] = []
    done: contract.Done | None = None


async def complete(model: Model, exchange: Exchange) -> None:
    """POST /v1/completions."""
    call = request.completion(await exchange.body())
    model.named(call.options.model)
    with model.gate.entered():
        await model.loaded("generate")
        prompter = await model.prompter()
        prompts = [await _tokens(prompt, model, prompter) for prompt in call.prompts]
        salt = exchange.header(b"x-wicket-salt")
        commands: list[contract.Generate] = []
        for prompt in prompts:
            ids = model.core.new_ids(call.options.n)
            commands += request.generations(call.options, prompt, ids, model.limits, schema=None, salt=salt)
        writer = _Completion(model, exchange, call, prompter)
        if call.options.is_stream:
            await writer.stream(commands)
        else:
            await writer.collect(prompts, commands)


async def _tokens(prompt: str | list[int], model: Model, prompter: Prompter) -> list[int]:
    tokens = await prompter.complete(prompt) if isinstance(prompt, str) else prompt
    if any(token >= model.limits.vocab_size for token in tokens):
        raise bad_value("prompt", f"token ids of this model are below {model.limits.vocab_size}")
    if not tokens:
        raise bad_value("prompt", "it is empty")
    return tokens


class _Completion:
    """One completion answer under way."""

    def __init__(self, model: Model, exchange: Exchange, call: CompletionCall, prompter: Prompter) -> None:
        self._model = model
        self._exchange = exchange
        self._call = call
        self._options: Options = call.options
        self._prompter = prompter
        self._stamp = stamp(model, "cmpl-")

    async def collect(self, prompts: list[list[int]], commands: list[contract.Generate]) -> None:
        """The whole answer at once."""
        choices = [_Choice() for _ in commands]
        if self._call.is_echo:
            await self._echo(prompts, choices)
        if self._options.max_tokens:
            await self._generate(commands, choices)
        else:
            for command, choice in zip(commands, choices, strict=True):
                choice.done = contract.Done(command.id, "length", len(command.prompt), 0, 0)
        n = self._options.n
        dones = [choice.done for choice in choices if choice.done is not None]
        used = answer.usage([dones[at : at + n] for at in range(0, len(dones), n)])
        entries = [self._entry(index, choice) for index, choice in enumerate(choices)]
        body = answer.whole(self._stamp, "text_completion", entries, used)
        await self._exchange.reply(200, body, dropped(self._options.dropped))

    async def stream(self, commands: list[contract.Generate]) -> None:
        """Frames as the pieces come."""
        options = self._options
        chunks = answer.Chunks(self._stamp, "text_completion", has_usage=options.has_usage)
        choices = [_Choice() for _ in commands]
        index = {command.id: at for at, command in enumerate(commands)}
        is_begun = False
        async with posted(self._model, commands) as mailbox:
            while any(choice.done is None for choice in choices):
                event = await mailbox.next()
                _take(event, choices[index[event.id]])
                if not is_begun:
                    await self._exchange.begin(dropped(options.dropped))
                    is_begun = True
                await self._exchange.write(chunks.frame(self._news(index[event.id], event)))
        frames = [answer.DONE]
        if options.has_usage:
            dones = [choice.done for choice in choices if choice.done is not None]
            groups = [dones[at : at + options.n] for at in range(0, len(dones), options.n)]
            frames.insert(0, chunks.usage(answer.usage(groups)))
        await self._exchange.write(b"".join(frames))
        await self._exchange.end()

    def _news(self, index: int, event: contract.Event) -> dict[str, Any]:
        if isinstance(event, contract.Done):
            return {"index": index, "text": "", "logprobs": None, "finish_reason": event.finish_reason}
        assert isinstance(event, contract.Piece)
        logprobs = None
        if self._options.logprobs is not None:
            logprobs = answer.completion_logprobs(event.logprobs, self._prompter.spell)
        return {"index": index, "text": event.text, "logprobs": logprobs, "finish_reason": None}

    async def _generate(self, commands: list[contract.Generate], choices: list[_Choice]) -> None:
        index = {command.id: at for at, command in enumerate(commands)}
        async with posted(self._model, commands) as mailbox:
            while any(choice.done is None for choice in choices):
                event = await mailbox.next()
                _take(event, choices[index[event.id]])

    async def _echo(self, prompts: list[list[int]], choices: list[_Choice]) -> None:
        """Put each prompt before its choices, with its tokens' log-probabilities if they are wanted."""
        scores: list[list[contract.TokenLogprob]] = [[] for _ in prompts]
        if self._options.logprobs is not None:
            ids = self._model.core.new_ids(len(prompts))
            top = self._options.logprobs
            commands = [contract.Score(each, prompt, top) for each, prompt in zip(ids, prompts, strict=True)]
            async with posted(self._model, commands) as mailbox:
                for _ in commands:
                    event = await mailbox.next()
                    scores[event.id - ids[0]] = scored(event)
        for at, prompt in enumerate(prompts):
            for choice in choices[at * self._options.n : (at + 1) * self._options.n]:
                choice.echo = self._prompter.decode(prompt)
                choice.scores = scores[at]

    def _entry(self, index: int, choice: _Choice) -> dict[str, Any]:
        assert choice.done is not None
        logprobs = None
        if self._options.logprobs is not None:
            entries = [*choice.scores, *choice.logprobs]
            is_first = bool(choice.scores)
            logprobs = answer.completion_logprobs(entries, self._prompter.spell, is_first=is_first)
        return answer.text_choice(index, choice.echo + choice.text, choice.done.finish_reason, logprobs)


def scored(event: contract.Event) -> list[contract.TokenLogprob]:
    """The scores in an event. Raises the refusal if it is one."""
    if isinstance(event, contract.Refused):
        raise refusal(event)
    if not isinstance(event, contract.Scored):
        raise another_verb()
    return event.logprobs


def _take(event: contract.Event, choice: _Choice) -> None:
    if isinstance(event, contract.Refused):
        raise refusal(event)
    if isinstance(event, contract.Piece):
        choice.text += event.text
        choice.logprobs += event.logprobs
    elif isinstance(event, contract.Done):
        choice.done = event
    else:
        raise another_verb()
