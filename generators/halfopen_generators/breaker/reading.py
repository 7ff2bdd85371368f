"""What a policy's figures are called when a dialect's files are read back, and whether two say the same.

A reader makes a `Reading` from the texts of the files alone; `intended` makes one from the plan. A reader imports
nothing that spells, so that one mistake can't be made twice.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping
from typing import Literal

from halfopen_generators.breaker.plan import CallPlan

Term = Literal[
    "per_try", "overall",  # seconds
    "attempts", "first_wait", "factor", "longest_wait", "jitter", "budget", "retried_on", "retries_open",
    "window", "size", "minimum_calls", "failure_ratio", "slow_ratio", "slow_after", "open_for", "probes",
    "concurrent", "rate", "hedge_after",
    "layers",  # outermost first, of those that are there
]  # fmt: skip
# None: the files switch it off, or say nothing and it is off by default. A term that is missing: it can't be known.
Value = float | str | bool | tuple[str, ...] | None
Reading = Mapping[Term, Value]

_NEAR = 1e-9


def intended(call: CallPlan) -> dict[Term, Value]:
    """What the files have to mean. `call` is the policy as that stack has it to play (`CallPlan.only`)."""
    retry, breaker = call.retry, call.breaker
    return {
        "per_try": call.timeout.per_try,
        "overall": call.timeout.overall,
        "attempts": retry.attempts if retry else 1,
        "first_wait": retry.first_wait if retry else None,
        "factor": retry.factor if retry else None,
        "longest_wait": retry.longest_wait if retry else None,
        "jitter": retry.jitter if retry else None,
        "budget": retry.budget if retry else None,
        "retried_on": tuple(sorted(retry.on)) if retry else (),
        "retries_open": bool(retry and retry.on_open and breaker),
        "window": breaker.window if breaker else None,
        "size": breaker.size if breaker else None,
        "minimum_calls": breaker.minimum_calls if breaker else None,
        "failure_ratio": breaker.failure_ratio if breaker else None,
        "slow_ratio": breaker.slow_ratio if breaker else None,
        "slow_after": breaker.slow_after if breaker else None,
        "open_for": breaker.open_for if breaker else None,
        "probes": breaker.probes if breaker else None,
        "concurrent": call.bulkhead.concurrent if call.bulkhead else None,
        "rate": call.limit.rate if call.limit else None,
        "hedge_after": call.hedge.after if call.hedge else None,
        "layers": tuple(call.layers),
    }


def differences(call: CallPlan, read: Reading, unsaid: Collection[str]) -> Iterator[str]:
    """Where the files mean something else than the plan, a sentence each; what is told as unsaid is left out.

    A term that the reader couldn't know and that nobody told as unsaid is a difference too: silence proves nothing.
    """
    for term, wanted in intended(call).items():
        if term in unsaid:
            continue
        if term not in read:
            yield f"{term}: {_shown(wanted)} is intended, and the files don't say."
        elif not _same(wanted, read[term]):
            yield f"{term}: {_shown(wanted)} is intended, the files say {_shown(read[term])}."


def _same(wanted: Value, found: Value) -> bool:
    numbers = (int, float)
    if isinstance(wanted, bool) or isinstance(found, bool) or not isinstance(wanted, numbers):
        return wanted == found and type(wanted) is type(found)
    return isinstance(found, numbers) and math.isclose(wanted, found, rel_tol=_NEAR)


def _shown(value: Value) -> str:
    if value is None:
        return "nothing"
    if isinstance(value, tuple):
        return ", ".join(value) or "nothing"
    return f"{value:.12g}" if isinstance(value, float) else str(value)
