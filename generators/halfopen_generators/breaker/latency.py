"""How long a dependency takes: a distribution through the quantiles that are known.

Between two quantiles the logarithm of the time is a straight line in the normal score, so that with two of them it is
the log-normal distribution through both, and with three one whose tail is as heavy as the third says.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache, cached_property
from random import Random
from statistics import NormalDist

_NORMAL = NormalDist()
_P99, _P999 = _NORMAL.inv_cdf(0.99), _NORMAL.inv_cdf(0.999)
# Beyond one call in a million a line through three quantiles is invention: that call takes as long as the millionth.
_HIGHEST = _NORMAL.inv_cdf(1 - 1e-6)
_STEPS = 20_000


@cache
def _scores() -> tuple[float, ...]:
    """The normal scores of the midpoints, which are the same for every latency."""
    return tuple(_NORMAL.inv_cdf((step + 0.5) / _STEPS) for step in range(_STEPS))


@dataclass(frozen=True)
class Latency:
    """Times of answers in seconds; p50 <= p99 <= p999."""

    p50: float
    p99: float
    p999: float

    @classmethod
    def through(cls, p50: float, p99: float, p999: float | None) -> Latency:
        """Through two or three quantiles; the third is drawn from the line of the others where it isn't known."""
        slope = math.log(p99 / p50) / _P99
        return cls(p50, p99, p999 if p999 is not None else p50 * math.exp(slope * _P999))

    @cached_property
    def _slopes(self) -> tuple[float, float, float]:
        tail = math.log(self.p999 / self.p99) / (_P999 - _P99)
        return math.log(self.p50), math.log(self.p99 / self.p50) / _P99, tail

    def of_score(self, score: float) -> float:
        """The time at that normal score: 0 is the median."""
        start, body, tail = self._slopes
        if score <= _P99:
            return math.exp(start + body * score)
        return math.exp(start + body * _P99 + tail * (min(score, _HIGHEST) - _P99))

    def quantile(self, share: float) -> float:
        """The time within which that share of the calls is answered; 0 < share < 1."""
        return self.of_score(_NORMAL.inv_cdf(share))

    def above(self, seconds: float) -> float:
        """The share of the calls that take longer than that."""
        start, body, tail = self._slopes
        over = math.log(seconds) - start
        if over <= body * _P99:
            # All take the same time where the quantiles are one.
            score = over / body if body else (-math.inf if over < 0 else math.inf)
        else:
            score = _P99 + (over - body * _P99) / tail if tail else math.inf
        if score >= _HIGHEST:
            return 0.0
        return 1 - _NORMAL.cdf(score) if score > -math.inf else 1.0

    @cached_property
    def mean(self) -> float:
        """The mean time, by the midpoints of twenty thousand equal shares."""
        return math.fsum(map(self.of_score, _scores())) / _STEPS

    def draw(self, numbers: Random) -> float:
        """The time of one call."""
        return self.of_score(numbers.gauss(0.0, 1.0))
