"""When calls stop: the breaker, the bulkhead, the limit, and how a second try may overtake a slow first."""

from __future__ import annotations

import math
from collections.abc import Iterator

from halfopen.durations import spell_duration
from halfopen.quantities import spell_rate, spell_share
from halfopen.vocabulary import Decision
from halfopen_generators.breaker.formulas import at_least, calls_needed, places, rounded_down, rounded_up
from halfopen_generators.breaker.latency import Latency
from halfopen_generators.breaker.plan import BreakerPlan, BulkheadPlan, HedgePlan, Known, LimitPlan, TimeoutPlan
from halfopen_generators.breaker.policy import policy
from halfopen_generators.breaker.spec import AskedBreaker, Call, Window
from halfopen_generators.breaker.tries import YEAR, Tries, safety

RESILIENCE_LAW = 5
MOST_CALLS = 100_000
_MOST_CONCURRENT = 1_000_000


def breaker(call: Call, known: Known, timeout: TimeoutPlan, about: str) -> tuple[BreakerPlan, tuple[Decision, ...]]:
    """The breaker of one instance of the caller, for one shard of the dependency."""
    asked, figures = call.breaker or AskedBreaker(), policy().breaker
    latency = Latency.through(known.p50, known.p99, known.p999)
    wrong = usual_errors(known, timeout)
    ratio, needed = _ratio(asked, known, wrong)
    minimum = asked.minimum_calls or needed or figures.least_calls.value
    if isinstance(asked.size, int) and asked.minimum_calls is None:
        minimum = min(minimum, asked.size)
    window, size, why_window = _window(asked, known, minimum)
    slow_ratio, slow_after = _slow(call, asked, latency, timeout)
    open_for, why_open = _open_for(call, asked)
    planned = BreakerPlan(
        window=window,
        size=size,
        minimum_calls=minimum,
        failure_ratio=ratio,
        slow_ratio=slow_ratio,
        slow_after=slow_after,
        open_for=open_for,
        probes=asked.probes if asked.probes is not None else _probes(known, open_for),
    )
    return planned, tuple(_about_breaker(call, known, planned, asked, about, (wrong, why_window, why_open)))


def usual_errors(known: Known, timeout: TimeoutPlan) -> float:
    """The share of calls that count as failed when all is well: errors, and answers that the timeout cuts off."""
    cut = Latency.through(known.p50, known.p99, known.p999).above(timeout.per_try)
    return known.error_rate + (1 - known.error_rate) * cut


def _ratio(asked: AskedBreaker, known: Known, wrong: float) -> tuple[float, int | None]:
    """The share of failures that opens it, and of how many calls, so that chance doesn't; None: any number would."""
    figures = policy().breaker
    usual = figures.failure_ratio.value
    higher = (share / 10 for share in range(1, 10) if share / 10 > usual)
    ratios = (usual, *higher) if asked.failure_ratio is None else (asked.failure_ratio,)
    # Where many calls fail though all is well, a higher share is sooner told from that than many calls are counted.
    held = seen(known, known.rate) * figures.longest_window.value
    found: list[tuple[int, float]] = []
    for ratio in ratios:
        needed = calls_needed(ratio, wrong, figures.false_open.value, figures.least_calls.value, MOST_CALLS)
        if needed is not None and needed <= held:
            return ratio, needed
        found += [] if needed is None else [(needed, ratio)]
    if not found:
        return ratios[-1], None
    needed, ratio = min(found)
    return ratio, needed


def seen(known: Known, rate: float) -> float:
    """Calls a second that one breaker sees of that rate: there is one for each instance and each shard."""
    return rate / known.instances / known.shards


def _window(asked: AskedBreaker, known: Known, minimum: int) -> tuple[Window, float, str]:
    figures = policy().breaker
    if asked.window == "count" or isinstance(asked.size, int):
        return "count", asked.size or max(100, minimum), "The spec asks for it."
    if asked.size is not None or asked.window == "time":
        return "time", asked.size or figures.window.value, "The spec asks for it."
    quiet, busy = seen(known, known.quiet_rate), seen(known, known.rate)
    usual, longest = figures.window.value, figures.longest_window.value
    if quiet * usual >= minimum:
        return "time", usual, f"Even in quiet hours it holds {_many(quiet * usual)} calls of one instance."
    if quiet * longest >= minimum:
        size = min(longest, float(math.ceil(minimum / quiet)))
        return "time", size, f"In quiet hours one instance needs that long for {minimum} calls."
    if busy * usual >= minimum:
        why = (
            f"At the busiest hour it holds {_many(busy * usual)} calls of one instance; in quiet hours too few, when "
            "nothing opens it, and little is called."
        )
        return "time", usual, why
    why = (
        f"One instance has {spell_rate(busy)} at the busiest hour, so that {spell_duration(usual)} hold fewer than "
        f"{minimum} calls; a window of calls is filled in quiet hours too."
    )
    return "count", minimum, why


def _slow(call: Call, asked: AskedBreaker, latency: Latency, timeout: TimeoutPlan) -> tuple[float | None, float | None]:
    between = rounded_up(math.sqrt(latency.p99 * timeout.per_try)) if latency.p99 < timeout.per_try else None
    if asked.slow_ratio is not None or asked.slow_after is not None:
        ratio = asked.slow_ratio if asked.slow_ratio is not None else policy().breaker.slow_ratio.value
        return ratio, asked.slow_after or min(between or timeout.per_try, timeout.per_try)
    if call.criticality == "critical" and call.fallback in (None, "none"):
        return None, None
    return (policy().breaker.slow_ratio.value, between) if between and between < timeout.per_try else (None, None)


def _open_for(call: Call, asked: AskedBreaker) -> tuple[float, str]:
    figures = policy().breaker
    if asked.open_for is not None:
        return asked.open_for, "The spec asks for it."
    if call.recovery_time is None:
        return figures.open_for.value, figures.open_for.source
    share = figures.recovery_share.value * call.recovery_time
    if share <= figures.least_open.value:
        return figures.least_open.value, figures.least_open.source
    chosen = min(figures.open_for.value, rounded_up(share))
    why = (
        f"The dependency takes {spell_duration(call.recovery_time)} to come back; probing every "
        f"{spell_duration(chosen)} adds at most {spell_share(round(chosen / call.recovery_time, 3))} to the outage."
    )
    return chosen, why


def _probes(known: Known, open_for: float) -> int:
    """The usual number, or as many as make a tenth of what the dependency can do."""
    most = int(known.capacity * open_for / 10 / known.instances / known.shards)
    return max(1, min(policy().breaker.probes.value, most))


def _about_breaker(
    call: Call, known: Known, planned: BreakerPlan, asked: AskedBreaker, about: str, whys: tuple[float, str, str]
) -> Iterator[Decision]:
    figures, (wrong, why_window, why_open) = policy().breaker, whys
    note = "(note breaker-figures-are-choices)"

    def decided(key: str, choice: str, because: str, *instead: str) -> Decision:
        return Decision(
            about=f"{about}breaker.{key}", choice=choice, because=because, instead_of=instead, law=RESILIENCE_LAW
        )

    if asked.size is None:
        unit = spell_duration(planned.size) if planned.window == "time" else f"the last {planned.size:g} calls"
        usual = spell_duration(figures.window.value)
        yield decided("size", unit, why_window, *([f"{usual}, the usual figure {note}"] if unit != usual else []))
    if asked.minimum_calls is None:
        because = _why_minimum(planned, wrong)
        yield decided(
            "minimum_calls", str(planned.minimum_calls), because, f"none, as the usual figures have it {note}"
        )
    if asked.failure_ratio is None:
        yield decided("failure_ratio", spell_share(planned.failure_ratio), _why_ratio(planned, wrong), "10%, as Polly")
    if asked.slow_ratio is None and asked.slow_after is None:
        yield _about_slow(call, planned, about)
    if asked.open_for is None:
        usual = f"{spell_duration(figures.open_for.value)}, the usual figure {note}"
        instead = (usual,) if planned.open_for != figures.open_for.value else ()
        yield decided("open_for", spell_duration(planned.open_for), why_open, *instead)
    if asked.probes is None:
        because = figures.probes.source
        if planned.probes < figures.probes.value:
            many = known.instances * known.shards
            because = f"{many} breakers probe at once: more would be more than a tenth of what the dependency can do."
        yield decided("probes", str(planned.probes), because)
    if call.shards > 1:
        because = (
            f"{call.shards} shards fail by themselves: one breaker over all sees "
            f"{spell_share(round(1 / call.shards, 3))} of failures when one is down, "
            "and once it opens, it takes the healthy ones away too."
        )
        yield Decision(
            about=f"{about}shards",
            choice="one breaker for each",
            because=because,
            instead_of=("one for all (note breaker-over-shards)",),
            law=RESILIENCE_LAW,
        )


def _why_ratio(planned: BreakerPlan, wrong: float) -> str:
    figure = policy().breaker.failure_ratio
    if planned.failure_ratio <= figure.value:
        return figure.source
    return (
        f"{spell_share(round(wrong, 5))} of calls fail when all is well, which is too near to "
        f"{spell_share(figure.value)}: it would open by chance, or need more calls than come."
    )


def _why_minimum(planned: BreakerPlan, wrong: float) -> str:
    failing = f"{spell_share(round(wrong, 5))} of calls fail when all is well"
    ratio = spell_share(planned.failure_ratio)
    if wrong >= planned.failure_ratio:
        return f"{failing}, which is no less than {ratio}: it opens though all is well, however many calls it counts."
    chance = at_least(math.ceil(planned.failure_ratio * planned.minimum_calls - 1e-9), planned.minimum_calls, wrong)
    if chance > policy().breaker.false_open.value:
        once = _many(rounded_up(1 / chance))
        return f"The window holds no more. {failing}: of so few it opens by chance, in one window of {once}."
    return f"{failing}: {planned.minimum_calls} of them reach {ratio} by chance less than once in a billion windows."


def _many(number: float) -> str:
    return f"{number:,.0f}" if number >= 100 else f"{number:.2g}"  # noqa: PLR2004 - two digits tell enough of fewer


def _about_slow(call: Call, planned: BreakerPlan, about: str) -> Decision:
    if planned.slow_ratio is None or planned.slow_after is None:
        choice = "not judged"
        because = (
            f"{call.operation} is critical and has no fallback: a slow answer is better than none. What takes longer "
            "than the timeout has failed, and the bulkhead bounds what waits."
            if call.criticality == "critical"
            else "The timeout is hardly longer than the 99th percentile: what is slow has failed."
        )
    else:
        choice = f"{spell_share(planned.slow_ratio)} slower than {spell_duration(planned.slow_after)}"
        because = "Between the 99th percentile and the timeout: a dependency that drowns is slow before it fails."
    return Decision(about=f"{about}breaker.slow_ratio", choice=choice, because=because, law=RESILIENCE_LAW)


def bulkhead(call: Call, known: Known, about: str) -> tuple[BulkheadPlan, tuple[Decision, ...]]:
    """How many calls one instance may have under way, by Little's law with headroom."""
    if call.bulkhead is not None:
        return BulkheadPlan(call.bulkhead.concurrent), ()
    figures = policy().bulkhead
    latency = Latency.through(known.p50, known.p99, known.p999)
    usual = known.each * latency.mean
    slowest = known.each * known.p99
    concurrent = max(math.ceil(slowest * figures.headroom.value), places(usual, figures.refused.value))
    concurrent = min(concurrent, _MOST_CONCURRENT)
    each = spell_duration(min(YEAR, max(0.001, round(latency.mean, 3))))
    because = (
        f"By Little's law {spell_rate(known.each)} of one instance x {each} "
        f"are {_many(usual)} under way on average, {_many(slowest)} if all took as long as the 99th percentile; "
        "one more is refused at once, instead of waiting."
    )
    decided = Decision(
        about=f"{about}bulkhead.concurrent",
        choice=str(concurrent),
        because=because,
        instead_of=("a pool of threads (note semaphores-for-virtual-threads)", "25, the default of Resilience4j"),
        law=RESILIENCE_LAW,
    )
    return BulkheadPlan(concurrent), (decided,)


def limit(call: Call, known: Known, about: str) -> tuple[LimitPlan | None, tuple[Decision, ...]]:
    """The share of the quota that one instance may use."""
    if call.quota is not None:
        rate = call.quota / known.instances
        rate = float(int(rate)) if rate >= 1 else rounded_down(rate)
        because = f"{spell_rate(call.quota)} are permitted, and {known.instances} instances share them."
        if call.quota < known.rate:
            refused = spell_share(round(1 - call.quota / known.rate, 3))
            because += f" At the busiest hour that refuses {refused} of the calls: ask for more, or call less."
        choice = f"{spell_rate(rate)} for each instance"
        return LimitPlan(rate), (Decision(about=f"{about}quota", choice=choice, because=because, law=RESILIENCE_LAW),)
    because = "No quota is known, and what the dependency bears is bounded by the bulkhead, which follows its latency."
    return None, (Decision(about=f"{about}quota", choice="no rate limit", because=because, law=RESILIENCE_LAW),)


def hedge(call: Call, known: Known, tried: Tries, about: str) -> tuple[HedgePlan | None, tuple[Decision, ...]]:
    """A second try beside a slow first one, where that is asked for and does no harm."""
    key = f"{about}hedge"
    figure = policy().hedge.quantile
    after = rounded_up(Latency.through(known.p50, known.p99, known.p999).quantile(figure.value))
    if why := _why_no_hedge(call, tried, after):
        return None, (Decision(about=key, choice="none", because=why, law=RESILIENCE_LAW),)
    choice = f"a second try after {spell_duration(after)}"
    return HedgePlan(after), (Decision(about=key, choice=choice, because=figure.source, law=RESILIENCE_LAW),)


def _why_no_hedge(call: Call, tried: Tries, after: float) -> str:
    """Why no second try is sent beside a slow one; empty if it may be."""
    if not call.hedge:
        return "It isn't asked for."
    if safety(call) == "unsafe":
        return f"{call.operation} may not happen twice."
    if tried.retry is None:
        return (
            "Nothing is tried again, so that no budget bounds it: once all calls are slow, it would be twice the load."
        )
    if after >= tried.timeout.per_try:
        return f"One in twenty takes {spell_duration(after)}, and no try is waited for that long."
    return ""
