"""Answers chat requests: admit, prompt, generate, then stream or collect."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from typing import Any

from wicket.engines import contract
from wicket.engines.host import answer, calls, request, router, tools
from wicket.engines.host.exchange import Exchange, Headers
from wicket.engines.host.floor import FLOOR_HEADER, confidence_header, read_floor
from wicket.engines.host.model import Model
from wicket.engines.host.posting import another_verb, dropped, posted, refusal, stamp
from wicket.engines.host.process import Mailbox
from wicket.engines.host.prompter import Prompter
from wicket.engines.host.request import ChatCall, Options


async def chat(model: Model, exchange: Exchange) -> None:
    """POST /v1/chat/completions. With a floor, only what this model is likely to be good enough for."""
    floor = read_floor(exchange.header(FLOOR_HEADER))
    body = await exchange.body()
    if floor is None:
        await _answer(model, exchange, request.chat(body))
        return
    assessed = router.assess(model, body, floor)
    if assessed.call is None or not assessed.is_confident:
        await router.refuse(exchange, assessed)
        return
    await _answer(model, exchange, assessed.call, confidence_header(assessed.chance))


async def _answer(model: Model, exchange: Exchange, call: ChatCall, headers: Headers = ()) -> None:
    model.named(call.options.model)
    with model.gate.entered():
        await model.loaded("generate")
        prompter = await model.prompter()
        shape = tools.shape(call, has_template_tools=prompter.has_template_tools)
        prompt = await prompter.chat(shape)
        commands = request.generations(
            call.options,
            prompt,
            model.core.new_ids(call.options.n),
            model.limits,
            schema=shape.schema,
            salt=exchange.header(b"x-wicket-salt"),
        )
        async with posted(model, commands) as mailbox:
            talk = _Chat(exchange, mailbox, call.options, prompter)
            talk.headers = [*headers, *dropped(call.options.dropped)]
            talk.schema_param = "tools" if shape.reading == "choice" else "response_format"
            talk.readers = {command.id: calls.reader(shape) for command in commands}
            await (talk.stream if call.options.is_stream else talk.collect)(stamp(model, "chatcmpl-"))


def _call_id() -> str:
    return f"call_{secrets.token_hex(12)}"


class _Chat:
    """One chat answer under way; choices are told apart by their command's id."""

    def __init__(self, exchange: Exchange, mailbox: Mailbox, options: Options, prompter: Prompter) -> None:
        self._exchange = exchange
        self._mailbox = mailbox
        self._options = options
        self._prompter = prompter
        self._index = {command_id: index for index, command_id in enumerate(sorted(mailbox.ids))}
        self._done: dict[int, contract.Done] = {}
        self.readers: dict[int, calls.Reader] = {}
        self.schema_param = "response_format"
        self.headers: Headers = ()

    @property
    def _is_over(self) -> bool:
        return len(self._done) == len(self._index)

    @property
    def _dones(self) -> list[contract.Done]:
        return [self._done[command_id] for command_id in self._index]

    async def collect(self, stamp: answer.Stamp) -> None:
        """The whole answer at once."""
        choices = {command_id: answer.Choice(_call_id) for command_id in self._index}
        while not self._is_over:
            event = await self._mailbox.next()
            choices[event.id].add(self._deltas(event))
            if isinstance(event, contract.Piece):
                choices[event.id].logprobs += event.logprobs
        entries = []
        for each, index in self._index.items():
            logprobs = self._logprobs(choices[each].logprobs)
            entries.append(answer.chat_choice(index, choices[each], self._reason(each), logprobs))
        body = answer.whole(stamp, "chat.completion", entries, answer.usage([self._dones]))
        await self._exchange.reply(200, body, self.headers)

    async def stream(self, stamp: answer.Stamp) -> None:
        """Frames as the pieces come; several that came at once leave together."""
        chunks = answer.Chunks(stamp, "chat.completion.chunk", has_usage=self._options.has_usage)
        event: contract.Event | None = await self._mailbox.next()
        if isinstance(event, contract.Refused):
            raise refusal(event, self.schema_param)
        await self._exchange.begin(self.headers)
        opening = {"role": "assistant", "content": ""}
        frames = [chunks.frame(answer.chat_delta(index, opening)) for index in self._index.values()]
        while True:
            while event is not None:
                frames += self._frames(event, chunks)
                event = self._mailbox.take()
            if self._is_over:
                break
            if frames:
                await self._exchange.write(b"".join(frames))
                frames = []
            event = await self._mailbox.next()
        if self._options.has_usage:
            frames.append(chunks.usage(answer.usage([self._dones])))
        frames.append(answer.DONE)
        await self._exchange.write(b"".join(frames))
        await self._exchange.end()

    def _deltas(self, event: contract.Event) -> list[calls.Delta]:
        if isinstance(event, contract.Piece):
            return self.readers[event.id].feed(event.text)
        if isinstance(event, contract.Done):
            self._done[event.id] = event
            return self.readers[event.id].finish()
        if isinstance(event, contract.Refused):
            raise refusal(event, self.schema_param)
        raise another_verb()

    def _frames(self, event: contract.Event, chunks: answer.Chunks) -> list[bytes]:
        index = self._index[event.id]
        deltas = self._deltas(event)
        logprobs = self._logprobs(event.logprobs) if isinstance(event, contract.Piece) else None
        if logprobs is not None and not deltas:
            deltas = [calls.Text("")]
        frames = []
        for delta in deltas:
            fields = answer.delta_fields(delta, _call_id)
            frames.append(chunks.frame(answer.chat_delta(index, fields, None, logprobs)))
            logprobs = None
        if isinstance(event, contract.Done):
            frames.append(chunks.frame(answer.chat_delta(index, {}, self._reason(event.id))))
        return frames

    def _reason(self, command_id: int) -> str:
        return answer.finish_reason(self._done[command_id], self.readers[command_id].num_calls)

    def _logprobs(self, entries: Sequence[contract.TokenLogprob]) -> dict[str, Any] | None:
        if self._options.logprobs is None:
            return None
        return answer.chat_logprobs(entries, self._prompter.spell)
