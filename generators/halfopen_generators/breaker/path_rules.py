"""What can be said of all calls together, and of who plays the policy, without running anything."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from itertools import pairwise

from halfopen.durations import spell_duration
from halfopen.findings import at
from halfopen.vocabulary import Evidence, Finding, Severity
from halfopen_generators.breaker.codes import finding
from halfopen_generators.breaker.plan import Layer, Policy, Upstream
from halfopen_generators.breaker.policy import policy


def shorter_than_the_caller(planned: Policy) -> Iterator[Finding]:
    """NET02: somebody still waits for an answer that nobody waits for any more."""
    for above, below in pairwise(planned.upstream):
        if above.timeout is not None and below.timeout is not None and below.timeout >= above.timeout:
            yield _not_shorter(below.timeout, f"{below.caller} for {below.dependency}", above.timeout, above.caller,
                               _place(below), _place(above))  # fmt: skip
    first = planned.calls[0]
    if planned.upstream and (limit := planned.upstream[-1].timeout) is not None and first.timeout.overall >= limit:
        above = planned.upstream[-1]
        yield _not_shorter(first.timeout.overall, f"{first.caller} for {first.dependency}", limit, above.caller,
                           at("deadline"), _place(above))  # fmt: skip
    for outer, inner in pairwise(planned.calls):
        if inner.timeout.overall >= outer.timeout.per_try:
            who = f"{inner.caller} for {inner.dependency}"
            yield _not_shorter(inner.timeout.overall, who, outer.timeout.per_try, outer.caller,
                               at(*inner.location, "deadline"), at(*outer.location, "timeout"))  # fmt: skip


def _not_shorter(waits: float, who: str, limit: float, caller: str, *places: Evidence) -> Finding:
    return finding(
        "NET02",
        f"{who[:1].upper()}{who[1:]} waits up to {spell_duration(waits)}, its own caller {caller} only "
        f"{spell_duration(limit)} for one try: what comes later is work for nobody.",
        f"Less than {spell_duration(limit)}, or pass the remaining deadline on and stop when it is over.",
        *places,
    )


def _place(above: Upstream) -> Evidence:
    return Evidence(path=above.place, file=above.file, line=above.line)


def timeouts_above(planned: Policy) -> Iterator[Finding]:
    """NET01: a caller above that waits for ever."""
    for above in planned.upstream:
        if above.timeout is None:
            yield finding(
                "NET01",
                f"{above.caller} waits for {above.dependency} without a timeout: while one call hangs, so does all "
                "that waits for it.",
                "A timeout longer than what is called takes, retries included.",
                _place(above),
            )


def product(planned: Policy) -> Iterator[Finding]:
    """RES03 and RES04: what one request becomes when several layers try again."""
    layers = [
        *((f"{above.caller} calls {above.dependency}", above.attempts, _place(above)) for above in planned.upstream),
        *(
            (f"{call.caller} calls {call.dependency}", call.retry.attempts if call.retry else 1,
             at(*call.location, "retries"))
            for call in planned.calls
        ),
    ]  # fmt: skip
    retrying = [layer for layer in layers if layer[1] > 1]
    total = math.prod(attempts for _, attempts, _ in retrying)
    told = ", ".join(f"{who} {attempts} times" for who, attempts, _ in retrying)
    most = policy().retry.most_product.value
    if total > most:
        yield finding(
            "RES03",
            f"{told}: one request of a user becomes {total} calls of {planned.calls[-1].dependency} at the worst, more "
            f"than {most}.",
            "Retry at one layer only: the one that knows what is idempotent, nearest to what fails.",
            *(place for _, _, place in retrying),
        )
    if len(retrying) > 1:
        yield finding(
            "RES04",
            f"{len(retrying)} layers try again ({told}).",
            "Leave the retries to one of them; `retries: {attempts: 1}` takes them away from the others.",
            *(place for _, _, place in retrying),
            severity=Severity.WARNING,
        )
    for call in planned.calls:
        if call.retried_by and call.retry:
            yield finding(
                "RES04",
                f"{', '.join(call.retried_by)} and the policy both retry {call.operation}: "
                f"{call.retry.attempts} tries are multiplied by theirs.",
                "Switch the retries off in one of the two.",
                at(*call.location, "retried_by"),
                severity=Severity.WARNING,
            )


def played(planned: Policy) -> Iterator[Finding]:
    """RES01, RES15: a part of the policy that no stack can play."""
    parts: frozenset[Layer] = frozenset().union(*(share.parts for share in planned.shares))
    names = ", ".join(share.stack for share in planned.shares)
    if "breaker" not in parts:
        yield finding(
            "RES01",
            f"{names} can't stop calling a dependency that is down: each call still waits for its timeout.",
            "Add a stack that has a breaker: a library such as resilience4j, or a mesh that ejects hosts.",
            at("stacks"),
            severity=Severity.WARNING,
        )
    if not parts & {"bulkhead", "limit"}:
        yield finding(
            "RES15",
            f"{names} can't bound how many calls are under way: a slow dependency takes all threads, or all memory.",
            "Add a stack that has a bulkhead or a limit, or shed at the entry.",
            at("stacks"),
            severity=Severity.WARNING,
        )


def ejection(planned: Policy) -> Iterator[Finding]:
    """RES11: a mesh that ejects hosts, and there is one."""
    meshes = [share.stack for share in planned.shares if share.kind == "mesh" and "breaker" in share.parts]
    for call in planned.calls:
        if meshes and call.known.hosts == 1:
            yield finding(
                "RES11",
                f"{', '.join(meshes)} takes failing hosts out, and {call.dependency} has one: ejected it is gone "
                "altogether, and below the panic threshold nothing is ejected at all.",
                "Run two hosts or more, or leave the breaker to the library.",
                at(*call.location, "hosts"),
                severity=Severity.WARNING,
            )


OF_THE_PATH: tuple[Callable[[Policy], Iterator[Finding]], ...] = (
    timeouts_above, shorter_than_the_caller, product, played, ejection,
)  # fmt: skip
