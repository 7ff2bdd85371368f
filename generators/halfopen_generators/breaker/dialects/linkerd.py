"""Linkerd: an HTTPRoute that retries and times out one operation, annotations of the Service for failure accrual.

What they mean: https://linkerd.io/2.19/reference/retries/, https://linkerd.io/2.19/reference/timeouts/ and
https://linkerd.io/2.19/reference/circuit-breaking/. How retries wait is said nowhere there; it is what the policy
controller hands to the proxies, 25 ms to 250 ms with a jitter of as much again
(https://github.com/linkerd/linkerd2/blob/main/policy-controller/grpc/src/outbound/http.rs).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from halfopen.vocabulary import Artifact, Check
from halfopen_generators.breaker.dialects import Dialect, Unsaid, ejection, kubernetes
from halfopen_generators.breaker.dialects.telling import (
    RETRY,
    lacking,
    milliseconds,
    ordered,
    rounded,
    unlike,
    untimed,
)
from halfopen_generators.breaker.dialects.yaml_files import note, yaml_file
from halfopen_generators.breaker.plan import BreakerPlan, CallPlan, Layer, RetryPlan
from halfopen_generators.breaker.readers.linkerd import read

TITLE = "Linkerd"
PARTS: frozenset[Layer] = frozenset({"retry", "breaker", "timeout"})
_PROBES = 1
_ACCRUAL = "balancer.linkerd.io/failure-accrual"


def says(call: CallPlan) -> tuple[Artifact, ...]:
    """The routes, and what the Service is annotated with if anything."""
    found = [yaml_file(f"linkerd/{call.name}.http-routes.yaml", _route(call), _others(call), head=_HEAD_ROUTES)]
    if call.breaker is not None:
        found.append(yaml_file(f"linkerd/{call.name}.service-patch.yaml", _service(call, call.breaker), head=_HEAD))
    return tuple(found)


_HEAD_ROUTES = """\
How one operation is tried. It is found by its path, as gRPC has it: over plain HTTP write your own match.
The second route is for all else, which without it would find none. No ServiceProfile may be there for the Service."""
_HEAD = """\
A patch of the Service: when an endpoint of it is left out, whatever is called there.
kubectl patch service NAME --patch-file FILE"""


def unsaid(call: CallPlan) -> tuple[Unsaid, ...]:
    """What Linkerd has no annotation for."""
    return tuple(_unsaid(call))


def checks(call: CallPlan, artifacts: tuple[Artifact, ...]) -> tuple[Check, ...]:
    """All objects against the schema of what a policy may use of them."""
    return (kubernetes.check(TITLE, "linkerd", call, artifacts),)


def _route(call: CallPlan) -> dict[str, Any]:
    path = {"type": "RegularExpression", "value": kubernetes.path_pattern(call)}
    return _http_route(call, call.name, path, {**_timeouts(call), **_retries(call)})


def _others(call: CallPlan) -> dict[str, Any]:
    return _http_route(call, f"{kubernetes.host(call)}-as-before", {"type": "PathPrefix", "value": "/"}, {})


def _http_route(call: CallPlan, name: str, path: dict[str, str], annotations: dict[str, Any]) -> dict[str, Any]:
    metadata = {"name": name, "annotations": annotations} if annotations else {"name": name}
    parent = {"group": "core", "kind": "Service", "name": kubernetes.host(call).partition(".")[0]}
    spec = {"parentRefs": [parent], "rules": [{"matches": [{"path": path}]}]}
    return {"apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute", "metadata": metadata, "spec": spec}


def _timeouts(call: CallPlan) -> dict[str, str]:
    if "timeout" not in call.layers:
        return {}
    found = {"timeout.linkerd.io/request": _duration(call.timeout.overall)}
    if not _retries_timeouts(call):
        found["timeout.linkerd.io/response"] = _duration(call.timeout.per_try)
    return found


def _retries(call: CallPlan) -> dict[str, Any]:
    retry = _retried(call)
    if retry is None:
        return {}
    codes = [code for failure, code in (("unavailable", "503"), ("timeout", "504")) if failure in retry.on]
    found: dict[str, Any] = {
        **note("The first try isn't counted."),
        "retry.linkerd.io/limit": str(retry.attempts - 1),
        "retry.linkerd.io/http": ",".join(codes),
    }
    if _retries_timeouts(call):
        found |= note("Ends a try, if there may be another; timeout.linkerd.io/response would end the call.")
        found["retry.linkerd.io/timeout"] = _duration(call.timeout.per_try)
    return found


def _retried(call: CallPlan) -> RetryPlan | None:
    """Linkerd tries again by what was answered, so never where nobody was reached alone."""
    return call.retry if call.retry is not None and set(call.retry.on) > {"unreached"} else None


def _retries_timeouts(call: CallPlan) -> bool:
    retry = _retried(call)
    return retry is not None and "timeout" in retry.on and "timeout" in call.layers


def _service(call: CallPlan, breaker: BreakerPlan) -> dict[str, Any]:
    open_for = _duration(breaker.open_for)
    annotations: dict[str, Any] = {
        _ACCRUAL: "consecutive",
        f"{_ACCRUAL}-consecutive-max-failures": str(ejection.consecutive(call.known)),
        **note("As long each time: left out, it would be 1 s and grow to a minute, and up to half as long again."),
        f"{_ACCRUAL}-consecutive-min-penalty": open_for,
        f"{_ACCRUAL}-consecutive-max-penalty": open_for,
        f"{_ACCRUAL}-consecutive-jitter-ratio": "0.0",
    }
    name = kubernetes.host(call).partition(".")[0]
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name, "annotations": annotations}}


def _duration(number: float) -> str:
    """A whole number and its unit, which is all that the annotations take."""
    millis = round(milliseconds(number) * 1000)
    return f"{millis // 1000}s" if millis % 1000 == 0 else f"{millis}ms"


def _unsaid(call: CallPlan) -> Iterator[Unsaid]:
    yield from rounded(call, TITLE)
    yield from untimed(call, TITLE)
    yield from _unsaid_retries(call)
    if call.breaker is not None:
        yield Unsaid((), "Failure accrual is of a Service, whichever operation is called.",
                     "Calls of other operations count too, and are refused too.")  # fmt: skip
        yield Unsaid((), "There is no bound on how many endpoints may be out.",
                     "If all are, calls fail at once, which is an open breaker.")  # fmt: skip
        yield from ejection.unsaid_of_consecutive(call, TITLE, bounded=False)
        yield from unlike(term="probes", wanted=call.breaker.probes, stands=_PROBES,
                          why="Linkerd probes with one call.", nearest="One call of each endpoint.")  # fmt: skip
        if call.retry is not None and call.retry.on_open:
            yield Unsaid(("retries_open",), "What finds no endpoint is told at once.", "Not tried again.")
    yield from lacking(call, TITLE, PARTS, {"limit": "An HTTPLocalRateLimitPolicy on the dependency's side, per pod."})
    if call.hedge is not None:
        yield Unsaid(
            ("hedge_after",), f"{TITLE} sends no second try beside the first.", "A slow first try is waited for."
        )
    there = {"retry": _retried(call), "breaker": call.breaker, "timeout": "timeout" in call.layers or None}
    stands = tuple(layer for layer in kubernetes.layers(call, PARTS) if there[layer] is not None)
    yield from ordered(call, TITLE, stands, "has none of the others.")


def _unsaid_retries(call: CallPlan) -> Iterator[Unsaid]:
    retry = _retried(call)
    if retry is None:
        if call.retry is not None:
            yield Unsaid(RETRY, "Linkerd tries again by what was answered, and where nobody was reached there is none.",
                         "Its balancer asks only endpoints that it has a connection to.")  # fmt: skip
        else:
            yield Unsaid((), "No annotation says that there are no retries.",
                         "None, unless the Service is annotated, which holds for a route that isn't.")  # fmt: skip
        return
    yield Unsaid(("first_wait", "factor", "longest_wait", "jitter"), "Linkerd's waits are fixed.",
                 "From 25 to 50 ms at first, twice as long each time, from 250 to 500 ms at last.")  # fmt: skip
    yield Unsaid(("budget",), "Linkerd bounds the retries of a call, not their share of the calls.",
                 f"{retry.attempts - 1} for each call.", grave=True)  # fmt: skip
    yield Unsaid(("retried_on",), "Linkerd tries again by what was answered; where nobody was reached there is none.",
                 "Its balancer asks only endpoints that it has a connection to.")  # fmt: skip
    if _retries_timeouts(call):
        yield Unsaid((), "The last try has no timeout of its own.", "The one of the call ends it.")
    yield Unsaid((), "Over gRPC a failure is no status of HTTP.",
                 "Make the first a GRPCRoute there, with retry.linkerd.io/grpc: unavailable.")  # fmt: skip


DIALECT = Dialect("Linkerd", "mesh", "Linkerd 2.16 or newer", PARTS, says, unsaid, read, checks)
