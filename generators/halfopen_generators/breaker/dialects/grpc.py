"""gRPC's service config: retries, hedging and the deadline, as any client's channel takes them.

What it means: https://github.com/grpc/grpc/blob/master/doc/service_config.md, the message
https://github.com/grpc/grpc-proto/blob/master/grpc/service_config/service_config.proto, and for retries and hedging
gRFC A6, https://github.com/grpc/proposal/blob/master/A6-client-retries.md.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from decimal import ROUND_DOWN, Decimal
from typing import Any

from halfopen.checkers import channel
from halfopen.vocabulary import Artifact, Check
from halfopen_generators.breaker.dialects import Dialect, Unsaid
from halfopen_generators.breaker.dialects.telling import RETRY, lacking, ordered, untimed
from halfopen_generators.breaker.plan import CallPlan, Failure, HedgePlan, Layer, RetryPlan
from halfopen_generators.breaker.readers.grpc import read

TITLE = "gRPC"
PARTS: frozenset[Layer] = frozenset({"retry", "timeout"})
# A6: "Values greater than 5 are treated as 5", and maxTokens is at most 1000.
_MOST, _MOST_TOKENS = 5, 1000
_LEAST_RATIO = Decimal("0.001")
# A server that can't now says UNAVAILABLE. That it was never reached says the same code, so by it alone nothing can be
# told apart; but what never left the client, and what the server's application never saw, is retried transparently.
_CODES: dict[Failure, str] = {"unavailable": "UNAVAILABLE", "timeout": "DEADLINE_EXCEEDED"}
_HEDGED = 2


def says(call: CallPlan) -> tuple[Artifact, ...]:
    """The config of the one method, so that no other on the channel is retried by it."""
    text = json.dumps(config(call), indent=2) + "\n"
    return (Artifact(path=f"grpc/{call.name}.service-config.json", media_type="application/json", text=text),)


def config(call: CallPlan) -> dict[str, Any]:
    """The same as a tree."""
    method: dict[str, Any] = {"name": [{"service": call.dependency, "method": call.operation}]}
    if "timeout" in call.layers:
        method["timeout"] = _seconds(_deadline(call))
    found: dict[str, Any] = {"methodConfig": [method]}
    if (retry := _retried(call)) is not None:
        method["retryPolicy"] = {
            "maxAttempts": min(retry.attempts, _MOST),
            "initialBackoff": _seconds(retry.first_wait),
            "maxBackoff": _seconds(retry.longest_wait),
            "backoffMultiplier": retry.factor,
            "retryableStatusCodes": _codes(retry),
        }
        found["retryThrottling"] = {"maxTokens": _tokens(call, retry), "tokenRatio": float(_ratio(retry))}
    elif (hedge := _hedged(call)) is not None:
        # No code is named, so any failure ends the call: only slowness is hedged.
        method["hedgingPolicy"] = {"maxAttempts": _HEDGED, "hedgingDelay": _seconds(hedge.after)}
    return found


def unsaid(call: CallPlan) -> tuple[Unsaid, ...]:
    """What a service config has no words for."""
    return tuple(_unsaid(call))


def checks(call: CallPlan, artifacts: tuple[Artifact, ...]) -> tuple[Check, ...]:
    """A real channel, asked whether it takes the config."""
    looked_at = f"{call.dependency}/{call.operation}"
    return tuple(channel.accepted(artifact.text, looked_at=looked_at) for artifact in artifacts)


def _unsaid(call: CallPlan) -> Iterator[Unsaid]:
    if "." not in call.dependency:
        why = f"gRPC knows a method by its service's full name, and of that the policy has {call.dependency}."
        yield Unsaid((), why, "That name: write package and service in its place, or the config applies to nothing.")
    yield from _unsaid_waits(call)
    yield from untimed(call, TITLE)
    if "timeout" in call.layers and _retried(call) is None and _hedged(call) is None:
        if call.timeout.per_try != call.timeout.overall:
            yield Unsaid(("per_try", "overall"), "gRPC has one deadline for a call, which is the one of its only try.",
                         f"{_seconds(_deadline(call))}, the shorter of the two, ends both.")  # fmt: skip
    elif "timeout" in call.layers:
        again = call.retry is not None and "timeout" in call.retry.on
        why = "gRPC has one deadline for a call and no timeout of a single try, so a try that hangs is not tried again."
        stands = f"{_seconds(call.timeout.overall)} for all tries together"
        yield Unsaid(("per_try", "retried_on") if again else ("per_try",), why,
                     f"{stands}, and another try where the server itself says DEADLINE_EXCEEDED." if again
                     else f"{stands}.")  # fmt: skip
    yield from lacking(call, TITLE, PARTS, {})
    if call.retry is not None and call.retry.on_open and call.breaker is not None:
        yield Unsaid(("retries_open",), "Where there is no breaker, none rejects.", "Nothing to try again.")
    if call.hedge is not None and _hedged(call) is None:
        why = "A method has a retryPolicy or a hedgingPolicy, not both (A6)."
        yield Unsaid(("hedge_after",), why, "The retryPolicy: it costs no second try while all is well.")
    there = (("timeout", "timeout" in call.layers), ("retry", _retried(call) is not None))
    stands_so: tuple[Layer, ...] = tuple(layer for layer, is_there in there if is_there)  # type: ignore[misc]
    yield from ordered(call, TITLE, stands_so, "sets the timeout around all tries, and has no other parts.")


def _unsaid_waits(call: CallPlan) -> Iterator[Unsaid]:
    retry = _retried(call)
    if retry is None:
        if call.retry is not None:
            why = "A server that was never reached and one that can't now are the same code to gRPC: UNAVAILABLE."
            yield Unsaid(RETRY, why, "Transparent retries alone, which repeat only what no server has handled.")
        return
    wide = "Each wait is its length, a fifth more or less (A6)."
    yield Unsaid(("jitter",), "gRPC's jitter is fixed.", wide)
    if retry.attempts > _MOST:
        yield Unsaid(("attempts",), f"gRPC makes {_MOST} tries at most (A6).", f"{_MOST} tries.")
    if float(_ratio(retry)) != retry.budget:
        yield Unsaid(("budget",), "gRPC reads three digits of a tokenRatio (A6).", f"{_ratio(retry)} of the calls.")


def _retried(call: CallPlan) -> RetryPlan | None:
    return call.retry if call.retry is not None and _codes(call.retry) else None


def _hedged(call: CallPlan) -> HedgePlan | None:
    return call.hedge if _retried(call) is None else None


def _deadline(call: CallPlan) -> float:
    """Of all tries together, so of the only one where there is no other."""
    tries = _retried(call) or _hedged(call)
    return call.timeout.overall if tries else min(call.timeout.per_try, call.timeout.overall)


def _codes(retry: RetryPlan) -> list[str]:
    return [code for failure, code in _CODES.items() if failure in retry.on]


def _ratio(retry: RetryPlan) -> Decimal:
    """What a success gives back: then no more calls fail and are retried, in the long run, than this share."""
    return max(Decimal(repr(retry.budget)).quantize(_LEAST_RATIO, ROUND_DOWN), _LEAST_RATIO)


def _tokens(call: CallPlan, retry: RetryPlan) -> int:
    """Half of them may be lost in one burst: what the budget grants in the time of one call, or one call's tries."""
    burst = max(retry.attempts, math.ceil(call.known.each * retry.budget * call.timeout.overall))
    return min(2 * burst, _MOST_TOKENS)


def _seconds(number: float) -> str:
    """A duration with all nine digits behind the point, or none: grpc-js reads 0.3s as three nanoseconds."""
    text = f"{Decimal(repr(number)).quantize(Decimal('1e-9')):f}"
    whole, _, fraction = text.partition(".")
    return f"{text}s" if fraction.strip("0") else f"{whole}s"


DIALECT = Dialect("gRPC service config", "channel", "gRPC 1.60 or newer", PARTS, says, unsaid, read, checks)
