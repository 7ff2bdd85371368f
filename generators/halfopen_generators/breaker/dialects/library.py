"""What the library dialects share: how figures are spelled, and what no library can say of them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from fractions import Fraction

from halfopen.templates import environment, pascal
from halfopen.vocabulary import Artifact
from halfopen_generators.breaker.dialects import Unsaid
from halfopen_generators.breaker.plan import BreakerPlan, CallPlan, Layer
from halfopen_generators.breaker.reading import Term, intended

# A library in the caller's code can play all of a policy.
ALL: frozenset[Layer] = frozenset({"fallback", "retry", "breaker", "limit", "bulkhead", "timeout"})
_DURATIONS: tuple[Term, ...] = ("per_try", "overall", "first_wait", "longest_wait", "slow_after", "open_for")
# The longest period, in seconds, that a rate is counted over so that it comes out exactly.
_LONGEST_PERIOD = 60
_NEAR = 1e-9


def rendered(
    stack: str, files: Mapping[str, tuple[str, str]], values: Mapping[str, object], *, templates: str | None = None
) -> tuple[Artifact, ...]:
    """The files of a stack: path under its folder to template and media type; `templates` is their folder's name."""
    found, folder = environment("halfopen_generators.breaker"), templates or stack
    return tuple(
        Artifact(
            path=f"{stack}/{path}", media_type=kind, text=found.get_template(f"{folder}/{template}").render(values)
        )
        for path, (template, kind) in files.items()
    )


def type_name(call: CallPlan) -> str:
    """PaymentChargeCard, of payment's ChargeCard."""
    return pascal(call.dependency) + pascal(call.operation)


def millis(seconds: float) -> int:
    """Whole milliseconds, one at least."""
    return max(1, round(seconds * 1000))


def figure(value: float) -> str:
    """A number as every language reads it: 2, 0.2, 1.5."""
    return f"{value:.12g}"


def percent(share: float) -> str:
    """A share as a percentage without its sign: 50, 12.5."""
    return figure(share * 100)


def whole(value: float) -> bool:
    """Whether a library that counts in whole numbers can say it."""
    return math.isclose(value, round(value), rel_tol=_NEAR) and value >= 1


def rate(wanted: float) -> tuple[int, int]:
    """A rate as so many calls in so many seconds, exactly if that takes a minute at most."""
    found = Fraction(wanted).limit_denominator(_LONGEST_PERIOD)
    if found and math.isclose(found, wanted, rel_tol=_NEAR):
        return found.numerator, found.denominator
    return (max(1, math.floor(wanted * _LONGEST_PERIOD)), _LONGEST_PERIOD)


def finer_than_millis(call: CallPlan) -> Iterator[Unsaid]:
    """The durations that are no whole number of milliseconds."""
    meant = intended(call)
    off = tuple(term for term in _DURATIONS if _off(meant[term]))
    if off:
        yield Unsaid(off, "It counts in milliseconds.", "The nearest whole number of them, one at least.")


def _off(seconds: object) -> bool:
    return isinstance(seconds, (int, float)) and not math.isclose(millis(seconds) / 1000, seconds, rel_tol=_NEAR)


def uneven_rate(call: CallPlan) -> Iterator[Unsaid]:
    """A rate that is no whole number of calls in any whole number of seconds up to a minute."""
    if call.limit and not math.isclose(Fraction(*rate(call.limit.rate)), call.limit.rate, rel_tol=_NEAR):
        yield Unsaid(("rate",), "It lets a whole number of calls begin in a period.", "The next lower rate.")


def fraction_of_a_second(call: CallPlan) -> Iterator[Unsaid]:
    """A window that is no whole number of seconds."""
    if call.breaker and not whole(call.breaker.size):
        yield Unsaid(("size",), "Its window is a whole number of seconds.", "The next longer window.")


def unplayed_timeout(call: CallPlan) -> Iterator[Unsaid]:
    """A time-out of each try that another stack plays."""
    if "timeout" not in call.layers:
        yield Unsaid(("per_try",), "Another stack plays the time-out of a try.", "The deadline of all tries is kept.")


def layered(call: CallPlan) -> CallPlan:
    """The call without a fallback that no layer serves."""
    return call if "fallback" in call.layers else replace(call, fallback=None)


def probes(breaker: BreakerPlan) -> int:
    """One at least: without a probe it would stay open for ever."""
    return max(1, breaker.probes)


def no_probe(call: CallPlan) -> Iterator[Unsaid]:
    """A breaker that nothing closes again."""
    if call.breaker and call.breaker.probes < 1:
        yield Unsaid(("probes",), "Without a probe it would stay open for ever.", "One probe.")


def told(found: Iterable[Iterator[Unsaid]]) -> tuple[Unsaid, ...]:
    """All of them."""
    return tuple(unsaid for each in found for unsaid in each)


def unjudged_slowness(call: CallPlan, who: str) -> Iterator[Unsaid]:
    """Slow calls, of a breaker that judges failures alone; grave where a slow try can succeed."""
    breaker = call.breaker
    if breaker and breaker.slow_ratio is not None:
        yield Unsaid(
            ("slow_ratio", "slow_after"),
            f"{who} doesn't judge slow calls.",
            "The time-out of a try makes a failure of a slow one.",
            grave=call.timeout.per_try > (breaker.slow_after or 0) and "timeout" in call.layers,
        )


def aligned(fields: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """Fields of a Go struct as gofmt has them: the types in one column."""
    found = list(fields)
    longest = max(len(name) for name, _ in found)
    return [(name.ljust(longest), kind) for name, kind in found]
