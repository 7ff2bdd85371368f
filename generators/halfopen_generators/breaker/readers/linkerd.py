"""What Linkerd makes of HTTPRoutes and of a Service's annotations, and of those that aren't there.

By https://linkerd.io/2.19/reference/retries/ and the pages beside it; where they are silent, by what the policy
controller does, https://github.com/linkerd/linkerd2/blob/main/policy-controller/k8s/index/src/outbound/index/http.rs:
a limit of 0 is none that is given, and without any retry annotation there are no retries.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from halfopen_generators.breaker.readers import kubernetes
from halfopen_generators.breaker.readers.kubernetes import documents, in_a_row, no_breaker, once, seconds
from halfopen_generators.breaker.reading import Reading, Term, Value

_LIMIT, _WAIT, _LAST_WAIT, _TWICE = 1, 0.025, 0.25, 2
_FAILURES, _LEAST, _MOST, _JITTER = "7", "1s", "1m", "0.5"
_ACCRUAL = "balancer.linkerd.io/failure-accrual"
_DURATION = re.compile(r"0|[0-9]+(?:ms|s|m|h|d)")
_DAY = 24 * 3600


def read(texts: Mapping[str, str]) -> Reading:
    """The policy of the route that is found by a pattern, and of the Service.

    Raises:
        ValueError: there is no such route, or an annotation that the policy controller doesn't take.
    """
    routes, services = _objects(texts)
    route = next((found for found in routes if _matched(found)), None)
    if route is None:
        raise ValueError("no HTTPRoute has a match of one operation")
    said = route["metadata"].get("annotations", {})
    read_of: dict[Term, Value] = {
        **_retries(said),
        **_timeouts(said),
        **_accrual(services[0]["metadata"].get("annotations", {}) if services else {}),
        "concurrent": None,
        "rate": None,
        "hedge_after": None,
        "retries_open": False,
    }
    return {**read_of, "layers": kubernetes.layers(read_of)}


def _objects(texts: Mapping[str, str]) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    trees = [tree for text in texts.values() for tree in documents(text)]
    return [tree for tree in trees if tree["kind"] == "HTTPRoute"], [
        tree for tree in trees if tree["kind"] == "Service"
    ]


def _matched(route: Mapping[str, Any]) -> bool:
    """Whether it is of some paths and not of all."""
    paths = [match["path"] for rule in route["spec"]["rules"] for match in rule.get("matches", ()) if "path" in match]
    return any((path["type"], path["value"]) != ("PathPrefix", "/") for path in paths)


def _retries(said: Mapping[str, str]) -> dict[Term, Value]:
    limit = int(said.get("retry.linkerd.io/limit", "0"))
    conditions = _failures(said["retry.linkerd.io/http"]) if "retry.linkerd.io/http" in said else set()
    if _retry_timeout(said):
        conditions |= {"timeout"}
    if not conditions:
        return once()
    return {
        "attempts": (limit or _LIMIT) + 1,
        # Up to as much again is added.
        "first_wait": 2 * _WAIT,
        "factor": _TWICE,
        "longest_wait": 2 * _LAST_WAIT,
        "jitter": "from a half of it",
        "budget": None,
        "retried_on": tuple(sorted(conditions)),
    }


def _failures(text: str) -> set[str]:
    """What statuses mean: 503 that the server can't now, 504 that nobody answered it."""
    found = set()
    for word in text.split(","):
        low, _, high = {"5xx": "500-599", "gateway-error": "502-504"}.get(word.lower(), word).partition("-")
        codes = range(int(low), int(high or low) + 1)
        found |= {failure for code, failure in ((503, "unavailable"), (504, "timeout")) if code in codes}
    return found


def _timeouts(said: Mapping[str, str]) -> dict[Term, Value]:
    """That of a retry ends a try; that of a response the call, so a single try too."""
    overall = _duration(said.get("timeout.linkerd.io/request", "0")) or None
    response = _duration(said.get("timeout.linkerd.io/response", "0")) or None
    return {"overall": overall, "per_try": _retry_timeout(said) or response or overall}


def _retry_timeout(said: Mapping[str, str]) -> float:
    return _duration(said.get("retry.linkerd.io/timeout", "0"))


def _accrual(said: Mapping[str, str]) -> dict[Term, Value]:
    mode = said.get(_ACCRUAL)
    if mode is None:
        return no_breaker()
    if mode != "consecutive":
        raise ValueError(f"{mode!r} is no mode of failure accrual that is known here")
    least = _duration(said.get(f"{_ACCRUAL}-consecutive-min-penalty", _LEAST))
    most = _duration(said.get(f"{_ACCRUAL}-consecutive-max-penalty", _MOST))
    if not 0 < least <= most:
        raise ValueError(f"the penalty of {least:g} s is not between nothing and {most:g} s")
    ratio = float(said.get(f"{_ACCRUAL}-consecutive-jitter-ratio", _JITTER))
    number = int(said.get(f"{_ACCRUAL}-consecutive-max-failures", _FAILURES))
    found = in_a_row(number, out_for=round(least * (1 + ratio), 9), sweep=0, percent=100)
    return {**found, "probes": 1}


def _duration(text: str) -> float:
    if _DURATION.fullmatch(text) is None:
        raise ValueError(f"{text!r} is no duration that an annotation can have")
    if text == "0":
        return 0
    return float(text[:-1]) * _DAY if text.endswith("d") else seconds(text)
