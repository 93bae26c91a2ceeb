"""Requests that came more than once: equal, nearly equal, answered differently, or used for evaluation. Pure.

What is template (see `groups.py`) says nothing about whether two requests are the same and is left out when
they are compared.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence

import msgspec

from wicket.lab.examples import Sample
from wicket.lab.groups import Group, bare
from wicket.lab.removal import Removal, split_by
from wicket.lab.shapes import Learned
from wicket.lab.shingles import clusters, near_pairs, shingles, words
from wicket.minis.answers import canonical

Key = tuple[int, str]


def outranked(samples: Sequence[Sample]) -> Removal:
    """Logged answers to requests that somebody corrected; of several corrections the newest stands."""
    newest: dict[tuple[str, str], int] = {}
    for place, sample in enumerate(samples):
        key = _request_key(sample)
        if sample.corrected and (key not in newest or sample.at_ms >= samples[newest[key]].at_ms):
            newest[key] = place
    reasons = {
        place: "older_correction" if sample.corrected else "corrected"
        for place, sample in enumerate(samples)
        if newest.get(_request_key(sample), place) != place
    }
    return split_by(samples, reasons)


def exact_duplicates(samples: Sequence[Sample], learned: Sequence[Learned]) -> Removal:
    """One of each request with its answer, in the answer's one spelling; the newest, with their weight."""
    places: dict[tuple[str, str, str], list[int]] = defaultdict(list)
    spelled = []
    for place, sample in enumerate(samples):
        answer = canonical(learned[sample.group].shape, sample.answer)
        spelled.append(msgspec.structs.replace(sample, answer=answer))
        places[(*_request_key(sample), answer)].append(place)
    return _merged(spelled, places.values(), "same")


def near_duplicates(
    samples: Sequence[Sample], learned: Sequence[Learned], groups: Sequence[Group], threshold: float
) -> Removal:
    """One of each cluster of nearly equal requests that have the same answer."""
    places: dict[tuple[int, str], list[int]] = defaultdict(list)
    for place, cluster in enumerate(request_clusters(samples, groups, threshold)):
        places[cluster, samples[place].answer].append(place)
    return _merged(samples, places.values(), "nearly_same")


def contradictions(
    samples: Sequence[Sample],
    learned: Sequence[Learned],
    groups: Sequence[Group],
    threshold: float,
    majority: float,
) -> Removal:
    """Different answers to the same request: a clear majority stands, else none; a correction always does.

    Nearly equal requests count as the same unless the words in which they differ explain the answers
    ("a table for two …" and "a table for six …" may well be answered differently). Free texts say the same in
    many ways: of equal requests the newest stands there.
    """
    reasons: dict[int, str] = {}
    for rivals in _rivals(samples, learned, _pairs(samples, groups, threshold)):
        is_text = learned[samples[rivals[0]].group].shape.kind == "text"
        stand = _standing(samples, rivals, majority, is_text=is_text)
        reason = "rephrased" if is_text else "outvoted" if stand else "undecided"
        reasons |= {place: reason for place in rivals if place not in stand}
    return split_by(samples, reasons)


def evaluation_twins(
    samples: Sequence[Sample], evaluation: Sequence[Sample], groups: Sequence[Group], threshold: float
) -> Removal:
    """Requests that are, exactly or nearly, in the evaluation data: they must not be learned."""
    if not evaluation:
        return Removal(list(samples), [])
    frames = sorted(
        {(group.prefix, group.suffix) for group in groups}, key=lambda frame: -len("".join(frame))
    )
    asked = {" ".join(words(_bare_of_any(sample.text, frames))) for sample in evaluation}
    texts = [" ".join(words(groups[sample.group].bare(sample.text))) for sample in samples]
    different = sorted(asked.union(texts))
    found = near_pairs(shingles(different), threshold)
    near = set(asked)
    for one, other in zip(found.first.tolist(), found.second.tolist(), strict=True):
        if different[one] in asked:
            near.add(different[other])
        if different[other] in asked:
            near.add(different[one])
    reasons = {
        place: "exact" if text in asked else "near" for place, text in enumerate(texts) if text in near
    }
    return split_by(samples, reasons)


def request_clusters(samples: Sequence[Sample], groups: Sequence[Group], threshold: float) -> list[int]:
    """For each sample the place of the first one whose request is nearly the same (single linkage)."""
    return clusters(len(samples), _pairs(samples, groups, threshold))


def _pairs(samples: Sequence[Sample], groups: Sequence[Group], threshold: float) -> list[tuple[int, int]]:
    """Places of nearly equal requests of the same group."""
    found = near_pairs(shingles([groups[sample.group].bare(sample.text) for sample in samples]), threshold)
    pairs = zip(found.first.tolist(), found.second.tolist(), strict=True)
    return [(one, other) for one, other in pairs if samples[one].group == samples[other].group]


def _rivals(
    samples: Sequence[Sample], learned: Sequence[Learned], pairs: Iterable[tuple[int, int]]
) -> list[list[int]]:
    """Places of requests that are the same and have more than one answer between them."""
    same: list[tuple[int, int]] = []
    newest: dict[Key, int] = {}
    for place, sample in enumerate(samples):
        same.append((newest.setdefault((sample.group, _squeezed(sample.text)), place), place))
    same += [
        (one, other)
        for one, other in pairs
        if learned[samples[one].group].shape.kind != "text" and not _explained(samples[one], samples[other])
    ]
    members: dict[int, list[int]] = defaultdict(list)
    for place, cluster in enumerate(clusters(len(samples), same)):
        members[cluster].append(place)
    return [places for places in members.values() if len({samples[place].answer for place in places}) > 1]


def _explained(one: Sample, other: Sample) -> bool:
    """Whether two requests differ in just what their answers differ in, or in signs alone (3+5, 3*5)."""
    asked, asked_too = Counter(words(one.text)), Counter(words(other.text))
    if one.answer == other.answer:
        return False
    if asked == asked_too:
        return _squeezed(one.text) != _squeezed(other.text)
    said, said_too = set(words(one.answer)), set(words(other.answer))
    mine, yours = set(asked - asked_too) & (said - said_too), set(asked_too - asked) & (said_too - said)
    return bool(mine or yours)


def _standing(
    samples: Sequence[Sample], rivals: Sequence[int], majority: float, *, is_text: bool
) -> set[int]:
    """The places of those whose answer stands; none if it is undecided."""
    corrected = [place for place in rivals if samples[place].corrected]
    if corrected or is_text:
        best = samples[max(corrected or rivals, key=lambda place: _age(samples[place]))].answer
        return {place for place in rivals if samples[place].answer == best}
    votes: Counter[str] = Counter()
    for place in rivals:
        votes[samples[place].answer] += samples[place].weight
    best, number = max(votes.items(), key=lambda item: (item[1], item[0]))
    if number < majority * votes.total():
        return set()
    return {place for place in rivals if samples[place].answer == best}


def _merged(samples: Sequence[Sample], clusters_of: Iterable[Sequence[int]], reason: str) -> Removal:
    """Of each cluster the newest (a correction before any other), with the weight of all."""
    kept: list[tuple[int, Sample]] = []
    removed: list[tuple[int, Sample]] = []
    for places in clusters_of:
        best = max(places, key=lambda place: (samples[place].corrected, _age(samples[place])))
        weight = sum(samples[place].weight for place in places)
        kept.append((best, msgspec.structs.replace(samples[best], weight=weight)))
        removed += [(place, samples[place]) for place in places if place != best]
    kept.sort(key=lambda item: item[0])
    removed.sort(key=lambda item: item[0])
    return Removal([sample for _, sample in kept], [(sample, reason) for _, sample in removed])


def _age(sample: Sample) -> tuple[int, str]:
    return sample.at_ms, sample.id


def _request_key(sample: Sample) -> tuple[str, str]:
    return sample.system, " ".join(sample.text.split())


def _squeezed(text: str) -> str:
    return " ".join(text.split()).casefold().strip(" .!?,;")


def _bare_of_any(text: str, frames: Iterable[tuple[str, str]]) -> str:
    for prefix, suffix in frames:
        without = bare(text, prefix, suffix)
        if without != text:
            return without
    return text
