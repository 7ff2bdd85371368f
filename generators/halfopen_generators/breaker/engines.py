"""How each library's circuit breaker goes: a neutral wish in, the settings of the automaton that behaves alike out.

Every line was read in the library's own source, at the version named, and is held against that library: tests replay
recordings on both and find the same. Polly is read only, for want of a .NET to run it. What a library can't say of the
wish comes back as `Unsaid`, never silently.

Envoy ejects hosts instead of stopping calls, which is another machine: `ejection.py`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

from halfopen_generators.breaker.automaton import Settings

_BUCKETS = 10
# What opossum and Polly take for a window where nobody says otherwise: no calls can be counted with them, only time.
_OPOSSUM_WINDOW = 10.0
_POLLY_WINDOW = 30.0
_POLLY_LEAST = 0.5
_POLLY_LEAST_CALLS = 2
# Resilience4j judges slow calls whether it is asked or not: all of them, above a minute.
_SLOW_RATIO, _SLOW_AFTER = 1.0, 60.0


@dataclass(frozen=True)
class Unsaid:
    """What the library can't say: the field of the wish, what becomes of it, and why."""

    field: str
    instead: str
    why: str


@dataclass(frozen=True)
class Said:
    """What the library makes of the wish."""

    settings: Settings
    unsaid: tuple[Unsaid, ...]


@dataclass(frozen=True)
class Engine:
    """One library: where it was read, and what its users should know of its breaker."""

    name: str
    version: str
    sources: tuple[str, ...]
    surprises: tuple[str, ...]
    says: Callable[[Settings], Said]


def _neutral(asked: Settings) -> Settings:
    """The wish alone, without anybody's peculiarities."""
    return Settings(
        window=asked.window,
        size=asked.size,
        minimum_calls=asked.minimum_calls,
        failure_ratio=asked.failure_ratio,
        open_for=asked.open_for,
        probes=asked.probes,
        slow_ratio=asked.slow_ratio,
        slow_after=asked.slow_after,
    )


def _not_slow(asked: Settings, unsaid: list[Unsaid]) -> Settings:
    """Without slow calls, for the libraries that judge failures alone."""
    if asked.slow_ratio is not None:
        unsaid.append(
            Unsaid("slow_ratio", "slow calls aren't judged", "only failures count: let a timeout make slow calls fail")
        )
    return replace(asked, slow_ratio=None, slow_after=None)


def _one_probe(asked: Settings, unsaid: list[Unsaid]) -> Settings:
    """One probe, for the libraries that know no other number."""
    if asked.probes != 1:
        unsaid.append(Unsaid("probes", "one probe decides", "there is no option for more"))
    return replace(asked, probes=1)


def _within(asked: Settings, size: float, unsaid: list[Unsaid]) -> Settings:
    """A sliding window of time in place of an interval, or of `size` seconds in place of a number of calls."""
    if asked.window == "time":
        return asked
    if asked.window == "fixed":
        unsaid.append(Unsaid("window", "the window slides", "there is no interval that is cleared when it ends"))
        return replace(asked, window="time")
    many, ratio = asked.minimum_calls, asked.failure_ratio
    if asked.window == "consecutive":
        many, ratio = int(asked.size), 1.0
    unsaid.append(Unsaid("window", f"the calls of the last {size:g} s", "it counts in a time, not a number of calls"))
    return replace(asked, window="time", size=size, minimum_calls=many, failure_ratio=ratio)


def _at_most_size(asked: Settings, unsaid: list[Unsaid]) -> Settings:
    """No more calls to be judged than the window holds."""
    if asked.window != "count" or asked.minimum_calls <= asked.size:
        return asked
    unsaid.append(Unsaid("minimum_calls", f"{asked.size:g}", "the window never holds more calls"))
    return replace(asked, minimum_calls=int(asked.size))


def _resilience4j(asked: Settings) -> Said:
    unsaid: list[Unsaid] = []
    got = _neutral(asked)
    if got.window == "consecutive":
        # The last n calls, all of which failed, are n failures in a row.
        got = replace(got, window="count", minimum_calls=int(got.size), failure_ratio=1.0)
    elif got.window == "fixed":
        got = _within(got, got.size, unsaid)
    if got.window == "time" and got.size != max(1, round(got.size)):
        unsaid.append(Unsaid("size", f"{max(1, round(got.size))} s", "slidingWindowSize is whole seconds"))
        got = replace(got, size=max(1, round(got.size)))
    got = _at_most_size(got, unsaid)
    if got.slow_ratio is None:
        got = replace(got, slow_ratio=_SLOW_RATIO, slow_after=_SLOW_AFTER)
    got = replace(
        got,
        bucket=1.0 if got.window == "time" else None,
        arithmetic="percent32",
        judged="all",
        past_open=True,
        probe_rule="ratio",
        late="now",
    )
    return Said(got, tuple(unsaid))


def _polly(asked: Settings) -> Said:
    unsaid: list[Unsaid] = []
    got = _within(_one_probe(_not_slow(_neutral(asked), unsaid), unsaid), _POLLY_WINDOW, unsaid)
    short = [field for field in ("size", "open_for") if getattr(got, field) < _POLLY_LEAST]
    unsaid += [Unsaid(field, f"{_POLLY_LEAST} s", "it takes no less") for field in short]
    got = replace(got, size=max(_POLLY_LEAST, got.size), open_for=max(_POLLY_LEAST, got.open_for))
    if got.minimum_calls < _POLLY_LEAST_CALLS:
        unsaid.append(Unsaid("minimum_calls", f"{_POLLY_LEAST_CALLS}", "MinimumThroughput is at least 2"))
        got = replace(got, minimum_calls=_POLLY_LEAST_CALLS)
    got = replace(got, bucket=got.size / _BUCKETS, buckets_from="use", late="now")
    return Said(got, tuple(unsaid))


def _opossum(asked: Settings) -> Said:
    unsaid: list[Unsaid] = []
    got = _within(_one_probe(_not_slow(_neutral(asked), unsaid), unsaid), _OPOSSUM_WINDOW, unsaid)
    bucket = max(1, math.floor(round(got.size * 1000, 6) / _BUCKETS)) / 1000
    if not math.isclose(bucket * _BUCKETS, got.size):
        unsaid.append(Unsaid("size", f"{bucket * _BUCKETS:g} s", "each of ten buckets is whole milliseconds"))
    got = replace(
        got,
        size=bucket * _BUCKETS,
        bucket=bucket,
        buckets_from="start",
        counts="asked",
        strict=True,
        arithmetic="percent",
        half_opens="by_timer",
        late="now",
        clears="never",
    )
    return Said(got, tuple(unsaid))


def _cockatiel(asked: Settings) -> Said:
    unsaid: list[Unsaid] = []
    got = _at_most_size(_not_slow(_neutral(asked), unsaid), unsaid)
    if got.window != "consecutive" and got.failure_ratio >= 1:
        unsaid.append(Unsaid("failure_ratio", "0.99", "its threshold lies below 1"))
        got = replace(got, failure_ratio=0.99)
    if got.window in {"time", "fixed"}:
        got = _within(got, got.size, unsaid)
        asked_for = round(got.size * 1000, 6)
        many = max(5, math.ceil(asked_for / 1000))
        bucket = max(1, math.floor(asked_for / many + 0.5))
        if bucket * many != asked_for:
            unsaid.append(Unsaid("size", f"{bucket * many / 1000:g} s", f"{many} buckets of whole milliseconds"))
        # It is told calls a second, and multiplies them with the time again.
        least = bucket * many * (got.minimum_calls / got.size / 1000)
        if math.ceil(least) != got.minimum_calls:
            unsaid.append(Unsaid("minimum_calls", f"{math.ceil(least)}", "it is told as calls a second, and rounded"))
        got = replace(
            got,
            size=bucket * many / 1000,
            minimum_calls=math.ceil(least),
            bucket=bucket / 1000,
            buckets_from="use_lazily",
        )
    got = replace(got, strict=True, arithmetic="product", excess="held", late="then", counts_probes=True)
    return Said(got, tuple(unsaid))


def _gobreaker(asked: Settings) -> Said:
    unsaid: list[Unsaid] = []
    got = _not_slow(_neutral(asked), unsaid)
    if got.window == "count":
        unsaid.append(Unsaid("window", "all calls since it last closed", "it counts in a time, not a number of calls"))
        got = replace(got, window="fixed", size=math.inf)
    if got.window == "time":
        got = replace(got, bucket=got.size / _BUCKETS, buckets_from="generation")
    if got.window != "consecutive":
        got = replace(got, counts="started")
    return Said(replace(got, half_opens="on_use", past_open=True, clears="on_change"), tuple(unsaid))


def _failsafe_go(asked: Settings) -> Said:
    unsaid: list[Unsaid] = []
    got = _not_slow(_neutral(asked), unsaid)
    if got.window == "fixed":
        got = _within(got, got.size, unsaid)
    if got.window == "count":
        if got.minimum_calls > 1:
            unsaid.append(
                Unsaid("minimum_calls", "so many failures, however few calls", "only a window of time has a minimum")
            )
        got = replace(got, arithmetic="of_size", minimum_calls=1)
    elif got.window == "time":
        got = replace(got, arithmetic="hundredths", bucket=got.size / _BUCKETS)
    return Said(replace(got, judged="all", probe_places="at_once", late="now"), tuple(unsaid))


def _failures_in_a_row(asked: Settings, unsaid: list[Unsaid]) -> Settings:
    """Failures in a row, for the libraries that count nothing else: as many as would have opened it at the minimum."""
    if asked.window == "consecutive":
        return asked
    many = max(1, math.ceil(round(asked.minimum_calls * asked.failure_ratio, 9)))
    unsaid.append(Unsaid("window", f"{many} failures in a row", "it counts nothing else"))
    unsaid.append(Unsaid("failure_ratio", f"{many} failures in a row", "one success ends the count"))
    return replace(asked, window="consecutive", size=many)


def _pybreaker(asked: Settings) -> Said:
    unsaid: list[Unsaid] = []
    got = _failures_in_a_row(_not_slow(_neutral(asked), unsaid), unsaid)
    return Said(replace(got, probe_places="any", late="then_reopens"), tuple(unsaid))


def _purgatory(asked: Settings) -> Said:
    unsaid: list[Unsaid] = []
    got = _failures_in_a_row(_one_probe(_not_slow(_neutral(asked), unsaid), unsaid), unsaid)
    return Said(replace(got, probe_places="any", past_open=True, late="now"), tuple(unsaid))


_ALL = (
    Engine(
        "resilience4j",
        "2.4.0",
        (
            "resilience4j-circuitbreaker: CircuitBreakerStateMachine.java, CircuitBreakerMetrics.java",
            "resilience4j-core: SlidingTimeWindowMetrics.java, FixedSizeSlidingWindowMetrics.java",
        ),
        (
            "A success can open it: every answer is judged, so the call that makes up the minimum may be a good one.",
            "Half open it decides after minimumNumberOfCalls if that is less than the permitted probes.",
            "A late answer counts in the state it meets: an old one can decide a half-open breaker.",
            "Slow calls are judged unasked: it opens when all of them take longer than 60 s.",
            "Without maxWaitDurationInHalfOpenState, half open lasts until enough probes have ended.",
            "A window of time moves by whole seconds of the clock: it covers between size - 1 and size seconds.",
        ),
        _resilience4j,
    ),
    Engine(
        "polly",
        "8.7.0",
        (
            "Polly.Core: CircuitBreaker/Controller/CircuitStateController.cs, AdvancedCircuitBehavior.cs",
            "Polly.Core: CircuitBreaker/Health/RollingHealthMetrics.cs, HealthMetrics.cs, HealthInfo.cs",
        ),
        (
            "One probe, always; what comes meanwhile is refused.",
            "A late answer decides for the probe: an old success closes a half-open breaker.",
            "What it isn't told to handle is a success: a probe that is cancelled closes it.",
            "Counts only in a time, at least 0.5 s, and at least 2 calls.",
        ),
        _polly,
    ),
    Engine(
        "opossum",
        "10.0.0",
        ("opossum: lib/circuit.js, lib/status.js",),
        (
            "The ratio has to be exceeded: at 50 it stays closed while exactly half of the calls fail.",
            "Refused calls count as calls: they thin the ratio out, and fill volumeThreshold.",
            "A call counts when it is fired and fails when it ends: a window can hold more failures than calls.",
            "Closing forgets nothing: what failed before it opened counts until it leaves the window.",
            "One probe, always; a late success from before closes it too.",
            "The window is ten buckets that a timer turns, from when the breaker was made.",
        ),
        _opossum,
    ),
    Engine(
        "cockatiel",
        "4.0.0",
        (
            "cockatiel: CircuitBreakerPolicy.js",
            "cockatiel: breaker/SamplingBreaker.js, breaker/CountBreaker.js, breaker/ConsecutiveBreaker.js",
        ),
        (
            "Half open, calls beyond the probes aren't refused: they wait until it is decided, however long.",
            "The ratio has to be exceeded.",
            "SamplingBreaker forgets one bucket per call at most: after a pause the failures before it still count.",
            "Answers that come while it is open are counted, and a late failure can reopen it half open.",
            "The minimum is told in calls a second, and multiplied back in binary: it can come out one higher.",
            "The probe that closes it is the first call of the new window.",
        ),
        _cockatiel,
    ),
    Engine(
        "gobreaker",
        "2.4.0",
        ("github.com/sony/gobreaker/v2: gobreaker.go, counter.go, twostep_gobreaker.go",),
        (
            "Counts.Requests counts calls that still run, too: failures / Requests is less than the answers' share.",
            "Without BucketPeriod all counts are dropped when the interval ends, and answers of calls begun before it.",
            "Without Interval nothing is ever dropped while it stays closed.",
            "MaxRequests is both: so many probes are let through, and so many have to succeed.",
            "A late answer is dropped, but it may end the open state.",
        ),
        _gobreaker,
    ),
    Engine(
        "failsafe-go",
        "0.9.8",
        (
            "github.com/failsafe-go/failsafe-go: circuitbreaker/circuitstates.go, circuitbreaker.go",
            "github.com/failsafe-go/failsafe-go: internal/util/stats.go, windows.go",
        ),
        (
            "The failure rate is rounded to hundredths first: 49.5 % reaches 50 %.",
            "WithFailureThresholdRatio has no minimum: 5 of 100 opens after the first five failures.",
            "A late answer counts in the state it meets, and gives back a place for probes that it never took.",
            "A success can open it: every answer is judged.",
        ),
        _failsafe_go,
    ),
    Engine(
        "pybreaker",
        "1.4.1",
        ("pybreaker: pybreaker/__init__.py",),
        (
            "call and the decorator hold a lock while the function runs: calls of one breaker go one after another.",
            "With calling() they overlap, and then nothing bounds the probes.",
            "A late failure opens it again: the open time begins anew; a late probe's success closes it while open.",
            "Counts failures in a row only; any success ends the count, one that was asked for long before too.",
            "The call that opens it raises CircuitBreakerError in place of its own error: see throw_new_error_on_trip.",
        ),
        _pybreaker,
    ),
    Engine(
        "purgatory",
        "3.0.1",
        ("purgatory: purgatory/domain/model.py",),
        (
            "Half open, nothing bounds the probes; the first answer of any call decides, even one from before.",
            "Counts failures in a row only.",
        ),
        _purgatory,
    ),
)
ENGINES: Mapping[str, Engine] = MappingProxyType({engine.name: engine for engine in _ALL})
"""The libraries, by name."""


def said(engine: str, asked: Settings) -> Said:
    """What becomes of a wish.

    Args:
        engine: The library's name, of `ENGINES`.
        asked: The wish: the window, the ratios, the times and the probes. What else it holds is the library's business
            and is not looked at.

    Raises:
        KeyError: if there is no such library.
    """
    return ENGINES[engine].says(asked)


def settings_as(engine: str, asked: Settings) -> Settings:
    """How that library's breaker goes when it is told this wish.

    Raises:
        KeyError: if there is no such library.
    """
    return said(engine, asked).settings
