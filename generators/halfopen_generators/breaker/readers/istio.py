"""What Istio makes of a VirtualService and a DestinationRule, and of all that they leave out.

By https://istio.io/latest/docs/reference/config/networking/virtual-service/#HTTPRetry (no `retries`: two of them),
https://istio.io/latest/docs/reference/config/networking/destination-rule/ and, for what Istio passes on unset,
https://www.envoyproxy.io/docs/envoy/latest/api-v3/config/cluster/v3/outlier_detection.proto.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from halfopen_generators.breaker.readers import kubernetes
from halfopen_generators.breaker.readers.envoy_words import conditions
from halfopen_generators.breaker.readers.kubernetes import in_a_row, refused, seconds
from halfopen_generators.breaker.reading import Reading, Term, Value

_RETRIES, _RETRIED_ON = 2, "connect-failure,refused-stream,unavailable,cancelled,503"
_WAIT, _SPREAD, _FACTOR = "25ms", 10, 2
_FAILURES, _OUT_FOR, _SWEEP, _PERCENT = 5, "30s", "10s", 10
_SHARE, _ALWAYS = 20, 3


def read(texts: Mapping[str, str]) -> Reading:
    """The policy of the first route that has a match, to the host that the rule is of.

    Raises:
        ValueError: there is no such route, or no rule of its host.
    """
    found = kubernetes.objects(texts)
    route = _route(found["VirtualService"]["spec"])
    host = route["route"][0]["destination"]["host"]
    rule = found["DestinationRule"]["spec"]
    if rule["host"] != host:
        raise ValueError(f"the rule is of {rule['host']}, the route goes to {host}")
    policy = rule.get("trafficPolicy", {})
    retries = route.get("retries", {"attempts": _RETRIES})
    read_of: dict[Term, Value] = {
        **_timeouts(route, retries),
        **_retries(retries, policy.get("retryBudget")),
        **_ejection(policy.get("outlierDetection")),
        "concurrent": _concurrent(policy.get("connectionPool", {})),
        "rate": None,
        "hedge_after": None,
        "retries_open": False,
    }
    return {**read_of, "layers": kubernetes.layers(read_of)}


def _route(spec: Mapping[str, Any]) -> Mapping[str, Any]:
    """What the operation is matched by. A route without a match takes all, so what comes after it takes nothing."""
    for route in spec["http"]:
        if "match" in route:
            return dict(route)
        break
    raise ValueError("no route has a match, so none is of one operation")


def _timeouts(route: Mapping[str, Any], retries: Mapping[str, Any]) -> dict[Term, Value]:
    overall = seconds(route["timeout"]) if "timeout" in route else None
    per_try = seconds(retries["perTryTimeout"]) if retries["attempts"] > 0 and "perTryTimeout" in retries else overall
    return {"overall": overall, "per_try": per_try}


def _retries(retries: Mapping[str, Any], budget: Mapping[str, Any] | None) -> dict[Term, Value]:
    if retries["attempts"] == 0:
        return kubernetes.once()
    first = seconds(retries.get("backoff", _WAIT))
    return {
        "attempts": retries["attempts"] + 1,
        "first_wait": first,
        "factor": _FACTOR,
        "longest_wait": round(first * _SPREAD, 6),
        "jitter": "full",
        "budget": _budget(budget),
        "retried_on": conditions(retries.get("retryOn", _RETRIED_ON)),
    }


def _budget(budget: Mapping[str, Any] | None) -> float | None:
    """The share, if it is one: with several retries let through always, it bounds nothing where few are under way."""
    if budget is None or (budget.get("minRetryConcurrency") or _ALWAYS) > 1:
        return None
    return float(round(budget.get("percent", _SHARE) / 100, 9))


def _ejection(outliers: Mapping[str, Any] | None) -> dict[Term, Value]:
    """Nothing is ejected without outlierDetection; with it, Envoy's figures stand where it has none."""
    if outliers is None:
        return kubernetes.no_breaker()
    server, gateway = outliers.get("consecutive5xxErrors", _FAILURES), outliers.get("consecutiveGatewayErrors", 0)
    # A gateway error is a 5xx too, so the smaller of what is on is met first.
    on = [number for number in (server, gateway) if number > 0]
    if not on:
        return kubernetes.no_breaker()
    return in_a_row(
        min(on),
        out_for=seconds(outliers.get("baseEjectionTime", _OUT_FOR)),
        sweep=seconds(outliers.get("interval", _SWEEP)),
        percent=outliers.get("maxEjectionPercent") or _PERCENT,
        panic=outliers.get("minHealthPercent", 0),
    )


def _concurrent(pool: Mapping[str, Any]) -> float | None:
    http = pool.get("http", {})
    return refused(
        requests=http.get("http2MaxRequests") or None,
        pending=http.get("http1MaxPendingRequests") or None,
        connections=pool.get("tcp", {}).get("maxConnections") or None,
    )
