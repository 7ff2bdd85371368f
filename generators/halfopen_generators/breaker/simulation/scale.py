"""How much of the real load is simulated: so much that a report takes seconds, at the same utilisation.

Each instance of the caller has a breaker of its own, so instances are left away first; what is left is one or more
whole instances, each with its own traffic, before their part of the dependency. Only where one instance alone is more
than can be simulated in time is its traffic thinned, and its bulkhead with it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from halfopen_generators.breaker.latency import Latency
from halfopen_generators.breaker.plan import Known

# Calls a second that are simulated at most, and servers that the dependency has at least, where it has as many: with
# fewer it would queue more than a large one does at the same utilisation.
_MOST_RATE = 70.0
_SERVERS = 5


@dataclass(frozen=True)
class Scale:
    """What is simulated: whole instances, servers of the dependency, and calls a second of each instance."""

    instances: int
    servers: int
    rate: float
    thinned: float  # 1: each instance has its own traffic

    @property
    def total(self) -> float:
        """Calls a second of all simulated instances."""
        return self.rate * self.instances


def scale(known: Known) -> Scale:
    """The simulated part of a call's load. Utilisation is kept exactly; an instance's rate as nearly as that allows."""
    mean = Latency.through(known.p50, known.p99, known.p999).mean
    utilisation = known.rate / known.capacity
    busy = known.each * mean / utilisation  # servers' worth of one instance
    thinned = min(1.0, _MOST_RATE / known.each)
    wanted = max(1, math.ceil(_SERVERS / (busy * thinned)))
    instances = max(1, min(known.instances, wanted, int(_MOST_RATE / (known.each * thinned)) or 1))
    servers = max(1, round(busy * thinned * instances))
    # As many servers as there are whole ones; the rate follows, so that the utilisation is the same.
    rate = utilisation * servers / mean / instances
    return Scale(instances, servers, rate, rate / known.each if thinned < 1 else 1.0)
