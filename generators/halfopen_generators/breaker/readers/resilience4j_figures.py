"""What the settings of Resilience4j 2.4 come to, by whatever they were set: names plain, such as slidingwindowsize."""

from __future__ import annotations

import math
import re

from halfopen_generators.breaker.readers.library_defaults import defaults
from halfopen_generators.breaker.readers.resilience4j_yaml import Settings, seconds
from halfopen_generators.breaker.reading import Term, Value

# What an exception is too; UnavailableException's come from its own file.
_ABOVE = {
    "ConnectException": ("SocketException", "IOException", "Exception", "Throwable"),
    "TimeoutException": ("Exception", "Throwable"),
    "UnavailableException": ("Exception", "Throwable"),
    "CallNotPermittedException": ("RuntimeException", "Exception", "Throwable"),
    # What no try would mend, such as a refused card, is one of these.
    "": ("Exception", "Throwable"),
    "-": ("RuntimeException", "Exception", "Throwable"),
    "--": ("IOException", "Exception", "Throwable"),
}
_NO_FAILURES = ("", "-", "--")
_FAILURES = {"ConnectException": "unreached", "TimeoutException": "timeout", "UnavailableException": "unavailable"}
# Slow calls are always judged; one that may take a day never is.
_NEVER_SLOW = 86_400


def limit(settings: Settings) -> Value:
    """How long that time limiter waits, in seconds."""
    return seconds(_all("timelimiter", settings)["timeoutduration"])


def retry(settings: Settings | None, jitter: str, budget: float | None, *, breaker: bool) -> dict[Term, Value]:
    """What is tried again; `jitter` and `budget` are what the code does beside the library."""
    if settings is None:
        off: dict[Term, Value] = dict.fromkeys(("first_wait", "factor", "longest_wait", "jitter", "budget"))
        return {"attempts": 1, **off, "retried_on": (), "retries_open": False}
    said = _all("retry", settings)
    first = seconds(said["waitduration"])
    # Without a wait of its own nothing of the backoff is looked at.
    grows = said.get("enableexponentialbackoff") is True and "waitduration" in settings
    factor = _number(said["exponentialbackoffmultiplier"]) if grows else 1.0
    bounded = "exponentialbackoffmultiplier" in settings and "exponentialmaxwaitduration" in said
    longest = seconds(said["exponentialmaxwaitduration"]) if grows and bounded else math.inf if grows else first
    if said.get("enablerandomizedwait") is True:
        jitter = f"around the wait by {said['randomizedwaitfactor']}"
    retried, ignored = said.get("retryexceptions"), said.get("ignoreexceptions", ())

    def again(cause: str) -> bool:
        return _caught(cause, retried, ignored)

    unknown = {"retryonexception", "retryexceptionpredicate", "retryonresult", "resultpredicate"}.intersection(said)
    on = {failure for cause, failure in _FAILURES.items() if again(cause)}
    on |= {"anything else" for cause in _NO_FAILURES if again(cause)}
    return {
        "attempts": _number(said["maxattempts"]),
        "first_wait": first,
        "factor": factor,
        "longest_wait": longest,
        "jitter": jitter,
        "budget": budget,
        "retried_on": f"what {', '.join(sorted(unknown))} says" if unknown else tuple(sorted(on)),
        "retries_open": breaker and again("CallNotPermittedException"),
    }


def breaker(settings: Settings | None) -> dict[Term, Value]:
    """When it opens, and how it closes."""
    if settings is None:
        return dict.fromkeys(("window", "size", "minimum_calls", "failure_ratio", "slow_ratio", "slow_after",
                              "open_for", "probes"))  # fmt: skip
    said = _all("circuitbreaker", settings)
    window = "time" if str(said["slidingwindowtype"]).upper().startswith("TIME") else "count"
    size, minimum = _number(said["slidingwindowsize"]), _number(said["minimumnumberofcalls"])
    slow = _number(said["slowcallratethreshold"]) / 100
    slow_after = seconds(said["slowcalldurationthreshold"])
    judged = not (slow == 1 and isinstance(slow_after, float) and slow_after >= _NEVER_SLOW)
    varies = said.get("enableexponentialbackoff") is True or said.get("enablerandomizedwait") is True
    open_for = seconds(said["waitdurationinopenstate"])
    return {
        "window": window,
        "size": size,
        # Of a count window it is never more than the window holds.
        "minimum_calls": min(minimum, size) if window == "count" else minimum,
        "failure_ratio": _number(said["failureratethreshold"]) / 100 if _counts_failures(said) else "of other calls",
        "slow_ratio": slow if judged else None,
        "slow_after": slow_after if judged else None,
        "open_for": f"{open_for}, growing or drawn" if varies else open_for,
        "probes": _number(said["permittednumberofcallsinhalfopenstate"]),
    }


def _counts_failures(said: Settings) -> bool:
    """Whether it counts what the dependency is to blame for, and nothing else."""
    listed = said.get("recordexceptions"), said.get("ignoreexceptions", ())
    by_list = not {"recordexception", "recordfailurepredicate", "ignoreexception"}.intersection(said)
    return by_list and {cause for cause in _ABOVE if _caught(cause, *listed)} == set(_FAILURES)


def _caught(cause: str, listed: object, ignored: object) -> bool:
    """Whether an exception is one of those that are listed, or all if none are, and none that is ignored."""
    own = {cause, *_ABOVE[cause]}
    return (listed is None or bool(own.intersection(_names(listed)))) and not own.intersection(_names(ignored))


def bulkhead(settings: Settings) -> Value:
    """How many at once, and whether others wait."""
    said = _all("bulkhead", settings)
    concurrent, waits = _number(said["maxconcurrentcalls"]), seconds(said["maxwaitduration"])
    return f"{concurrent}, and others wait {waits} s" if waits else concurrent


def rate(settings: Settings) -> Value:
    """Calls a second, and whether others wait."""
    said = _all("ratelimiter", settings)
    waits = seconds(said["timeoutduration"])
    period = seconds(said["limitrefreshperiod"])
    found = _number(said["limitforperiod"]) / (period if isinstance(period, float) and period else math.nan)
    return f"{found} a second, and others wait {waits} s" if waits else found


def _number(said: object) -> float:
    if isinstance(said, bool) or not isinstance(said, (int, float, str)):
        return math.nan
    try:
        return float(re.sub(r"(?<=\d)_(?=\d)", "", said) if isinstance(said, str) else said)
    except ValueError:
        return math.nan


def _names(said: object) -> set[str]:
    listed = [said] if isinstance(said, str) else said if isinstance(said, (list, tuple)) else []
    return {str(name).rpartition(".")[2] for name in listed}


def _all(section: str, settings: Settings) -> Settings:
    return {**defaults("resilience4j", section), **settings}
