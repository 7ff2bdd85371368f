"""The simulator beside simpy on one model, an M/M/c queue, in the same run: customers a second, and the mean wait.

Both draw the same arrivals and service times from the same seeds, and their mean waits are held against Erlang C. The
two take turns, and the ratio is the median of the ratios of neighbours.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from statistics import fmean, median
from typing import Any

import simpy

from halfopen.checkers.simulate import Simulation, Station

PAIRS = 5
SERVERS, RATE, MEAN_SERVICE, UNTIL = 5, 4.0, 1.0, 25_000.0
# What the ratio is to be at least.
TO_REACH = 5.0
Waits = list[float]


def ours(seed: int) -> Waits:
    """The waits before service, by this project's simulator."""
    simulation = Simulation(seed)
    waits: Waits = []
    gap, service = (Simulation(seed).stream(purpose).expovariate for purpose in ("gap", "service"))

    def serve() -> float:
        waits.append(simulation.now)
        return service(1 / MEAN_SERVICE)

    station = Station(simulation, SERVERS, serve, lambda _: None)
    came: list[float] = []

    def arrive(_: Any) -> None:
        came.append(simulation.now)
        station.arrive(None)
        simulation.after(gap(RATE), arrive)

    simulation.after(gap(RATE), arrive)
    simulation.run(UNTIL)
    # First come, first served: the n-th to be served is the n-th that came.
    return [start - arrived for start, arrived in zip(waits, came, strict=False)]


def theirs(seed: int) -> Waits:
    """The same by simpy, as its documentation writes such a model."""
    waits: Waits = []
    gap, service = (Simulation(seed).stream(purpose).expovariate for purpose in ("gap", "service"))
    environment = simpy.Environment()
    servers = simpy.Resource(environment, capacity=SERVERS)

    def customer() -> Iterator[Any]:
        arrived = environment.now
        with servers.request() as request:
            yield request
            waits.append(environment.now - arrived)
            yield environment.timeout(service(1 / MEAN_SERVICE))

    def source() -> Iterator[Any]:
        while True:
            yield environment.timeout(gap(RATE))
            environment.process(customer())

    environment.process(source())
    environment.run(UNTIL)
    return waits


def erlang_c() -> float:
    """The mean wait: https://en.wikipedia.org/wiki/Erlang_(unit)#Erlang_C_formula."""
    load = RATE * MEAN_SERVICE
    last = load**SERVERS / math.factorial(SERVERS) * SERVERS / (SERVERS - load)
    waits = last / (sum(load**k / math.factorial(k) for k in range(SERVERS)) + last)
    return waits / (SERVERS / MEAN_SERVICE - RATE)


def timed(model: Callable[[int], Waits], seed: int) -> tuple[float, Waits]:
    start = time.process_time()
    waits = model(seed)
    return time.process_time() - start, waits


def main() -> None:
    ratios, means = [], []
    for seed in range(PAIRS):
        (own, mine), (other, yours) = timed(ours, seed), timed(theirs, seed)
        assert math.isclose(fmean(mine), fmean(yours), rel_tol=1e-9), "the two are not one model"
        ratios.append((len(mine) / own) / (len(yours) / other))
        means.append(fmean(mine))
        print(f"{len(mine):,} customers: ours {len(mine) / own:>9,.0f} a second, simpy {len(yours) / other:>9,.0f}")
    print(
        f"ratio {median(ratios):.1f} (to reach: {TO_REACH:g}); mean wait {fmean(means):.3f}, Erlang C {erlang_c():.3f}"
    )


if __name__ == "__main__":
    main()
