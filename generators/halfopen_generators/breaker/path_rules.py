"""What can be said of all calls together, and of who plays the policy, without running anything."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import pairwise

from halfopen.durations import spell_duration
from halfopen.findings import at
from halfopen.quantities import spell_rate
from halfopen.vocabulary import Certainty, Evidence, Finding, Severity
from halfopen_generators.breaker.codes import finding
from halfopen_generators.breaker.plan import CallPlan, Layer, Policy, Upstream
from halfopen_generators.breaker.policy import policy

_SLIGHTLY = 1e-9


def as_played(planned: Policy) -> Policy:
    """The policy as its stacks can play it together: what none of them can isn't there."""
    return replace(planned, calls=tuple(call.only(_parts(planned)) for call in planned.calls))


def _parts(planned: Policy) -> frozenset[Layer]:
    return frozenset().union(*(share.parts for share in planned.shares))


def timeouts_above(planned: Policy) -> Iterator[Finding]:
    """NET01: a caller above that waits for ever."""
    for above in planned.upstream:
        if above.timeout is None:
            yield finding(
                "NET01",
                f"{above.caller} waits for {above.dependency} without a timeout: while one call hangs, so does all "
                "that waits for it.",
                f"A timeout longer than {above.dependency} takes, retries included.",
                _place(above),
            )


@dataclass(frozen=True)
class _Wait:
    """How long one caller waits: for a try, and in all."""

    caller: str
    dependency: str
    each: float | None
    tries: int
    overall: float | None
    places: tuple[Evidence, ...]


def shorter_than_the_caller(planned: Policy) -> Iterator[Finding]:
    """NET02: somebody still waits for an answer that nobody waits for any more."""
    waits = [*map(_waits_above, planned.upstream), *map(_waits, planned.calls)]
    for outer, inner in pairwise(waits):
        if outer.each is None or inner.overall is None or inner.overall < outer.each - _SLIGHTLY:
            continue
        limit, overall = spell_duration(outer.each), spell_duration(round(inner.overall, 3))
        tries = f" ({inner.tries} tries)" if inner.tries > 1 else ""
        yield finding(
            "NET02",
            f"{inner.caller} waits up to {overall} for {inner.dependency}{tries}, but {outer.caller} gives up on "
            f"{inner.caller} after {limit}: what comes later is work for nobody.",
            f"Less than {limit} for {inner.dependency}, or more than {overall} for {inner.caller}.",
            *inner.places,
            *outer.places,
        )


def _waits_above(above: Upstream) -> _Wait:
    # What the waits between tries add isn't known, so it is at least this.
    overall = above.timeout * above.attempts if above.timeout is not None else None
    return _Wait(above.caller, above.dependency, above.timeout, above.attempts, overall, (_place(above),))


def _waits(call: CallPlan) -> _Wait:
    tries = call.retry.attempts if call.retry else 1
    places = ("deadline",) if call.retry else ("timeout", "deadline")
    return _Wait(call.caller, call.dependency, call.timeout.per_try, tries, call.timeout.overall,
                 tuple(at(*call.location, place) for place in places))  # fmt: skip


def _place(above: Upstream) -> Evidence:
    return Evidence(path=above.place, file=above.file, line=above.line)


def product(planned: Policy) -> Iterator[Finding]:
    """RES03 or RES04: what one request becomes when several layers try again."""
    layers = [
        *(
            (f"{above.caller} calls {above.dependency} {above.attempts} times", above.attempts, _place(above))
            for above in planned.upstream
        ),
        *(
            (f"{call.caller} calls {call.dependency} {call.retry.attempts} times", call.retry.attempts,
             at(*call.location, "retries", "attempts"))
            for call in planned.calls if call.retry
        ),
    ]  # fmt: skip
    retrying = [layer for layer in layers if layer[1] > 1]
    total, most = math.prod(attempts for _, attempts, _ in retrying), policy().retry.most_product.value
    if len(retrying) > 1 and total > most:
        yield finding(
            "RES03",
            f"{', '.join(who for who, _, _ in retrying)}: one request of a user becomes {total} calls of "
            f"{planned.calls[-1].dependency} at the worst, more than {most}.",
            "Retry at one layer only, the one nearest to what fails; `retries: {attempts: 1}` takes them away from "
            "the others.",
            *(place for _, _, place in retrying),
        )
        return
    others = [
        (f"{other} retries {call.operation}", at(*call.location, "retried_by"))
        for call in planned.calls for other in call.retried_by
    ]  # fmt: skip
    told = [*((who, place) for who, _, place in retrying), *others]
    if len(told) > 1:
        yield finding(
            "RES04",
            f"{len(told)} layers try again, and their tries multiply: {', '.join(who for who, _ in told)}.",
            "Leave the retries to one of them; `retries: {attempts: 1}` takes them away from this policy."
            if others
            else "Leave the retries to one of them; `retries: {attempts: 1}` takes them away from the others.",
            *(place for _, place in told),
            severity=Severity.WARNING,
        )


def repeated_from_above(planned: Policy) -> Iterator[Finding]:
    """RES05: who retries further out repeats what may not happen twice further in."""
    again = [above for above in planned.upstream if above.attempts > 1 and not above.idempotent]
    unsafe = planned.calls[0]
    if again and unsafe.safety == "unsafe":
        above = again[-1]
        said = above.idempotent is False
        but = "" if said else f", unless {above.dependency} knows a repeated request"
        yield finding(
            "RES05",
            f"{above.caller} tries {above.dependency} {above.attempts} times, and each try may call "
            f"{unsafe.operation} again, which isn't idempotent and has no idempotency_key{but}.",
            f"One try there, or the idempotency_key by which {unsafe.dependency} knows a repeated call.",
            at("idempotent"),
            _place(above),
            severity=Severity.ERROR if said else Severity.WARNING,
            certainty=Certainty.PROVEN if said else Certainty.HEURISTIC,
        )


def fallback_further_in(planned: Policy) -> Iterator[Finding]:
    """RES13: what the fallback needs is needed by what it stands in for, by the chain or by the architecture."""
    for number, call in enumerate(planned.calls):
        other = call.fallback_dependency
        if call.fallback is None or other in (None, call.dependency):
            continue
        inner = [each.dependency for each in planned.calls[number + 1 :] if each.dependency == other]
        shared = [name for each in planned.shared if each.location == call.location for name in each.names]
        both = list(dict.fromkeys([*inner, *shared]))
        if both:
            which = ", ".join(both)
            yield finding(
                "RES13",
                f"The fallback {'calls' if both == [other] else 'needs'} {which}, which {call.dependency} needs too: "
                f"when {'that fails' if len(both) == 1 else 'one of them fails'}, both do.",
                f"A fallback that needs nothing of {which}, or none: an error that comes at once.",
                at(*call.location, "fallback_dependency"),
                severity=Severity.WARNING,
            )


def ejection(planned: Policy) -> Iterator[Finding]:
    """RES11: a mesh that ejects hosts, where those that are left can't do what is asked."""
    meshes = ", ".join(share.stack for share in planned.shares if share.kind == "mesh" and "breaker" in share.parts)
    for call, asked in zip(planned.calls, planned.spec.chain, strict=True):
        hosts, known = call.known.hosts, call.known
        left = known.capacity * (hosts - 1) / hosts
        # Of a capacity that was assumed nothing follows; of one that is too small with all hosts, RES19 tells.
        enough_left = asked.capacity is None or left >= known.rate - _SLIGHTLY or known.capacity <= known.rate
        if not meshes or (hosts > 1 and enough_left):
            continue
        if hosts == 1:
            why = f"{call.dependency} has one: once it is out, nothing is left, for any of its operations"
        else:
            why = (
                f"with one of {hosts} out the others can do {spell_rate(left)} and are asked for "
                f"{spell_rate(known.rate)}: they are the next to fail"
            )
        enough = 2 if hosts == 1 else math.ceil(known.rate * hosts / known.capacity - _SLIGHTLY) + 1
        more = f" and `capacity: {spell_rate(known.capacity / hosts * enough)}`" if asked.capacity else ""
        yield finding(
            "RES11",
            f"{meshes} takes failing hosts out, and {why}.",
            f"`hosts: {enough}`{more}, or leave the breaker to a library.",
            at(*call.location, "hosts"),
            at(*call.location, "capacity"),
            severity=Severity.WARNING,
        )


def unplayed(wished: Policy) -> Iterator[Finding]:
    """NET01, RES01, RES15, TGT02: a part of the policy, as it was wished for, that no stack can play."""
    parts, names = _parts(wished), ", ".join(share.stack for share in wished.shares)
    wanted: frozenset[Layer] = frozenset(layer for call in wished.calls for layer in call.layers)
    for part, (code, why, fix, severity) in _UNPLAYED.items():
        if part in wanted - parts:
            yield finding(code, f"{names} can't {why}.", fix, at("stacks"), severity=severity)


_ADD = "Add a stack that can"
_UNPLAYED: dict[Layer, tuple[str, str, str, Severity]] = {
    "timeout": (
        "NET01",
        "end a call that takes too long: while the dependency hangs, so does all that waits for it",
        f"{_ADD}, such as resilience4j, grpc or envoy.",
        Severity.ERROR,
    ),
    "breaker": (
        "RES01",
        "stop calling a dependency that is down: each call still waits for its timeout",
        f"{_ADD}: a library such as resilience4j, or a mesh that ejects hosts.",
        Severity.WARNING,
    ),
    "bulkhead": (
        "RES15",
        "bound how many calls are under way: a slow dependency takes all threads, or all memory",
        f"{_ADD}, such as resilience4j or envoy, or refuse what is too much where it comes in.",
        Severity.WARNING,
    ),
    "limit": (
        "RES15",
        "hold the quota: nothing limits how many calls begin in a second",
        f"{_ADD}, such as resilience4j or envoy.",
        Severity.WARNING,
    ),
    "retry": ("TGT02", "try again: a call has one try", f"{_ADD}, or leave it so.", Severity.INFO),
    "fallback": (
        "TGT02",
        "answer in the dependency's place: without the fallback the caller gets an error",
        "Answer in your own code, where the error arrives.",
        Severity.INFO,
    ),
}

OF_THE_PATH: tuple[Callable[[Policy], Iterator[Finding]], ...] = (
    timeouts_above, shorter_than_the_caller, product, repeated_from_above, fallback_further_in, ejection,
)  # fmt: skip
