"""What Consul makes of a ServiceRouter and of ServiceDefaults, and of all that they leave out.

By https://developer.hashicorp.com/consul/docs/reference/config-entry/service-router and .../service-defaults. Without
a passiveHealthCheck it has Envoy eject hosts by Envoy's own figures, five failures in a row, and without limits Envoy
allows 1024 of each: https://github.com/hashicorp/consul/blob/main/agent/xds/clusters.go.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from halfopen_generators.breaker.readers import kubernetes
from halfopen_generators.breaker.readers.envoy_words import conditions
from halfopen_generators.breaker.readers.kubernetes import in_a_row, no_breaker, once, refused, seconds
from halfopen_generators.breaker.reading import Reading, Term, Value

_TIMEOUT, _WAIT, _LAST_WAIT, _TWICE = "15s", 0.025, 0.25, 2
_MOST, _UNLIMITED = 1024, 2**32 - 1
_FAILURES, _OUT_FOR, _SWEEP, _PERCENT, _ALWAYS = 5, "30s", "10s", 10, 100


def read(texts: Mapping[str, str]) -> Reading:
    """The policy of the first route that has a match, and what its caller has for that upstream.

    Raises:
        ValueError: there is no such route.
    """
    found = kubernetes.objects(texts)
    router = found["ServiceRouter"]
    to = next((route["destination"] for route in router["spec"]["routes"] if "match" in route), None)
    if to is None:
        raise ValueError("no route has a match, so none is of one operation")
    upstream = _upstream(found["ServiceDefaults"]["spec"], to.get("service", router["metadata"]["name"]))
    limits = upstream.get("limits", {})
    read_of: dict[Term, Value] = {
        **_timeouts(to),
        **_retries(to),
        **_ejection(upstream.get("passiveHealthCheck", {})),
        "concurrent": _concurrent(limits),
        "rate": None,
        "hedge_after": None,
        "retries_open": False,
    }
    return {**read_of, "layers": kubernetes.layers(read_of)}


def _upstream(spec: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """What is said of that service, else of all."""
    config: Mapping[str, Any] = spec.get("upstreamConfig", {})
    of_all: dict[str, Any] = config.get("defaults", {})
    return next((one for one in config.get("overrides", ()) if one["name"] == name), of_all)


def _timeouts(to: Mapping[str, Any]) -> dict[Term, Value]:
    """Below nothing is none. It is all that ends a try, too."""
    text = to.get("requestTimeout", _TIMEOUT)
    overall = None if text.startswith("-") else seconds(text) or seconds(_TIMEOUT)
    return {"overall": overall, "per_try": overall}


def _retries(to: Mapping[str, Any]) -> dict[Term, Value]:
    words = list(to.get("retryOn", ()))
    words += ["connect-failure"] if to.get("retryOnConnectFailure") else []
    codes = to.get("retryOnStatusCodes", ())
    words += ["retriable-status-codes"] if codes else []
    retried_on = conditions(",".join(words), codes)
    if not retried_on:
        return once()
    return {
        # Nothing is one of them, as Envoy has it.
        "attempts": (to.get("numRetries", 0) or 1) + 1,
        "first_wait": _WAIT,
        "factor": _TWICE,
        "longest_wait": _LAST_WAIT,
        "jitter": "full",
        "budget": None,
        "retried_on": retried_on,
    }


def _ejection(health: Mapping[str, Any]) -> dict[Term, Value]:
    if health.get("enforcingConsecutive5xx", _ALWAYS) == 0:
        return no_breaker()
    if health.get("enforcingConsecutive5xx", _ALWAYS) < _ALWAYS:
        raise ValueError("some of the hosts that are found to fail are ejected, by chance")
    return in_a_row(
        health.get("maxFailures", 0) or _FAILURES,
        out_for=seconds(health.get("baseEjectionTime", _OUT_FOR)),
        sweep=seconds(health.get("interval", "0s")) or seconds(_SWEEP),
        percent=health.get("maxEjectionPercent", _PERCENT),
    )


def _concurrent(limits: Mapping[str, Any]) -> float | None:
    found = refused(
        requests=limits.get("maxConcurrentRequests", _MOST),
        pending=limits.get("maxPendingRequests", _MOST),
        connections=limits.get("maxConnections", _MOST),
    )
    return None if found == _UNLIMITED else found
