"""Istio: a VirtualService that retries and times out one operation, a DestinationRule that ejects hosts.

What the fields mean: https://istio.io/latest/docs/reference/config/networking/virtual-service/ and
https://istio.io/latest/docs/reference/config/networking/destination-rule/. What Envoy makes of them, where Istio is
silent: https://www.envoyproxy.io/docs/envoy/latest/configuration/http/http_filters/router_filter.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from halfopen.vocabulary import Artifact, Check
from halfopen_generators.breaker.dialects import Dialect, Unsaid, ejection, kubernetes
from halfopen_generators.breaker.dialects.telling import (
    lacking,
    milliseconds,
    ordered,
    rounded,
    seconds,
    unlike,
    untimed,
    whole,
)
from halfopen_generators.breaker.dialects.yaml_files import note, yaml_file
from halfopen_generators.breaker.plan import CallPlan, Failure, Layer, RetryPlan
from halfopen_generators.breaker.readers.istio import read

TITLE = "Istio"
PARTS: frozenset[Layer] = frozenset({"retry", "breaker", "bulkhead", "timeout"})
# The conditions of x-envoy-retry-on and x-envoy-retry-grpc-on, and status codes. A connection that was never made, and
# a stream that the server refused, are the two that reached nobody. `reset` is a server that doesn't answer at all, a
# try over its timeout among them.
_ON: Mapping[Failure, tuple[str, ...]] = {
    "unreached": ("connect-failure", "refused-stream"),
    "unavailable": ("503", "unavailable"),
    "timeout": ("reset", "504", "deadline-exceeded"),
}
# Envoy's: it doubles the wait, up to ten times the first one (RetryBackOff.max_interval), and Istio sets neither.
_FACTOR, _SPREAD = 2, 10


def says(call: CallPlan) -> tuple[Artifact, ...]:
    """Both objects, in a file each."""
    return (
        yaml_file(f"istio/{call.name}.virtual-service.yaml", virtual_service(call), head=_HEAD_ROUTE),
        yaml_file(f"istio/{call.name}.destination-rule.yaml", destination_rule(call), head=_HEAD_RULE),
    )


_HEAD_ROUTE = """\
How one operation is tried. It is found by its path, as gRPC has it: over plain HTTP write your own match.
All else goes to the host as it did."""
_HEAD_RULE = """\
How many calls are under way to the host, and when an endpoint of it is left out.
Both hold for all that is called there."""


def virtual_service(call: CallPlan) -> dict[str, Any]:
    """The route of the operation, and after it the one of all others."""
    to = [{"destination": {"host": kubernetes.host(call)}}]
    route: dict[str, Any] = {
        "name": call.name,
        "match": [{"uri": {"regex": kubernetes.path_pattern(call)}}],
        "route": to,
    }
    if (timeout := _timeout(call)) is not None:
        route["timeout"] = seconds(timeout)
    route |= _retries(call)
    spec = {"hosts": [kubernetes.host(call)], "http": [route, {"name": "as-before", "route": to}]}
    return kubernetes.document("networking.istio.io/v1", "VirtualService", call, spec)


def destination_rule(call: CallPlan) -> dict[str, Any]:
    """The limits of the host."""
    policy: dict[str, Any] = {}
    if call.bulkhead is not None:
        policy["connectionPool"] = {"http": _pool(call.bulkhead.concurrent)}
    if call.retry is not None:
        policy |= note("Retries are that share of what is under way; without it Istio lets any number through.")
        policy["retryBudget"] = {"percent": whole(round(call.retry.budget * 100, 6)), "minRetryConcurrency": 1}
    policy["outlierDetection"] = _outliers(call)
    spec = {"host": kubernetes.host(call), "trafficPolicy": policy}
    return kubernetes.document("networking.istio.io/v1", "DestinationRule", call, spec)


def unsaid(call: CallPlan) -> tuple[Unsaid, ...]:
    """What Istio's API has no words for."""
    return tuple(_unsaid(call))


def checks(call: CallPlan, artifacts: tuple[Artifact, ...]) -> tuple[Check, ...]:
    """Both objects against the schema of what a policy may use of them."""
    return (kubernetes.check(TITLE, "istio", call, artifacts),)


def _timeout(call: CallPlan) -> float | None:
    """Of all tries together. A single try has no timeout but this one, since perTryTimeout comes with retries."""
    if "timeout" not in call.layers:
        return None
    return milliseconds(call.timeout.overall if call.retry else min(call.timeout.per_try, call.timeout.overall))


def _retries(call: CallPlan) -> dict[str, Any]:
    if call.retry is None:
        return {**note("Left out, Istio would retry twice."), "retries": {"attempts": 0}}
    found: dict[str, Any] = {"attempts": call.retry.attempts - 1}
    if "timeout" in call.layers:
        found["perTryTimeout"] = seconds(milliseconds(call.timeout.per_try))
    found["retryOn"] = ",".join(_conditions(call.retry))
    found |= note("Waits are random: up to this at first, up to twice as long each time, ten times at most.")
    found["backoff"] = seconds(milliseconds(call.retry.first_wait))
    return {**note("Retries: the first try isn't counted."), "retries": found}


def _conditions(retry: RetryPlan) -> Iterator[str]:
    for failure, conditions in _ON.items():
        if failure in retry.on:
            yield from conditions


def _pool(concurrent: int) -> dict[str, Any]:
    """One call more is refused. A call without a connection is pending while one is made, so as many may be.

    With a bound on connections (tcp.maxConnections) a call more would wait for one, and not be refused.
    """
    return {"http1MaxPendingRequests": concurrent, "http2MaxRequests": concurrent}


def _outliers(call: CallPlan) -> dict[str, Any]:
    if call.breaker is None:
        # With the key alone it would be five.
        return {"consecutive5xxErrors": 0, "consecutiveGatewayErrors": 0}
    open_for = milliseconds(call.breaker.open_for)
    return {
        "consecutive5xxErrors": ejection.consecutive(call.known),
        **note("How often it is looked who may come back."),
        "interval": seconds(milliseconds(int(open_for * 100) / 1000)),
        "baseEjectionTime": seconds(open_for),
        **note(f"So that {ejection.out_at_once(call.known)} can be out at once."),
        "maxEjectionPercent": ejection.percent(call.known),
        **note("No panic: hosts that are out get nothing, however few are left."),
        "minHealthPercent": 0,
    }


def _unsaid(call: CallPlan) -> Iterator[Unsaid]:
    why = f"{TITLE}'s DestinationRule holds for a host, whichever operation is called."
    if call.breaker is not None or call.bulkhead is not None:
        yield Unsaid((), why, "Calls of other operations count too, and are refused too.")
    yield from rounded(call, TITLE)
    yield from _unsaid_retries(call)
    yield from untimed(call, TITLE)
    if "timeout" in call.layers and call.retry is None and call.timeout.per_try != call.timeout.overall:
        shorter = seconds(_timeout(call) or 0)
        yield Unsaid(("per_try", "overall"), "A single try and the call have one timeout between them.",
                     f"{shorter}, the shorter of the two, ends both.")  # fmt: skip
    yield from ejection.unsaid_of_consecutive(call, TITLE)
    yield from ejection.unsaid_of_return(call, TITLE)
    yield from lacking(call, TITLE, PARTS, {})
    if call.hedge is not None:
        yield Unsaid(
            ("hedge_after",), f"{TITLE} sends no second try beside the first.", "A slow first try is waited for."
        )
    yield from ordered(call, TITLE, kubernetes.layers(call, PARTS), "has none of the others.")


def _unsaid_retries(call: CallPlan) -> Iterator[Unsaid]:
    retry = call.retry
    if retry is None:
        return
    first = milliseconds(retry.first_wait)
    yield from unlike(term="factor", wanted=retry.factor, stands=_FACTOR, why="Envoy doubles the wait.",
                      nearest="Twice as long each time.")  # fmt: skip
    yield from unlike(term="longest_wait", wanted=retry.longest_wait, stands=round(first * _SPREAD, 3),
                      why="Istio has only the first wait.", nearest="Ten times the first wait.")  # fmt: skip
    yield from unlike(term="jitter", wanted=retry.jitter, stands="full", why="Envoy's waits are random.",
                      nearest="Anything up to the wait.")  # fmt: skip
    yield Unsaid(("budget",), "Envoy counts retries under way, not calls, and lets one at a time through always.",
                 f"Retries are {retry.budget:.0%} of what is under way, or one.")  # fmt: skip


DIALECT = Dialect("Istio", "mesh", "Istio 1.27 or newer", PARTS, says, unsaid, read, checks)
