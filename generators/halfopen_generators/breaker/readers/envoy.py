"""What Envoy does with a bootstrap, also by what stands in it nowhere.

By https://www.envoyproxy.io/docs/envoy/latest/api-v3/config/route/v3/route_components.proto (a route's timeout is 15 s,
retries are one where anything is retried) and, of the same API, config/cluster/v3/circuit_breaker.proto (1024 of each)
and config/cluster/v3/outlier_detection.proto (none without it; with it, five errors in a row).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from halfopen_generators.breaker.readers.envoy_words import conditions
from halfopen_generators.breaker.readers.kubernetes import documents, in_a_row, no_breaker, once, refused, seconds
from halfopen_generators.breaker.reading import Reading, Term, Value

_TIMEOUT, _WAIT, _SPREAD, _FACTOR = "15s", "0.025s", 10, 2
_MOST, _UNLIMITED = 1024, 2**32 - 1
_IN_A_ROW, _RATIO, _VOLUME, _HOSTS, _SWEEP, _OUT_FOR, _PANIC, _OUT = 5, 85, 50, 5, "10s", "30s", 50, 10
_SHARE, _ALWAYS, _ALL = 20, 3, 100
_LIMIT = "envoy.filters.http.local_ratelimit"


def read(texts: Mapping[str, str]) -> Reading:
    """The policy of the first route of the first listener.

    Raises:
        ValueError: it goes to a cluster that isn't there.
    """
    (text,) = texts.values()
    (bootstrap,) = documents(text)
    resources = bootstrap["static_resources"]
    manager = resources["listeners"][0]["filter_chains"][0]["filters"][0]["typed_config"]
    first = manager["route_config"]["virtual_hosts"][0]["routes"][0]
    route = first["route"]
    cluster = next((found for found in resources["clusters"] if found["name"] == route["cluster"]), None)
    if cluster is None:
        raise ValueError(f"the route goes to {route['cluster']}, which no cluster is called")
    thresholds = _thresholds(cluster)
    read_of: dict[Term, Value] = {
        **_timeouts(route),
        **_retries(route.get("retry_policy", {}), thresholds),
        **_ejection(cluster),
        "concurrent": _concurrent(thresholds),
        "rate": _rate(manager, first),
        "hedge_after": None,
        "retries_open": False,
    }
    there = (
        ("limit", read_of["rate"] is not None),
        ("retry", read_of["attempts"] != 1),
        ("breaker", read_of["window"] is not None),
        ("bulkhead", read_of["concurrent"] is not None),
        ("timeout", read_of["per_try"] is not None),
    )
    return {**read_of, "layers": tuple(layer for layer, is_there in there if is_there)}


def _timeouts(route: Mapping[str, Any]) -> dict[Term, Value]:
    """Nought is none, and a timeout of a try that isn't below the one of the call is ignored."""
    overall = seconds(route.get("timeout", _TIMEOUT)) or None
    per_try = seconds(route.get("retry_policy", {}).get("per_try_timeout", "0s")) or overall
    if overall is not None and per_try is not None and per_try >= overall:
        per_try = overall
    return {"overall": overall, "per_try": per_try}


def _retries(policy: Mapping[str, Any], thresholds: Mapping[str, Any]) -> dict[Term, Value]:
    retried_on = conditions(policy.get("retry_on", ""), policy.get("retriable_status_codes", ()))
    retries = policy.get("num_retries", 1)
    if not retried_on or retries == 0:
        return once()
    back_off = policy.get("retry_back_off", {"base_interval": _WAIT})
    first = seconds(back_off["base_interval"])
    return {
        "attempts": retries + 1,
        "first_wait": first,
        "factor": _FACTOR,
        "longest_wait": seconds(back_off["max_interval"]) if "max_interval" in back_off else first * _SPREAD,
        "jitter": "full",
        "budget": _budget(thresholds.get("retry_budget")),
        "retried_on": retried_on,
    }


def _budget(budget: Mapping[str, Any] | None) -> float | None:
    """The share, if it is one: with several let through always, it bounds nothing where few are under way."""
    if budget is None or budget.get("min_retry_concurrency", _ALWAYS) > 1:
        return None
    return float(round(budget.get("budget_percent", {"value": _SHARE})["value"] / _ALL, 9))


def _thresholds(cluster: Mapping[str, Any]) -> Mapping[str, Any]:
    """Of the default priority; the first one counts."""
    listed = cluster.get("circuit_breakers", {}).get("thresholds", ())
    return next((found for found in listed if found.get("priority", "DEFAULT") == "DEFAULT"), {})


def _concurrent(thresholds: Mapping[str, Any]) -> float | None:
    found = refused(
        requests=thresholds.get("max_requests", _MOST),
        pending=thresholds.get("max_pending_requests", _MOST),
        connections=thresholds.get("max_connections", _MOST),
    )
    return None if found == _UNLIMITED else found


def _ejection(cluster: Mapping[str, Any]) -> dict[Term, Value]:
    outliers = cluster.get("outlier_detection")
    if outliers is None:
        return no_breaker()
    panic = cluster.get("common_lb_config", {}).get("healthy_panic_threshold", {"value": _PANIC})["value"]
    percent = outliers.get("max_ejection_percent", _OUT)
    if percent == 0 or (panic > 0 and percent > _ALL - panic):
        return no_breaker()
    sweep, out_for = seconds(outliers.get("interval", _SWEEP)), seconds(outliers.get("base_ejection_time", _OUT_FOR))
    out_for = min(out_for, seconds(outliers["max_ejection_time"])) if "max_ejection_time" in outliers else out_for
    if outliers.get("enforcing_consecutive_5xx", _ALL) > 0:
        # Met first by any host that fails altogether, whatever share of failures is judged besides.
        return in_a_row(outliers.get("consecutive_5xx", _IN_A_ROW), out_for=out_for, sweep=sweep, percent=percent)
    if outliers.get("enforcing_success_rate", _ALL) > 0:
        raise ValueError("hosts are judged by how far they are from the others' success rate, which has no fixed share")
    chance = outliers.get("enforcing_failure_percentage", 0)
    if chance == 0 or outliers.get("failure_percentage_minimum_hosts", _HOSTS) > 1:
        return no_breaker()  # of a cluster with a host at least, which is all that is known of it
    if chance < _ALL:
        raise ValueError(f"{chance}% of the hosts that are found to fail are ejected, by chance")
    return {
        "window": "time",
        "size": sweep,
        "minimum_calls": outliers.get("failure_percentage_request_volume", _VOLUME),
        "failure_ratio": outliers.get("failure_percentage_threshold", _RATIO) / _ALL,
        "slow_ratio": None,
        "slow_after": None,
        # It is judged at the end of a window, and comes back at the end of one.
        "open_for": round(math.ceil(round(out_for / sweep, 9)) * sweep, 9),
        "probes": None,
    }


def _rate(manager: Mapping[str, Any], route: Mapping[str, Any]) -> float | None:
    """A second; none where the filter isn't there, isn't on or isn't enforced for all calls."""
    here = route.get("typed_per_filter_config", {}).get(_LIMIT)
    if here is None or all(found["name"] != _LIMIT for found in manager["http_filters"]):
        return None
    for switch in ("filter_enabled", "filter_enforced"):
        value = here.get(switch, {"default_value": {"numerator": 0}})["default_value"]
        if (value["numerator"], value.get("denominator", "HUNDRED")) != (_ALL, "HUNDRED"):
            return None
    bucket = here["token_bucket"]
    # What is filled in beyond what it holds is lost.
    tokens = min(bucket.get("tokens_per_fill", 1), bucket["max_tokens"])
    return float(tokens / seconds(bucket["fill_interval"]))
