"""The formulas that figures are derived by, each with its source."""

from __future__ import annotations

import math
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from statistics import NormalDist

# So many servers that counting them up one by one would take long.
_MANY = 100_000


def rounded_up(value: float, digits: int = 2) -> float:
    """The next number of so many significant digits, for figures that people read: 0.4743 gives 0.48."""
    # Of what is a figure already, no last bit of a logarithm makes the next one.
    number = Decimal(f"{value:.12g}")
    step = Decimal(1).scaleb(number.adjusted() - digits + 1)
    return float((number / step).to_integral_value(ROUND_CEILING) * step)


def rounded_down(value: float, digits: int = 2) -> float:
    """The number of so many significant digits before it: 0.4743 gives 0.47."""
    number = Decimal(f"{value:.12g}")
    step = Decimal(1).scaleb(number.adjusted() - digits + 1)
    return float((number / step).to_integral_value(ROUND_FLOOR) * step)


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
        if share == 0:
            break  # it has become too small for a number, and only becomes smaller
    return share


def places(load: float, refused: float) -> int:
    """The fewest places at which Erlang B refuses at most that share; of very many, a few more than the fewest."""
    if load > _MANY:
        # The normal approximation to the number under way, which for so many is none that matters.
        return math.ceil(load - NormalDist().inv_cdf(refused) * math.sqrt(load))
    share, servers = 1.0, 0
    while share > refused:
        servers += 1
        share = load * share / (servers + load * share)
    return servers


def at_least(successes: int, trials: int, chance: float) -> float:
    """The chance of so many or more successes in so many trials: the upper tail of the binomial distribution."""
    if successes <= 0:
        return 1.0
    if chance <= 0 or successes > trials:
        return 0.0
    if chance >= 1:
        return 1.0
    odds = chance / (1 - chance)
    total = term = math.exp(
        math.lgamma(trials + 1) - math.lgamma(successes + 1) - math.lgamma(trials - successes + 1)
        + successes * math.log(chance) + (trials - successes) * math.log1p(-chance)
    )  # fmt: skip
    for number in range(successes, trials):
        factor = odds * (trials - number) / (number + 1)
        term *= factor
        total += term
        # From the mean on each term is less than the one before by at least that factor.
        if factor < 1 and term < total * (1 - factor) * 1e-15:
            break
    return min(1.0, total)


def calls_needed(ratio: float, error_rate: float, false_open: float, least: int, most: int) -> int | None:
    """So many calls that that ratio of them failing by the usual error rate alone is as unlikely as that.

    They are the fewest up to forty, and above within a twentieth of the fewest.

    Args:
        ratio: Share of failed calls that opens the breaker.
        error_rate: Share of calls that fail when all is well.
        false_open: How likely a window may open it for nothing.
        least: Never fewer than these.
        most: Never more; None if even these don't suffice.
    """
    if error_rate >= ratio:
        return None
    # By Chernoff's bound so many suffice; half as many never do, since it is that near.
    sure = math.inf if ratio < 1 else 0.0
    if ratio < 1 and error_rate > 0:
        apart = ratio * math.log(ratio / error_rate) + (1 - ratio) * math.log((1 - ratio) / (1 - error_rate))
        sure = -math.log(false_open) / apart
    trials = max(least, int(min(sure / 2, most + 1)) if error_rate > 0 else least)
    while trials <= most:
        if at_least(math.ceil(ratio * trials - 1e-9), trials, error_rate) <= false_open:
            return trials
        trials += max(1, trials // 20)
    return None
