"""What a gRPC client understands of a service config, and of all that it leaves out.

By gRFC A6 (https://github.com/grpc/proposal/blob/master/A6-client-retries.md) and
https://github.com/grpc/grpc/blob/master/doc/service_config.md: no policy, no retry, and no timeout, no deadline.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from halfopen_generators.breaker.reading import Reading, Term, Value

_DURATION = re.compile(r"(\d+(?:\.\d{1,9})?)s")
_MEANS = {"UNAVAILABLE": ("unreached", "unavailable"), "DEADLINE_EXCEEDED": ("timeout",)}
_MOST = 5
# Around the nominal length.
_JITTER = "a fifth more or less"


def read(texts: Mapping[str, str]) -> Reading:
    """The policy of the method that the config names.

    Raises:
        ValueError: it is no service config, or it names no method.
    """
    (text,) = (text for path, text in texts.items() if path.endswith(".json"))
    config = json.loads(text)
    method = _most_exact(config["methodConfig"])
    retry, hedging = method.get("retryPolicy"), method.get("hedgingPolicy")
    if retry and hedging:
        raise ValueError("a method has a retryPolicy or a hedgingPolicy, not both")
    deadline = _seconds(method["timeout"]) if "timeout" in method else None
    there = (("timeout", "timeout" in method), ("retry", retry is not None))
    return {
        "overall": deadline,
        # It ends the only try, too.
        "per_try": None if retry or hedging else deadline,
        **_retries(retry, config.get("retryThrottling")),
        # The last of them is the hedge of the one before it; more than that are tries beyond it.
        **({"attempts": max(1, min(hedging["maxAttempts"], _MOST) - 1)} if hedging else {}),
        "retries_open": False,
        "hedge_after": _seconds(hedging.get("hedgingDelay", "0s")) if hedging else None,
        "layers": tuple(layer for layer, is_there in there if is_there),
        # There is nothing of all this, so nothing of it is on.
        **dict.fromkeys(_NOTHING_OF, None),
    }


_NOTHING_OF: tuple[Term, ...] = (
    "window", "size", "minimum_calls", "failure_ratio", "slow_ratio", "slow_after", "open_for", "probes",
    "concurrent", "rate",
)  # fmt: skip


def _retries(policy: Mapping[str, Any] | None, throttling: Mapping[str, Any] | None) -> dict[Term, Value]:
    if policy is None:
        waits: dict[Term, Value] = {"first_wait": None, "factor": None, "longest_wait": None, "jitter": None}
        return {"attempts": 1, **waits, "budget": None, "retried_on": ()}
    means = {failure for code in policy["retryableStatusCodes"] for failure in _MEANS.get(str(code).upper(), ())}
    return {
        "attempts": min(policy["maxAttempts"], _MOST),
        "first_wait": _seconds(policy["initialBackoff"]),
        "factor": policy["backoffMultiplier"],
        "longest_wait": _seconds(policy["maxBackoff"]),
        "jitter": _JITTER,
        "budget": _budget(throttling),
        "retried_on": tuple(sorted(means)),
    }


def _budget(throttling: Mapping[str, Any] | None) -> float | None:
    """A success pays for that many failures; what is behind the third digit isn't read."""
    if throttling is None:
        return None
    if not 0 < throttling["maxTokens"] <= 1_000:  # noqa: PLR2004 - as A6 has it
        raise ValueError(f"maxTokens {throttling['maxTokens']} is not above 0 and at most 1000")
    return int(round(throttling["tokenRatio"] * 1e6) // 1e3) / 1e3


def _most_exact(methods: list[dict[str, Any]]) -> dict[str, Any]:
    """A name with a method goes before one with a service, and that before none."""
    named = [(len(name), method) for method in methods for name in method.get("name", ())]
    if not named:
        raise ValueError("no methodConfig has a name, so that none applies to anything")
    return max(named, key=lambda pair: pair[0])[1]


def _seconds(text: str) -> float:
    found = _DURATION.fullmatch(text)
    if found is None:
        raise ValueError(f"{text!r} is no duration")
    return float(found[1])
