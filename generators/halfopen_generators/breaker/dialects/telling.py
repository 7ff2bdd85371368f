"""What the channels and meshes share: how they write durations, and how they tell what none of them can say."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from decimal import Decimal

from halfopen_generators.breaker.dialects import Unsaid
from halfopen_generators.breaker.plan import CallPlan, Layer
from halfopen_generators.breaker.reading import Term

_BREAKER: tuple[Term, ...] = (
    "window", "size", "minimum_calls", "failure_ratio", "slow_ratio", "slow_after", "open_for", "probes",
)  # fmt: skip
RETRY: tuple[Term, ...] = ("attempts", "first_wait", "factor", "longest_wait", "jitter", "budget", "retried_on")
# What a stack lacks that has no such part at all, and whether the call is less safe without it.
_PARTS: Mapping[Layer, tuple[tuple[Term, ...], bool]] = {
    "fallback": ((), False),
    "retry": (RETRY, False),
    "breaker": (_BREAKER, True),
    "limit": (("rate",), True),
    "bulkhead": (("concurrent",), True),
}
_CALLED: Mapping[Layer, str] = {
    "fallback": "answers in the dependency's place",
    "retry": "retries",
    "breaker": "breaker",
    "limit": "limit on how many calls begin in a second",
    "bulkhead": "limit on how many calls are under way at once",
}


def seconds(number: float) -> str:
    """A duration as Protobuf's JSON has it: 0.9s."""
    return f"{decimal(number)}s"


def decimal(number: float) -> str:
    """The number without an exponent, to the nanosecond, and no zeros at its end: 0.9, 30."""
    text = f"{Decimal(repr(number)).quantize(Decimal('1e-9')):f}"
    return text.rstrip("0").rstrip(".")


def whole(number: float) -> float:
    """The same, as an int if it is one: 20 rather than 20.0."""
    return int(number) if number == int(number) else number


def milliseconds(number: float) -> float:
    """The same to the millisecond, which is what the meshes take; never nothing."""
    return max(round(number, 3), 0.001)


def rounded(call: CallPlan, title: str) -> Iterator[Unsaid]:
    """A telling for each duration that has more digits than a mesh takes."""
    retry, breaker = call.retry, call.breaker
    durations: dict[Term, float | None] = {
        "per_try": call.timeout.per_try,
        "overall": call.timeout.overall,
        "first_wait": retry.first_wait if retry else None,
        "longest_wait": retry.longest_wait if retry else None,
        "size": breaker.size if breaker and breaker.window == "time" else None,
        "open_for": breaker.open_for if breaker else None,
    }
    for term, number in durations.items():
        if number is not None and not math.isclose(milliseconds(number), number, rel_tol=1e-9):
            yield Unsaid((term,), f"{title} takes durations in whole milliseconds.", seconds(milliseconds(number)))


def lacking(call: CallPlan, title: str, parts: frozenset[Layer], instead: Mapping[Layer, str]) -> Iterator[Unsaid]:
    """A telling for each part of the policy that the stack has nothing for.

    `instead` says by part what stands there; where it says nothing, nothing does.
    """
    wanted = {"retry": call.retry, "breaker": call.breaker, "limit": call.limit, "bulkhead": call.bulkhead,
              "fallback": call.fallback}  # fmt: skip
    for part, (terms, grave) in _PARTS.items():
        if wanted[part] is not None and part not in parts:
            yield Unsaid(
                terms,
                f"{title} has no {_CALLED[part]}.",
                instead.get(part, "Nothing stands in its place."),
                grave=grave,
            )


def untimed(call: CallPlan, title: str) -> Iterator[Unsaid]:
    """A telling where another stack plays the timeouts."""
    if "timeout" not in call.layers:
        why = f"Another stack ends tries and calls that take too long; {title} ending them too would hide which did."
        yield Unsaid(("per_try", "overall"), why, "No timeout, where there is one by default it is switched off.")


def ordered(call: CallPlan, title: str, stands: tuple[Layer, ...], because: str) -> Iterator[Unsaid]:
    """A telling where the layers don't stand as they were designed."""
    if tuple(call.layers) != stands:
        nearest = f"Outermost first: {', '.join(stands)}." if stands else "None of them."
        yield Unsaid(("layers",), f"{title} {because}", nearest)


def unlike(*, term: Term, wanted: float | str | None, stands: float | str | None, why: str, nearest: str,
           grave: bool = False) -> Iterator[Unsaid]:  # fmt: skip
    """A telling where a figure of the files isn't the plan's."""
    if wanted != stands:
        yield Unsaid((term,), why, nearest, grave=grave)
