"""The study behind a breaker report in processor seconds, and its calls a second beside simpy's on one model.

The study is of one payment: eight troubles, four policies, three seeds. The model that simpy gets too is the study's
dependency with callers that have no policy: both draw the same arrivals and service times, and their medians are held
against each other. The two take turns, and the ratio is the median of the ratios of neighbours.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from statistics import median
from typing import Any

import simpy

from halfopen.progress import Silent
from halfopen_generators.breaker.latency import Latency
from halfopen_generators.breaker.plan import BreakerPlan, BulkheadPlan, CallPlan, Known, RetryPlan, TimeoutPlan
from halfopen_generators.breaker.simulation.draws import Draws
from halfopen_generators.breaker.simulation.run import Times, run
from halfopen_generators.breaker.simulation.scale import scale
from halfopen_generators.breaker.simulation.scenarios import scenarios
from halfopen_generators.breaker.simulation.study import policies, study

PAIRS = 5
SEEDS = 3
WHEN = Times(10.0, 30.0, 800.0)
# Processor seconds that the study may take, so that a report takes less than five.
STUDY_TO_REACH = 3.5

PAYMENT = CallPlan(
    caller="checkout", dependency="payment", operation="ChargeCard", location=(), safety="keyed", key="order_id",
    known=Known(rate=200, quiet_rate=20, instances=6, p50=0.04, p99=0.25, p999=0.9, error_rate=0.002, recovery_time=45,
                shards=1, hosts=3, capacity=300),
    criticality="critical", fallback=None, fallback_dependency=None, retried_by=(),
    timeout=TimeoutPlan(0.9, 2.0),
    retry=RetryPlan(2, 0.1, 2.0, 0.1, "full", 0.2, ("unreached", "unavailable", "timeout")),
    breaker=BreakerPlan("time", 10.0, 10, 0.5, None, None, 4.5, 3),
    bulkhead=BulkheadPlan(13), limit=None, hedge=None,
    layers=("retry", "breaker", "bulkhead", "timeout"), deadline=2.0,
)  # fmt: skip
LOAD = scale(PAYMENT.known)
LATENCY = Latency(PAYMENT.known.p50, PAYMENT.known.p99, PAYMENT.known.p999)


def drawn(seed: int) -> Draws:
    """Enough of everything, so that neither is timed while it draws."""
    draws = Draws(seed, LATENCY)
    while sum(draws.gaps) / LOAD.total < WHEN.ends:
        draws.more_calls()
        draws.more_tries()
    return draws


def ours(draws: Draws) -> float:
    """The median time of the calls from the beginning of the trouble on, by the study's own run."""
    trouble = scenarios(PAYMENT.known, WHEN.until - WHEN.begins)["errors"]
    return run(policies(PAYMENT)["nothing"], None, trouble, LOAD, draws, WHEN).p50


def theirs(draws: Draws) -> float:
    """The same by simpy, as its documentation writes such a model."""
    environment = simpy.Environment()
    servers = simpy.Resource(environment, capacity=LOAD.servers)
    times: list[float] = []
    services = iter(draws.services)

    def call() -> Iterator[Any]:
        came = environment.now
        with servers.request() as request:
            yield request
            yield environment.timeout(next(services))
        if came >= WHEN.begins:
            times.append(environment.now - came)

    def arrivals() -> Iterator[Any]:
        for gap in draws.gaps:
            yield environment.timeout(gap / LOAD.total)
            if environment.now >= WHEN.ends:
                break
            environment.process(call())

    environment.process(arrivals())
    environment.run(WHEN.ends + PAYMENT.deadline)
    return sorted(times)[math.ceil(len(times) / 2) - 1]


def beside_simpy() -> None:
    ratios = []
    for seed in range(PAIRS):
        draws = drawn(seed)
        calls = WHEN.ends * LOAD.total
        start = time.process_time()
        mine = ours(draws)
        middle = time.process_time()
        yours = theirs(draws)
        end = time.process_time()
        assert math.isclose(mine, yours, rel_tol=1e-6), "the two are not one model"
        ratios.append((end - middle) / (middle - start))
        print(f"ours {calls / (middle - start):>9,.0f} calls a second, simpy {calls / (end - middle):>9,.0f}")
    print(f"ratio {median(ratios):.1f}")


def main() -> None:
    took = []
    for _ in range(PAIRS):
        start = time.process_time()
        found = study(PAYMENT, SEEDS, Silent())
        took.append(time.process_time() - start)
    seconds = found.when.ends * found.load.total * found.runs
    print(
        f"the study: {found.runs} runs of {found.when.ends:g} s, {seconds:,.0f} calls, in {median(took):.2f} s "
        f"(to reach: {STUDY_TO_REACH:g}), {seconds / median(took):,.0f} calls a second"
    )
    beside_simpy()


if __name__ == "__main__":
    main()
