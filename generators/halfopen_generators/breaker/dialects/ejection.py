"""How a mesh does what a breaker is for: it takes single hosts out of the balancing for a while.

No mesh stops calls to the dependency as a whole. What the breaker's figures become there is worked out here, from what
is known of the call.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

from halfopen_generators.breaker.dialects import Unsaid
from halfopen_generators.breaker.dialects.telling import milliseconds, seconds
from halfopen_generators.breaker.plan import BreakerPlan, CallPlan, Known
from halfopen_generators.breaker.reading import Term

# A host that is well is taken for broken less often than this in a year, by each instance of the caller.
_FALSE_A_YEAR = 1
_YEAR = 365 * 24 * 3600
# Two failures say little and a hundred that nobody waits for; what is told says what was reckoned with.
_FEWEST, _MOST = 3, 100
_WHOLE = 100  # percent


def consecutive(known: Known) -> int:
    """So many failures of one host in a row that a host which is well has them less than once a year.

    A run of n begins with any call, with chance error_rate ** n.
    """
    if known.error_rate >= 1:
        return _MOST
    if known.error_rate <= 0:
        return _FEWEST
    calls = max(known.each * _YEAR / _FALSE_A_YEAR, 1)
    return min(max(math.ceil(math.log(calls) / -math.log(known.error_rate)), _FEWEST), _MOST)


def volume(breaker: BreakerPlan, known: Known) -> int:
    """How many calls of one host judge it: its part of the breaker's minimum, and enough that it is rarely wrong.

    By Chernoff's bound n calls of a host that is well fail at that ratio with a chance of exp(-n * D) at most, D being
    the divergence of the ratio from the error rate; more than the breaker's own minimum is never asked for.
    """
    least = max(math.ceil(breaker.minimum_calls / known.hosts), 1)
    ratio, rate = breaker.failure_ratio, known.error_rate
    if rate <= 0:
        return least
    if ratio <= rate:
        return max(breaker.minimum_calls, least)
    divergence = ratio * math.log(ratio / rate)
    if ratio < 1:
        divergence += (1 - ratio) * math.log((1 - ratio) / (1 - rate))
    windows = max(_YEAR / breaker.size / _FALSE_A_YEAR, 1) if breaker.window == "time" else known.each * _YEAR
    return max(min(math.ceil(math.log(max(windows, 1)) / divergence), breaker.minimum_calls), least)


def ejectable(known: Known) -> int:
    """How many hosts may be out at once: those left carry the busiest hour, and one at least stays, if there are two.

    The only host of all may be: then that is the breaker.
    """
    if known.hosts == 1:
        return 1
    needed = math.ceil(known.hosts * known.rate / known.capacity)
    return min(max(known.hosts - needed, 1), known.hosts - 1)


def percent(known: Known) -> int:
    """The same as Envoy's max_ejection_percent, which a further ejection must not exceed: never none, never every one.

    https://www.envoyproxy.io/docs/envoy/latest/api-v3/config/cluster/v3/outlier_detection.proto
    """
    if known.hosts == 1:
        return _WHOLE
    return min(math.ceil(_WHOLE * ejectable(known) / known.hosts), _WHOLE - 1)


def out_at_once(known: Known) -> str:
    """The same in words."""
    if known.hosts == 1:
        return "the only host, which is to open the breaker"
    return f"at most {ejectable(known)} of {known.hosts} hosts"


CONSECUTIVE: tuple[Term, ...] = ("window", "size", "minimum_calls", "failure_ratio")


def unsaid_of_consecutive(call: CallPlan, title: str, *, bounded: bool = True) -> Iterator[Unsaid]:
    """What is lost where failures in a row are counted, host by host; `bounded` if not all may be out at once."""
    breaker = call.breaker
    if breaker is None:
        return
    number = consecutive(call.known)
    wanted = f"{breaker.failure_ratio:.0%} of the calls of a window"
    out = f"; {out_at_once(call.known)}" if bounded else ""
    nearest = f"{number} in a row, which a host that is well has less than once a year{out}."
    yield Unsaid(CONSECUTIVE, f"{title} counts failures of a host in a row, not {wanted}.", nearest, grave=True)
    yield from unsaid_of_slowness(call, title)


def unsaid_of_return(call: CallPlan, title: str) -> Iterator[Unsaid]:
    """How a host comes back by Envoy's own rules, where the mesh doesn't pass others on."""
    if call.breaker is None:
        return
    why = f"Envoy has a host that is ejected again stay out longer each time, and {title} doesn't let that be changed."
    first = seconds(milliseconds(call.breaker.open_for))
    yield Unsaid(("open_for",), why, f"{first} the first time, as much more each further time, up to 300 s.")
    yield Unsaid(
        ("probes",),
        "A host that comes back gets its whole share at once.",
        "No probes: the first failures in a row eject it again.",
        grave=True,
    )
    if call.retry is not None and call.retry.on_open:
        yield Unsaid(("retries_open",), "What finds no host is told at once.", "Not tried again.")


def unsaid_of_slowness(call: CallPlan, title: str) -> Iterator[Unsaid]:
    """That a host which is slow is not judged for it."""
    if call.breaker is not None and call.breaker.slow_ratio is not None:
        why = f"{title} judges answers, not how long they took."
        nearest = "A try that exceeds its timeout counts as a failure." if "timeout" in call.layers else "Nothing."
        yield Unsaid(("slow_ratio", "slow_after"), why, nearest)
