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
# Nor more servers than these: where calls take long, a run would end before the first of them have.
_MOST_SERVERS = 50
# Each has breakers of its own, and of a hundred one more says little.
_MOST_INSTANCES = 100
# What can do ten times what is asked for has as much to spare as what can do a thousand times that.
_LEAST_BUSY = 0.1


@dataclass(frozen=True)
class Scale:
    """What is simulated: whole instances, servers of the dependency, and calls a second of each instance."""

    instances: int
    servers: int
    rate: float
    thinned: float  # 1: each instance has its own traffic
    utilisation: float  # how busy the dependency is when all is well

    @property
    def total(self) -> float:
        """Calls a second of all simulated instances."""
        return self.rate * self.instances


def scale(known: Known) -> Scale:
    """The simulated part of a call's load.

    Utilisation is kept exactly, and an instance's rate as nearly as that allows. Only a dependency that is less than
    one server's worth is simulated as one whole server, and is less busy than it is said to be; and one that is hardly
    busy at all as a tenth busy.
    """
    mean = Latency.through(known.p50, known.p99, known.p999).mean
    utilisation = max(_LEAST_BUSY, known.rate / known.capacity)
    busy = known.each * mean / utilisation  # servers' worth of one instance
    thinned = min(1.0, _MOST_RATE / known.each, _MOST_SERVERS / busy)
    wanted = math.ceil(_SERVERS / (busy * thinned))
    permitted = int(min(_MOST_INSTANCES, _MOST_RATE / (known.each * thinned)))
    instances = max(1, min(known.instances, wanted, permitted))
    share = busy * thinned * instances
    if share <= 1:
        return Scale(instances, 1, known.each * thinned, thinned, utilisation)
    # As many servers as there are whole ones; the rate follows, so that the utilisation is the same.
    servers = round(share)
    rate = utilisation * servers / mean / instances
    return Scale(instances, servers, rate, rate / known.each if thinned < 1 else 1.0, utilisation)
