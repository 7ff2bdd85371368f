"""What can be said of one call's policy without running anything: one function per fault, each with its figures."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

from halfopen.durations import spell_duration
from halfopen.findings import at
from halfopen.quantities import spell_rate, spell_share
from halfopen.vocabulary import Finding, Severity
from halfopen_generators.breaker.codes import finding
from halfopen_generators.breaker.formulas import at_least
from halfopen_generators.breaker.latency import Latency
from halfopen_generators.breaker.openings import seen, usual_errors
from halfopen_generators.breaker.plan import CallPlan
from halfopen_generators.breaker.policy import policy

_SLIGHTLY = 1e-9
# Beyond one window in a thousand, false openings are felt, not only possible.
_OFTEN = 1e-3


def tries_in_deadline(call: CallPlan) -> Iterator[Finding]:
    """NET03: all tries and waits together take longer than anybody waits."""
    attempts, waits = (call.retry.attempts, call.retry.waits) if call.retry else (1, ())
    worst = attempts * call.timeout.per_try + sum(waits)
    if worst > call.deadline + _SLIGHTLY:
        tries = f"{attempts} tries of {spell_duration(call.timeout.per_try)}"
        waited = f" and waits of {spell_duration(round(sum(waits), 3))}" if waits else ""
        yield finding(
            "NET03",
            f"{tries}{waited} take {spell_duration(round(worst, 3))}; the deadline is {spell_duration(call.deadline)}. "
            "The last try is made for nobody.",
            "Fewer tries, a shorter timeout, or leave both out and have them decided.",
            at(*call.location, "retries"),
            at(*call.location, "deadline"),
        )


def jitter(call: CallPlan) -> Iterator[Finding]:
    """RES02: all that failed together comes back together."""
    if call.retry and call.retry.jitter == "none":
        yield finding(
            "RES02",
            f"What fails together is tried again together, after exactly {spell_duration(call.retry.first_wait)}: "
            f"{spell_rate(call.known.rate)} arrive at once.",
            "jitter: full",
            at(*call.location, "retries", "jitter"),
            severity=Severity.WARNING,
        )


def unsafe_retry(call: CallPlan) -> Iterator[Finding]:
    """RES05: what may not happen twice is sent twice."""
    if call.safety != "unsafe" or not (call.retry or call.hedge):
        return
    what = f"{call.retry.attempts} tries" if call.retry else "a second try beside the first"
    yield finding(
        "RES05",
        f"{call.operation} isn't idempotent and has no idempotency_key, and {what} are asked for: a try whose answer "
        "was lost has had its effect, and the next one has it again.",
        "Name the idempotency_key by which the dependency knows a repeated call, or take the retries away.",
        at(*call.location, "retries" if call.retry else "hedge"),
        at(*call.location, "idempotent"),
    )


def never_opens(call: CallPlan) -> Iterator[Finding]:
    """RES06: the window never holds as many calls as the breaker waits for."""
    breaker = call.breaker
    if breaker is None or breaker.window != "time":
        return
    busy, quiet = (seen(call.known, rate) * breaker.size for rate in (call.known.rate, call.known.quiet_rate))
    if quiet >= breaker.minimum_calls:
        return
    often = busy < breaker.minimum_calls
    hour = "Even at the busiest hour" if often else "In quiet hours"
    rate = seen(call.known, call.known.rate if often else call.known.quiet_rate)
    shard = " and shard" if call.known.shards > 1 else ""
    yield finding(
        "RES06",
        f"{hour} {spell_duration(breaker.size)} hold {busy if often else quiet:.3g} calls ({spell_rate(rate)} of each "
        f"instance{shard}); the breaker waits for {breaker.minimum_calls}, so it "
        f"{'never opens' if often else 'does not open then'}.",
        f"A window of {spell_duration(float(math.ceil(breaker.minimum_calls / rate)))}, or fewer minimum_calls.",
        at(*call.location, "breaker", "minimum_calls"),
        at(*call.location, "traffic", "rate" if often else "quiet_rate"),
        severity=Severity.ERROR if often else Severity.INFO,
    )


def minimum_in_window(call: CallPlan) -> Iterator[Finding]:
    """RES07: a count window that can't hold the calls that are waited for."""
    breaker = call.breaker
    if breaker and breaker.window == "count" and breaker.minimum_calls > breaker.size:
        yield finding(
            "RES07",
            f"minimum_calls is {breaker.minimum_calls}, and the window holds the last {breaker.size:g}: some libraries "
            "never open, others quietly take the smaller number.",
            f"minimum_calls of at most {breaker.size:g}, or a larger window.",
            at(*call.location, "breaker", "minimum_calls"),
            at(*call.location, "breaker", "size"),
        )


def retried_rejections(call: CallPlan) -> Iterator[Finding]:
    """RES08: waiting for a breaker that has said no."""
    if call.retry and call.retry.on_open and call.breaker:
        waited = spell_duration(round(sum(call.retry.waits), 3))
        yield finding(
            "RES08",
            f"What the open breaker rejects is tried again for {waited} while it stays open for "
            f"{spell_duration(call.breaker.open_for)}: the caller waits for nothing.",
            "on_open: false",
            at(*call.location, "retries", "on_open"),
        )


def probes(call: CallPlan) -> Iterator[Finding]:
    """RES09: a breaker that can't close, or whose probes are an overload."""
    breaker, known = call.breaker, call.known
    if breaker is None:
        return
    if breaker.probes == 0:
        yield finding(
            "RES09",
            "Without a probe nothing shows that the dependency is well again: once open, it stays open.",
            f"probes: {policy().breaker.probes.value}",
            at(*call.location, "breaker", "probes"),
        )
        return
    rate = breaker.probes * known.instances * known.shards / breaker.open_for
    if rate > known.capacity:
        yield finding(
            "RES09",
            f"{known.instances} instances send {breaker.probes} probes every {spell_duration(breaker.open_for)}: "
            f"{spell_rate(rate)} for a dependency that can do {spell_rate(known.capacity)} when it is well.",
            "Fewer probes, or a longer open_for.",
            at(*call.location, "breaker", "probes"),
            at(*call.location, "breaker", "open_for"),
        )


def budget(call: CallPlan) -> Iterator[Finding]:
    """RES12: nothing bounds how many calls are retries."""
    if call.retry and call.retry.budget >= 1:
        yield finding(
            "RES12",
            f"When all calls fail, {call.retry.attempts} tries each are {call.retry.attempts} times the load.",
            f"budget: {spell_share(policy().retry.budget.value)}",
            at(*call.location, "retries", "budget"),
            severity=Severity.WARNING,
        )


def fallback_apart(call: CallPlan) -> Iterator[Finding]:
    """RES13: a fallback that is down whenever it is needed."""
    if call.fallback and call.fallback_dependency == call.dependency:
        yield finding(
            "RES13",
            f"The fallback calls {call.dependency}, which is what has failed when it is needed.",
            "A fallback that needs nothing of it, or none: an error that comes at once.",
            at(*call.location, "fallback_dependency"),
        )


def bulkhead(call: CallPlan) -> Iterator[Finding]:
    """RES14: by Little's law more calls are under way than there are places."""
    if call.bulkhead is None:
        return
    known = call.known
    mean = Latency.through(known.p50, known.p99, known.p999).mean
    usual, slow = known.each * mean, known.each * known.p99
    if call.bulkhead.concurrent < slow:
        always = call.bulkhead.concurrent < usual
        takes = f"{spell_duration(round(mean, 3))} on average" if always else f"{spell_duration(known.p99)} (p99)"
        yield finding(
            "RES14",
            f"{spell_rate(known.each)} of one instance x {takes} are {usual if always else slow:.3g} calls under way; "
            f"the bulkhead has {call.bulkhead.concurrent} places.",
            f"bulkhead: {{concurrent: {math.ceil(slow * policy().bulkhead.headroom.value)}}}",
            at(*call.location, "bulkhead", "concurrent"),
            severity=Severity.ERROR if always else Severity.WARNING,
        )


def metastable(call: CallPlan) -> Iterator[Finding]:
    """RES19: more is asked for than the dependency can do, or will be as soon as retries begin."""
    known = call.known
    extra = call.retry.budget if call.retry else 0.0
    if call.retry and call.retry.budget >= 1:
        extra = call.retry.attempts - 1.0
    asked = known.rate * (1 + extra)
    if asked >= known.capacity:
        retried = f" and {spell_share(extra)} of retries" if extra else ""
        yield finding(
            "RES19",
            f"{spell_rate(known.rate)}{retried} are {spell_rate(asked)}; the dependency can do "
            f"{spell_rate(known.capacity)}. Once it is behind, its queue never empties, though the cause is gone.",
            "More capacity, or less: a smaller budget, a limit at the entry.",
            at(*call.location, "capacity"),
            at(*call.location, "traffic", "rate"),
        )


def false_timeouts(call: CallPlan) -> Iterator[Finding]:
    """RES22: the timeout is shorter than healthy calls take."""
    known, most = call.known, policy().timeout.most_false.value
    cut = Latency.through(known.p50, known.p99, known.p999).above(call.timeout.per_try)
    if cut > most + _SLIGHTLY:
        yield finding(
            "RES22",
            f"{spell_share(round(cut, 4))} of healthy calls take longer than {spell_duration(call.timeout.per_try)} "
            f"(p99 is {spell_duration(known.p99)}): they fail though nothing is wrong, and each is load without use.",
            f"A timeout of {spell_duration(known.p99)} or more"
            + (", and a deadline that has room for it." if call.deadline < known.p99 else "."),
            at(*call.location, "timeout" if call.deadline >= known.p99 else "deadline"),
            at(*call.location, "latency", "p99"),
            severity=Severity.WARNING,
        )


def false_opens(call: CallPlan) -> Iterator[Finding]:
    """RES23: by the usual errors alone, it opens now and then."""
    breaker = call.breaker
    if breaker is None:
        return
    wrong = usual_errors(call.known, call.timeout)
    needed = math.ceil(breaker.failure_ratio * breaker.minimum_calls - _SLIGHTLY)
    chance = at_least(needed, breaker.minimum_calls, wrong)
    if chance > policy().breaker.false_open.value:
        yield finding(
            "RES23",
            f"{spell_share(round(wrong, 5))} of calls fail when all is well; that {needed} of {breaker.minimum_calls} "
            f"do, which opens it, has a chance of {chance:.2g} in each window.",
            "More minimum_calls, a higher failure_ratio, or leave both out and have them decided.",
            at(*call.location, "breaker", "minimum_calls"),
            at(*call.location, "error_rate"),
            severity=Severity.ERROR if chance > _OFTEN else Severity.WARNING,
        )


def unknown_outcome(call: CallPlan) -> Iterator[Finding]:
    """IDP07: nobody can ask again, and nobody knows what happened."""
    if call.safety == "unsafe":
        yield finding(
            "IDP07",
            f"When {call.operation} times out, it may have had its effect or not, and without an idempotency key "
            "nobody can ask again.",
            "Name an idempotency_key that the dependency knows a repeated call by; until then reconcile by hand.",
            at(*call.location, "idempotency_key"),
            severity=Severity.WARNING,
        )


def shards(call: CallPlan) -> Iterator[Finding]:
    """RES10: a breaker that can't tell the healthy shards from the others."""
    asked = call.per_shard
    if call.known.shards > 1 and call.breaker and not asked:
        share = spell_share(round(1 / call.known.shards, 3))
        yield finding(
            "RES10",
            f"One shard of {call.known.shards} that fails is {share} of the failures: "
            + (
                "the breaker stays closed over it"
                if 1 / call.known.shards < call.breaker.failure_ratio
                else "the breaker opens, and the healthy shards are gone too"
            )
            + ".",
            "per_shard: true",
            at(*call.location, "breaker", "per_shard"),
            at(*call.location, "shards"),
        )


OF_A_CALL: tuple[Callable[[CallPlan], Iterator[Finding]], ...] = (
    tries_in_deadline, jitter, unsafe_retry, never_opens, minimum_in_window, retried_rejections, probes, shards, budget,
    fallback_apart, bulkhead, metastable, false_timeouts, false_opens, unknown_outcome,
)  # fmt: skip
