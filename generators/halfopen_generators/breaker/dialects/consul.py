"""Consul's service mesh on Kubernetes: a ServiceRouter that retries one operation, ServiceDefaults of the caller.

What the fields mean: https://developer.hashicorp.com/consul/docs/reference/config-entry/service-router and
https://developer.hashicorp.com/consul/docs/reference/config-entry/service-defaults. Its proxies are Envoys, which
decide where Consul says nothing:
https://www.envoyproxy.io/docs/envoy/latest/configuration/http/http_filters/router_filter.
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
)
from halfopen_generators.breaker.dialects.yaml_files import note, yaml_file
from halfopen_generators.breaker.plan import CallPlan, Failure, Layer, RetryPlan
from halfopen_generators.breaker.readers.consul import read

TITLE = "Consul"
PARTS: frozenset[Layer] = frozenset({"retry", "breaker", "bulkhead", "timeout"})
_ON: Mapping[Failure, tuple[str, ...]] = {
    "unreached": ("connect-failure", "refused-stream"),
    "unavailable": ("unavailable",),
    "timeout": ("reset", "deadline-exceeded"),
}
_CODES: Mapping[Failure, tuple[int, ...]] = {"unreached": (), "unavailable": (503,), "timeout": (504,)}
# Envoy's, since Consul sets none of them.
_WAIT, _SPREAD, _TWICE, _UNDER_WAY = 0.025, 10, 2, 3
_UNLIMITED = 2**32 - 1
_VERSION = "consul.hashicorp.com/v1alpha1"


def says(call: CallPlan) -> tuple[Artifact, ...]:
    """Both objects, in a file each."""
    return (
        yaml_file(f"consul/{call.name}.service-router.yaml", _router(call), head=_HEAD_ROUTER),
        yaml_file(f"consul/{call.name}.service-defaults.yaml", _defaults(call), head=_HEAD_DEFAULTS),
    )


_HEAD_ROUTER = """\
How one operation is tried. It is found by its path, as gRPC has it: over plain HTTP write your own match.
The protocol in the ServiceDefaults of that service has to be http, http2 or grpc."""
_HEAD_DEFAULTS = """\
What the caller's proxy does for all that it calls there: how many calls are under way, when an instance is left out.
Merge it into the ServiceDefaults of the caller, if there are any."""


def unsaid(call: CallPlan) -> tuple[Unsaid, ...]:
    """What Consul's entries have no words for."""
    return tuple(_unsaid(call))


def checks(call: CallPlan, artifacts: tuple[Artifact, ...]) -> tuple[Check, ...]:
    """Both objects against the schema of what a policy may use of them."""
    return (kubernetes.check(TITLE, "consul", call, artifacts),)


def _router(call: CallPlan) -> dict[str, Any]:
    name = kubernetes.host(call)
    to: dict[str, Any] = {"service": name}
    if "timeout" in call.layers:
        to |= {
            **note("Of all tries together; there is none of a single one."),
            "requestTimeout": seconds(_timeout(call)),
        }
    else:
        to |= {**note("None: left out it would be 15 s."), "requestTimeout": "-1s"}
    if (retry := call.retry) is not None:
        to |= {
            **note("The first try isn't counted."),
            "numRetries": retry.attempts - 1,
            "retryOn": [word for failure, words in _ON.items() if failure in retry.on for word in words],
        }
        if codes := [code for failure, listed in _CODES.items() if failure in retry.on for code in listed]:
            to["retryOnStatusCodes"] = codes
    route = {"match": {"http": {"pathRegex": kubernetes.path_pattern(call)}}, "destination": to}
    return _document("ServiceRouter", name, {"routes": [route]})


def _timeout(call: CallPlan) -> float:
    return milliseconds(call.timeout.overall if call.retry else min(call.timeout.per_try, call.timeout.overall))


def _defaults(call: CallPlan) -> dict[str, Any]:
    most = call.bulkhead.concurrent if call.bulkhead else _UNLIMITED
    upstream = {
        "name": kubernetes.host(call),
        # With a bound on connections a call more would wait for one, and not be refused.
        "limits": {"maxConnections": _UNLIMITED, "maxPendingRequests": most, "maxConcurrentRequests": most},
        "passiveHealthCheck": _health(call),
    }
    return _document("ServiceDefaults", _caller(call), {"upstreamConfig": {"overrides": [upstream]}})


def _health(call: CallPlan) -> dict[str, Any]:
    if call.breaker is None:
        return {**note("Off: left out, five failures in a row leave an instance out."), "enforcingConsecutive5xx": 0}
    open_for = milliseconds(call.breaker.open_for)
    return {
        "maxFailures": ejection.consecutive(call.known),
        "enforcingConsecutive5xx": 100,
        **note("How often it is looked who may come back."),
        "interval": seconds(milliseconds(int(open_for * 100) / 1000)),
        "baseEjectionTime": seconds(open_for),
        **note(f"So that {ejection.out_at_once(call.known)} can be out at once."),
        "maxEjectionPercent": ejection.percent(call.known),
    }


def _caller(call: CallPlan) -> str:
    return call.caller.lower().replace("_", "-").strip("-.")


def _document(kind: str, name: str, spec: dict[str, Any]) -> dict[str, Any]:
    return {"apiVersion": _VERSION, "kind": kind, "metadata": {"name": name}, "spec": spec}


def _unsaid(call: CallPlan) -> Iterator[Unsaid]:
    yield from rounded(call, TITLE)
    yield from untimed(call, TITLE)
    if call.retry is not None:
        yield from _unsaid_retries(call.retry)
    if "timeout" in call.layers:
        yield from _unsaid_timeouts(call)
    if call.breaker is not None or call.bulkhead is not None:
        yield Unsaid((), "ServiceDefaults hold for an upstream, whichever operation is called.",
                     "Calls of other operations count too, and are refused too.")  # fmt: skip
    yield from ejection.unsaid_of_consecutive(call, TITLE)
    yield from ejection.unsaid_of_return(call, TITLE)
    yield from lacking(call, TITLE, PARTS, {"limit": "Consul Enterprise has rateLimits on the dependency's side."})
    if call.hedge is not None:
        yield Unsaid(
            ("hedge_after",), f"{TITLE} sends no second try beside the first.", "A slow first try is waited for."
        )
    yield from ordered(call, TITLE, kubernetes.layers(call, PARTS), "has none of the others.")


def _unsaid_retries(retry: RetryPlan) -> Iterator[Unsaid]:
    waits = "Consul doesn't say how long to wait, so Envoy's own waits hold."
    yield from unlike(term="first_wait", wanted=retry.first_wait, stands=_WAIT, why=waits, nearest="Up to 25 ms.")
    yield from unlike(term="factor", wanted=retry.factor, stands=_TWICE, why=waits, nearest="Up to twice as long.")
    yield from unlike(term="longest_wait", wanted=retry.longest_wait, stands=_WAIT * _SPREAD, why=waits,
                      nearest="Up to 250 ms.")  # fmt: skip
    yield from unlike(term="jitter", wanted=retry.jitter, stands="full", why=waits, nearest="Anything up to that.")
    yield Unsaid(("budget",), "Consul has no budget of retries.",
                 f"Envoy lets {_UNDER_WAY} retries be under way at once, for all calls.", grave=True)  # fmt: skip


def _unsaid_timeouts(call: CallPlan) -> Iterator[Unsaid]:
    stands = seconds(_timeout(call))
    if call.retry is None:
        if call.timeout.per_try != call.timeout.overall:
            yield Unsaid(("per_try", "overall"), "A single try and the call have one timeout between them.",
                         f"{stands}, the shorter of the two, ends both.")  # fmt: skip
        return
    again = "timeout" in call.retry.on
    why = "Consul has one timeout for all tries together, so a try that hangs is not tried again."
    yield Unsaid(("per_try", "retried_on") if again else ("per_try",), why,
                 f"{stands}, and another try where a connection is reset or 504 is answered." if again
                 else f"{stands}.")  # fmt: skip


DIALECT = Dialect("Consul", "mesh", "Consul 1.16 or newer", PARTS, says, unsaid, read, checks)
