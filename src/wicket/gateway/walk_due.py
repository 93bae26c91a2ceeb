"""When a walk next wants to hear of time: each attempt's own deadline, and the request's."""

from __future__ import annotations

from wicket.gateway.rules import Rules
from wicket.gateway.walk_state import NEVER, SECOND_US, State, Try, Walk, group_of, successor

REFUSAL_US = 2 * SECOND_US  # for an error's text, once its status is here
USAGE_US = SECOND_US  # for usage and the end mark, once the finish reason is here
BEGIN_AFTER_US = 10 * SECOND_US
KEEP_ALIVE_EVERY_US = 10 * SECOND_US


def set_due(walk: Walk, now: int) -> None:
    """The next moment at which a tick could matter. Data moves `heard_us` only, so a tick may come early."""
    rules = walk.rules
    due = walk.started_us + rules.total_us
    if walk.wait is not None:
        due = min(due, walk.wait[0])
    for attempt in walk.tries:
        if attempt.live:
            due = min(due, _deadline(walk, attempt))
    if rules.holds_whole and rules.is_streamed and walk.state == State.WAITING:
        begun = walk.begun_us
        due = min(due, begun + KEEP_ALIVE_EVERY_US if begun else walk.started_us + BEGIN_AFTER_US)
    walk.due_us = max(due, now + 1)


def _deadline(walk: Walk, attempt: Try) -> int:
    """When `walk_time` would act on a live attempt."""
    if attempt.finished:
        return attempt.heard_us + USAGE_US
    if attempt.refusal is not None:
        return attempt.heard_us + REFUSAL_US
    if attempt.spoke:
        return attempt.heard_us + walk.rules.gap_us
    hedge = attempt.sent_us + walk.rules.hedge_us if may_hedge(walk, attempt) else NEVER
    late = attempt.sent_us + patience(walk.rules, attempt) if is_replaceable(walk, attempt) else NEVER
    return min(hedge, late)


def patience(rules: Rules, attempt: Try) -> int:
    """How long an attempt's first token is waited for while there is an alternative."""
    return rules.mini_us if rules.mini_us and attempt.candidate == 0 else rules.first_token_us


def may_hedge(walk: Walk, attempt: Try) -> bool:
    """Whether another deployment may be raced against a late attempt at the plan's first deployment."""
    rules = walk.rules
    if not rules.hedge_us or walk.has_hedged or walk.state != State.WAITING:
        return False
    is_first = group_of(rules, attempt.candidate) == group_of(rules, 0)
    return is_first and successor(walk, attempt.candidate) >= 0


def is_replaceable(walk: Walk, attempt: Try) -> bool:
    """Whether a late first token has consequences: somebody else could answer, or already tries to.

    Where an answer is continued, its caller waits in the middle of a sentence: there the limit always acts.
    Another credential of a deployment that is slow would be as slow, so it is no alternative.
    """
    if walk.state == State.CONTINUING:
        return True
    if successor(walk, attempt.candidate) >= 0:
        return True
    return any(other.live and other.number > attempt.number for other in walk.tries)
