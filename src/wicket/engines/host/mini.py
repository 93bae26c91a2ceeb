"""Answers chat requests by a mini's rules: the whole answer first, then how sure it is, then what goes out.

In a cascade, which is any request with `x-wicket-floor`, nothing waits and nothing is half an answer:
whatever keeps the mini from a confident answer (its form, its queue, its process) is status 422
`not_confident`, so that the next model is asked at once. Asked without a floor, it answers as it can, unless
its card has a floor of its own.
"""

from __future__ import annotations

from wicket.engines import contract
from wicket.engines.host import answer, judgement
from wicket.engines.host.calls import Text
from wicket.engines.host.exchange import Exchange
from wicket.engines.host.floor import FLOOR_HEADER, confidence_header, read_floor
from wicket.engines.host.judgement import Ask, NotConfident, Verdict
from wicket.engines.host.messages import Turn
from wicket.engines.host.model import Model
from wicket.engines.host.posting import another_verb, dropped, posted, refusal, stamp
from wicket.engines.host.tools import Shape
from wicket.errors import CallerFault, Fault
from wicket.minis.card import MiniCard


async def chat(model: Model, exchange: Exchange) -> None:
    """POST /v1/chat/completions of a mini."""
    floor = read_floor(exchange.header(FLOOR_HEADER))
    try:
        await _Mini(model, exchange, floor).chat(await _body(exchange, is_cascade=floor is not None))
    except NotConfident as doubt:
        await exchange.reply(doubt.status, answer.error(doubt), confidence_header(doubt.confidence))


async def _body(exchange: Exchange, *, is_cascade: bool) -> bytes:
    try:
        return await exchange.body()
    except CallerFault:  # the next model may take longer ones
        if not is_cascade:
            raise
        raise NotConfident("long: the body") from None


class _Mini:
    """One request; `floor` is None where nobody else could be asked."""

    def __init__(self, model: Model, exchange: Exchange, floor: float | None) -> None:
        self._model = model
        self._exchange = exchange
        self._floor = floor
        self._wait_s = None if floor is None else 0.0

    async def chat(self, body: bytes) -> None:
        """Answer, if it may. Raises `NotConfident`, or the fault of a request that nobody could take."""
        if self._floor is not None and self._floor > 1:
            raise NotConfident("floor: it takes no requests now")
        card = await self._card()
        ask = judgement.read(body, card, is_cascade=self._floor is not None)
        self._model.named(ask.call.options.model)
        try:
            with self._model.gate.entered():
                verdict, done = await (self._pick if card.engine == "label" else self._draft)(ask, card)
        except Fault as fault:
            raise self._passed(fault) from None
        floor = card.floor if self._floor is None else self._floor
        if (self._floor is not None and verdict.why) or verdict.confidence < floor:
            below = f"floor: {verdict.confidence:.4f} is below {floor:.4f}"
            raise NotConfident(verdict.why or below, verdict.confidence)
        await self._reply(ask, verdict, done)

    async def _card(self) -> MiniCard:
        try:
            await self._model.ready(self._wait_s)
            card = self._model.mini
            if card is None:
                raise NotConfident("floor: this model is no mini, and its confidence is not known")
            await self._model.loaded("classify" if card.engine == "label" else "generate", self._wait_s)
        except Fault as fault:
            raise self._passed(fault) from None
        return card

    def _passed(self, fault: Fault) -> Fault:
        """In a cascade an engine that can't answer now is passed by, like one that is not sure."""
        if self._floor is None or isinstance(fault, NotConfident):
            return fault
        return NotConfident(f"engine: {fault.code}")

    async def _draft(self, ask: Ask, card: MiniCard) -> tuple[Verdict, contract.Done]:
        """The whole answer and what it is worth."""
        model = self._model
        prompter = await model.prompter()
        prompt = await prompter.chat(Shape([Turn("user", ask.shown)], [], None, "text"))
        [command_id] = model.core.new_ids(1)
        salt = self._exchange.header(b"x-wicket-salt")
        max_tokens = judgement.output_tokens(len(prompt), ask, card, model.limits)
        command = contract.Generate(command_id, prompt, max_tokens, judgement.GREEDY, logprobs=0, salt=salt)
        texts: list[str] = []
        logprobs: list[contract.TokenLogprob] = []
        async with posted(model, [command], self._wait_s) as mailbox:
            while not isinstance(event := await mailbox.next(), contract.Done):
                if isinstance(event, contract.Refused):
                    raise refusal(event)
                if not isinstance(event, contract.Piece):
                    raise another_verb()
                texts.append(event.text)
                logprobs += event.logprobs
        return judgement.judge(card, ask, "".join(texts), logprobs, event), event

    async def _pick(self, ask: Ask, card: MiniCard) -> tuple[Verdict, contract.Done]:
        """A label and what it is worth; it counts as one token of output."""
        model = self._model
        [command_id] = model.core.new_ids(1)
        async with posted(model, [contract.Classify(command_id, [ask.shown], 2)], self._wait_s) as mailbox:
            event = await mailbox.next()
        if isinstance(event, contract.Refused):
            raise refusal(event)
        if not isinstance(event, contract.Classified):
            raise another_verb()
        verdict = judgement.judge_label(card, ask, event, model.limits)
        return verdict, contract.Done(command_id, "stop", event.prompt_tokens, 0, 1)

    async def _reply(self, ask: Ask, verdict: Verdict, done: contract.Done) -> None:
        options = ask.call.options
        headers = [*confidence_header(verdict.confidence), *dropped([*options.dropped, *ask.ignored])]
        mark = stamp(self._model, "chatcmpl-")
        used = answer.usage([[done]])
        reason = answer.finish_reason(done, 0)
        if not options.is_stream:
            choice = answer.Choice(str)
            choice.add([Text(verdict.content)])
            entry = answer.chat_choice(0, choice, reason, None)
            await self._exchange.reply(200, answer.whole(mark, "chat.completion", [entry], used), headers)
            return
        chunks = answer.Chunks(mark, "chat.completion.chunk", has_usage=options.has_usage)
        deltas = [
            answer.chat_delta(0, {"role": "assistant", "content": ""}),
            answer.chat_delta(0, {"content": verdict.content}),
            answer.chat_delta(0, {}, reason),
        ]
        frames = [
            *map(chunks.frame, deltas),
            *([chunks.usage(used)] if options.has_usage else ()),
            answer.DONE,
        ]
        await self._exchange.begin(headers)
        await self._exchange.write(b"".join(frames))
        await self._exchange.end()
