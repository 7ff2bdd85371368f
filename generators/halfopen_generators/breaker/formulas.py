"""The formulas that figures are derived by, each with its source."""

from __future__ import annotations

import math
from decimal import ROUND_CEILING, Decimal


def rounded_up(value: float, digits: int = 2) -> float:
    """The next number of so many significant digits, for figures that people read: 0.4743 gives 0.48."""
    # Of what is a figure already, no last bit of a logarithm makes the next one.
    number = Decimal(f"{value:.12g}")
    step = Decimal(1).scaleb(number.adjusted() - digits + 1)
    return float((number / step).to_integral_value(ROUND_CEILING) * step)


def blocked(servers: int, load: float) -> float:
    """The share of arrivals that find all servers busy: Erlang B, M/M/c/c.

    Args:
        servers: How many may be under way at once.
        load: Arrivals a second times the mean seconds each takes (Little's law).

    Source: https://en.wikipedia.org/wiki/Erlang_(unit)#Erlang_B_formula, by its recursion, which can't overflow.
    """
    share = 1.0
    for number in range(1, servers + 1):
        share = load * share / (number + load * share)
    return share


def places(load: float, refused: float) -> int:
    """The fewest places at which Erlang B refuses at most that share."""
    share, servers = 1.0, 0
    while share > refused:
        servers += 1
        share = load * share / (servers + load * share)
    return servers


def at_least(successes: int, trials: int, chance: float) -> float:
    """The chance of so many or more successes in so many trials: the upper tail of the binomial distribution."""
    if successes <= 0:
        return 1.0
    if chance <= 0:
        return 0.0
    if chance >= 1:
        return 1.0
    logs = (
        math.lgamma(trials + 1) - math.lgamma(number + 1) - math.lgamma(trials - number + 1)
        + number * math.log(chance) + (trials - number) * math.log1p(-chance)
        for number in range(successes, trials + 1)
    )  # fmt: skip
    return min(1.0, math.fsum(math.exp(log) for log in logs))


def calls_needed(ratio: float, error_rate: float, false_open: float, least: int, most: int) -> int | None:
    """The fewest calls of which that ratio failing by the usual error rate alone is as unlikely as that.

    Args:
        ratio: Share of failed calls that opens the breaker.
        error_rate: Share of calls that fail when all is well.
        false_open: How likely a window may open it for nothing.
        least: Never fewer than these.
        most: Never more; None if even these don't suffice.
    """
    if error_rate >= ratio:
        return None
    trials = least
    while trials <= most:
        if at_least(math.ceil(ratio * trials - 1e-9), trials, error_rate) <= false_open:
            return trials
        trials += max(1, trials // 20)
    return None
