"""What can be said of one call's breaker without running anything: whether it opens, closes, and when it shouldn't."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from decimal import Decimal

from halfopen.durations import spell_duration
from halfopen.findings import at
from halfopen.quantities import spell_rate, spell_share
from halfopen.vocabulary import Finding, Severity
from halfopen.wording import count
from halfopen_generators.breaker.codes import finding
from halfopen_generators.breaker.formulas import at_least, calls_needed
from halfopen_generators.breaker.openings import MOST_CALLS, usual_errors
from halfopen_generators.breaker.plan import BreakerPlan, CallPlan
from halfopen_generators.breaker.policy import policy

_SLIGHTLY = 1e-9
# A breaker that opens for nothing: somebody is called once a day, somebody wonders once a month.
_DAY = 86_400.0
_MONTH = 30 * _DAY
_UNITS = (("d", _DAY), ("h", 3600.0), ("min", 60.0))


def never_opens(call: CallPlan) -> Iterator[Finding]:
    """RES06: the window seldom or never holds as many calls as the breaker waits for."""
    breaker = call.breaker
    if breaker is None or breaker.window != "time":
        return
    busy, quiet = (_seen(call, rate) * breaker.size for rate in (call.known.rate, call.known.quiet_rate))
    if quiet >= breaker.minimum_calls - _SLIGHTLY:
        return
    always = busy < breaker.minimum_calls - _SLIGHTLY
    opens = "late or never" if always else "late or not at all then"
    rate = _seen(call, call.known.rate if always else call.known.quiet_rate)
    shard = " and shard" if call.known.shards > 1 and call.per_shard else ""
    yield finding(
        "RES06",
        f"{'Even at the busiest hour' if always else 'In quiet hours'} {spell_duration(breaker.size)} hold "
        f"{spell_figure(busy if always else quiet)} calls on average ({spell_rate(rate)} of each instance{shard}); "
        f"the breaker waits for {breaker.minimum_calls}, so it opens {opens}.",
        f"`{_larger_window(call, breaker)}`, or fewer minimum_calls.",
        at(*call.location, "breaker", "minimum_calls"),
        at(*call.location, "breaker", "size"),
        at(*call.location, "traffic", "rate" if always else "quiet_rate"),
        severity=Severity.ERROR if always else Severity.INFO,
    )


def _larger_window(call: CallPlan, breaker: BreakerPlan) -> str:
    """A window that holds enough calls even in quiet hours; of calls, where that would be too long ago."""
    needed = math.ceil(breaker.minimum_calls / _seen(call, call.known.quiet_rate) - _SLIGHTLY)
    if needed <= policy().breaker.longest_window.value:
        return f"breaker: {{size: {spell_duration(float(needed))}}}"
    return f"breaker: {{window: count, size: {breaker.minimum_calls}}}"


def minimum_in_window(call: CallPlan) -> Iterator[Finding]:
    """RES07: a count window that can't hold the calls that are waited for."""
    breaker = call.breaker
    if breaker and breaker.window == "count" and breaker.minimum_calls > breaker.size:
        yield finding(
            "RES07",
            f"The window holds the last {count(int(breaker.size), 'call')}, and the breaker waits for "
            f"{breaker.minimum_calls}: by the letter it never opens, and some libraries quietly take the smaller "
            "number.",
            f"`breaker: {{size: {breaker.minimum_calls}}}`, or fewer minimum_calls.",
            at(*call.location, "breaker", "size"),
            at(*call.location, "breaker", "minimum_calls"),
        )


def probes(call: CallPlan) -> Iterator[Finding]:
    """RES09: a breaker that can't close, or that half-open lets through what it held back."""
    breaker = call.breaker
    if breaker is None:
        return
    usual = policy().breaker.probes.value
    fix, place = f"`breaker: {{probes: {usual}}}`", at(*call.location, "breaker", "probes")
    if breaker.probes == 0:
        without = "Without a probe nothing shows that the dependency is well again: once open, it stays open."
        yield finding("RES09", without, fix, place)
        return
    held = _seen(call, call.known.rate) * breaker.open_for
    if breaker.probes > max(usual, held):
        yield finding(
            "RES09",
            f"Half-open it lets {breaker.probes} calls of each instance through, and in the "
            f"{spell_duration(breaker.open_for)} before it held back {spell_figure(held)}: a dependency that is down "
            "gets most of its calls all the same.",
            f"{fix}, or a longer open_for.",
            place,
            at(*call.location, "breaker", "open_for"),
            severity=Severity.WARNING,
        )


def shards(call: CallPlan) -> Iterator[Finding]:
    """RES10: a breaker that can't tell the healthy shards from the others."""
    if call.known.shards == 1 or call.breaker is None or call.per_shard:
        return
    share = 1 / call.known.shards
    then = (
        "the breaker stays closed over it"
        if share < call.breaker.failure_ratio
        else "the breaker opens, and the healthy shards are gone too"
    )
    yield finding(
        "RES10",
        f"One shard of {call.known.shards} that is down is {spell_share(round(share, 3))} of the calls: {then}.",
        "`breaker: {per_shard: true}`",
        at(*call.location, "breaker", "per_shard"),
        at(*call.location, "shards"),
    )


def false_opens(call: CallPlan) -> Iterator[Finding]:
    """RES23: by the usual errors alone, it opens now and then."""
    breaker = call.breaker
    if breaker is None:
        return
    wrong = usual_errors(call.known, call.timeout)
    held, seconds = _fewest(call, breaker)
    needed = math.ceil(breaker.failure_ratio * held - _SLIGHTLY)
    chance = at_least(needed, held, wrong)
    breakers = call.known.instances * (call.known.shards if call.per_shard else 1)
    every = seconds / breakers / chance if chance else math.inf
    if chance <= policy().breaker.false_open.value or every > _MONTH:
        return
    over = f" over all {call.known.instances} instances" if call.known.instances > 1 else ""
    late, most = wrong - call.known.error_rate, policy().timeout.most_false.value
    cut = f" ({spell_share(round(late, 5))} by the timeout alone)" if late > most + _SLIGHTLY else ""
    yield finding(
        "RES23",
        f"{spell_share(round(wrong, 5))} of calls fail when all is well{cut}, so about every {_about(every)} of quiet "
        f"hours{over} {needed} of {held} do, which opens it.",
        _calmer(call, breaker, wrong, late),
        at(*call.location, "breaker", "minimum_calls"),
        at(*call.location, "breaker", "failure_ratio"),
        *([at(*call.location, "timeout"), at(*call.location, "deadline")] if cut else []),
        at(*call.location, "error_rate"),
        severity=Severity.ERROR if every < _DAY else Severity.WARNING,
    )


def _fewest(call: CallPlan, breaker: BreakerPlan) -> tuple[int, float]:
    """As few calls as a window holds that is judged, which is in quiet hours, and how many seconds it takes."""
    quiet = _seen(call, call.known.quiet_rate)
    if breaker.window == "count":
        held = min(max(breaker.minimum_calls, int(breaker.size)), MOST_CALLS)
        return held, held / quiet
    mean = quiet * breaker.size
    # Three standard deviations fewer than usual, as a Poisson number is once in a thousand windows.
    held = min(max(breaker.minimum_calls, int(mean - 3 * math.sqrt(mean))), MOST_CALLS)
    return held, max(breaker.size, held / quiet)


def _calmer(call: CallPlan, breaker: BreakerPlan, wrong: float, late: float) -> str:
    """What leaves the usual errors below what opens it: first the timeout, where it makes most of them."""
    most = policy().timeout.most_false.value
    if late <= most + _SLIGHTLY:
        return f"{_more_calls(breaker, wrong)}, or leave both out and have them decided."
    return f"{longer_timeout(call)} and {_more_calls(breaker, call.known.error_rate + most)}."


def longer_timeout(call: CallPlan) -> str:
    """The 99th percentile as the timeout, and as the deadline where that is shorter."""
    p99 = spell_duration(call.known.p99)
    return f"`deadline: {p99}` and `timeout: {p99}`" if call.deadline < call.known.p99 else f"`timeout: {p99}`"


def _more_calls(breaker: BreakerPlan, wrong: float) -> str:
    """The fewest calls by which that share of errors doesn't open it, and a higher ratio where none do."""
    figures = policy().breaker
    for ratio in (breaker.failure_ratio, *(tenth / 10 for tenth in range(1, 11))):
        if ratio < breaker.failure_ratio:
            continue
        needed = calls_needed(ratio, wrong, figures.false_open.value, figures.least_calls.value, MOST_CALLS)
        if needed is not None:
            higher = f", failure_ratio: {spell_share(ratio)}" if ratio > breaker.failure_ratio else ""
            larger = f", size: {needed}" if breaker.window == "count" and breaker.size < needed else ""
            return f"`breaker: {{minimum_calls: {max(needed, breaker.minimum_calls)}{larger}{higher}}}`"
    return f"`breaker: {{minimum_calls: {MOST_CALLS}, failure_ratio: 100%}}`"


def _seen(call: CallPlan, rate: float) -> float:
    """Calls a second that one breaker sees of that rate."""
    return rate / call.known.instances / (call.known.shards if call.per_shard else 1)


def spell_figure(number: float) -> str:
    """The number to three digits, without an exponent."""
    return "hardly any" if number < 0.01 else f"{Decimal(f'{number:.3g}').normalize():f}"  # noqa: PLR2004 - as good as none


def _about(seconds: float) -> str:
    """The time to two digits, in the largest unit of which there is one."""
    unit, size = next(((unit, size) for unit, size in _UNITS if seconds >= size), ("s", 1.0))
    return f"{float(f'{seconds / size:.2g}'):g} {unit}"


OF_A_BREAKER: tuple[Callable[[CallPlan], Iterator[Finding]], ...] = (
    never_opens, minimum_in_window, probes, shards, false_opens,
)  # fmt: skip
