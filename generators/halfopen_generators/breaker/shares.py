"""Who plays what: several stacks stand around one call, and what two of them do is done twice."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from halfopen.vocabulary import Decision
from halfopen_generators.breaker.dialects import dialect
from halfopen_generators.breaker.plan import Kind, Layer, Share
from halfopen_generators.breaker.spec import Stack

RESILIENCE_LAW = 5
_EVERY: tuple[Kind, ...] = ("library", "channel", "mesh")
# What a mesh does beside a library that plays the policy: it sees hosts, which the library doesn't.
_BESIDE_LIBRARY: dict[Kind, frozenset[Layer]] = {
    "channel": frozenset({"timeout"}),
    "mesh": frozenset({"timeout", "breaker"}),
}
_BESIDE_CHANNEL: frozenset[Layer] = frozenset({"timeout", "breaker", "bulkhead", "limit"})


def shares(stacks: Iterable[Stack]) -> tuple[tuple[Share, ...], tuple[Decision, ...]]:
    """What each stack plays, so that no two of them retry the same call; stacks of one kind are alternatives."""
    named = tuple(dict.fromkeys(stacks))
    kinds = {stack: dialect(stack).kind for stack in named}
    leader = next(kind for kind in _EVERY if kind in kinds.values())
    found = tuple(replace(_share(stack, kinds[stack], leader), place=place) for place, stack in enumerate(named))
    return found, tuple(_decisions(found, leader))


def _share(stack: Stack, kind: Kind, leader: Kind) -> Share:
    able = dialect(stack).parts
    if kind == leader:
        return Share(stack, kind, able, "It is the innermost that knows the operation, so it plays all that it can.")
    if leader == "library":
        why = "The library retries, since it knows what is idempotent."
        if kind == "mesh":
            why += " The mesh sees single hosts, which the library doesn't: it takes out those that fail."
        return Share(stack, kind, able & _BESIDE_LIBRARY[kind], why)
    return Share(stack, kind, able & _BESIDE_CHANNEL, "The channel retries, since it knows the method.")


def _decisions(found: tuple[Share, ...], leader: Kind) -> Iterable[Decision]:
    for share in found:
        others = [other.stack for other in found if other.kind == share.kind and other is not share]
        because = share.because
        if others and share.kind == leader:
            because += f" In its place, not beside it: {', '.join(others)}."
        yield Decision(
            about=f"stacks[{share.place}]",
            choice=f"{share.stack}: {', '.join(sorted(share.parts))}",
            because=because,
            instead_of=() if share.kind == leader else ("every layer retries, which multiplies",),
            law=RESILIENCE_LAW,
        )
