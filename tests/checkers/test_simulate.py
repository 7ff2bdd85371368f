"""The simulator against what queueing theory has exact formulas for, and against the laws of time."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise
from statistics import fmean, stdev
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from halfopen.checkers.simulate import Level, Simulation, Station

WARM_UP, LONG, SEEDS = 200.0, 2_200.0, 20
# Student's t for a two-sided interval of 99.9 % from twenty runs.
T = 3.883


@dataclass
class Queue:
    """Poisson arrivals at a station with exponential service."""

    rate: float
    mean_service: float
    servers: int
    places: int | None = None
    seed: int = 0
    waits: list[float] = field(default_factory=list)
    came: int = 0
    refused: int = 0

    def __post_init__(self) -> None:
        self.simulation = Simulation(self.seed)
        gaps, services = self.simulation.stream("arrivals"), self.simulation.stream("service")
        self.gap: Callable[[], float] = lambda: gaps.expovariate(self.rate)
        self.here = Level(self.simulation)
        self.times: dict[int, float] = {}
        self.station = Station(
            self.simulation, self.servers, lambda: services.expovariate(1 / self.mean_service),
            self.left, self.places, self.turned_away,
        )  # fmt: skip

    def arrive(self, number: int) -> None:
        self.came += 1
        self.times[number] = self.simulation.now
        if self.station.arrive(number):
            self.here.add(1)
        self.simulation.after(self.gap(), self.arrive, number + 1)

    def left(self, number: int) -> None:
        self.here.add(-1)
        self.waits.append(self.simulation.now - self.times.pop(number))

    def turned_away(self, number: int) -> None:
        self.refused += 1
        del self.times[number]

    def run(self) -> Queue:
        self.simulation.after(self.gap(), self.arrive, 0)
        self.simulation.run(WARM_UP)
        self.here.restart()
        self.waits.clear()
        self.came = self.refused = 0
        self.simulation.run(LONG)
        return self


def erlang_c(servers: int, load: float) -> float:
    """The chance to wait at all: https://en.wikipedia.org/wiki/Erlang_(unit)#Erlang_C_formula."""
    last = load**servers / math.factorial(servers) * servers / (servers - load)
    return last / (sum(load**k / math.factorial(k) for k in range(servers)) + last)


def holds(runs: list[float], expected: float) -> bool:
    """Whether the formula's value lies in the interval that the runs give."""
    half = T * stdev(runs) / math.sqrt(len(runs))
    # An interval as wide as the value would hold anything.
    assert half < 0.2 * expected
    return abs(fmean(runs) - expected) < half


@pytest.mark.parametrize(("servers", "rate"), [(1, 0.5), (1, 0.8), (2, 1.6), (5, 4.0), (20, 17.0)])
def test_the_time_in_a_station_is_that_of_erlang_c(servers: int, rate: float) -> None:
    found = [Queue(rate, 1.0, servers, seed=seed).run() for seed in range(SEEDS)]
    wait = erlang_c(servers, rate) / (servers - rate)
    assert holds([fmean(queue.waits) for queue in found], wait + 1.0)
    # Little's law, of the same runs.
    assert holds([queue.here.mean for queue in found], rate * (wait + 1.0))


@pytest.mark.parametrize(("places", "rate"), [(1, 0.7), (3, 0.9), (5, 1.5)])
def test_so_many_are_turned_away_from_a_station_with_places(places: int, rate: float) -> None:
    """M/M/1/K: the chance that all places are taken is (1 - r) r^K / (1 - r^(K + 1))."""
    found = [Queue(rate, 1.0, 1, places, seed).run() for seed in range(SEEDS)]
    expected = (1 - rate) * rate**places / (1 - rate ** (places + 1))
    assert holds([queue.refused / queue.came for queue in found], expected)


def test_one_seed_gives_one_run_and_another_gives_another() -> None:
    first, again, other = (Queue(0.8, 1.0, 1, seed=seed).run() for seed in (7, 7, 8))
    assert first.waits == again.waits
    assert first.waits != other.waits


def test_a_stream_is_the_same_whatever_else_is_drawn() -> None:
    one, two = Simulation(3), Simulation(3)
    two.stream("service").random()
    assert [one.stream("arrivals").random() for _ in range(5)] == [two.stream("arrivals").random() for _ in range(5)]
    assert one.stream("arrivals") is not one.stream("service")


PLANS = st.lists(
    st.tuples(st.floats(0, 100), st.booleans(), st.lists(st.floats(0, 100), max_size=3)), max_size=30
)  # fmt: skip


@given(PLANS, st.floats(0, 300))
def test_time_never_goes_back_and_what_was_taken_back_never_happens(plan: list[Any], until: float) -> None:
    simulation = Simulation()
    happened: list[tuple[float, int]] = []
    said: list[float] = []
    taken_back = set()

    def note(argument: tuple[int, list[float]]) -> None:
        number, more = argument
        happened.append((simulation.now, number))
        for delay in more:
            said.append(simulation.now + delay)
            simulation.after(delay, note, (len(said) - 1, []))

    for delay, back, more in plan:
        said.append(delay)
        event = simulation.after(delay, note, (len(said) - 1, more))
        if back:
            simulation.take_back(event)
            taken_back.add(len(said) - 1)
    count = simulation.run(until)
    assert count == len(happened)
    assert simulation.now == until
    assert all(before <= after for before, after in pairwise(time for time, _ in happened))
    # At one time, in the order in which they were said.
    assert happened == sorted(happened)
    assert {number for _, number in happened} == {
        number for number, time in enumerate(said) if time < until and number not in taken_back
    }
    assert all(time == said[number] for time, number in happened)


def test_who_waits_may_give_up_and_who_is_served_may_not() -> None:
    simulation, left = Simulation(), []
    station = Station(simulation, 1, lambda: 2.0, left.append, places=2, refused=lambda one: left.append(f"no {one}"))
    assert [station.arrive(one) for one in "abc"] == [True, True, False]
    assert station.here == 2
    assert [station.give_up(one) for one in "ab"] == [False, True]
    simulation.run(10.0)
    assert left == ["no c", "a"]
    assert (station.here, station.busy) == (0, 0)


def test_a_level_is_weighed_by_time() -> None:
    simulation = Simulation()
    level = Level(simulation)
    for delay, change in ((1.0, 2.0), (3.0, -1.0)):
        simulation.after(delay, level.add, change)
    assert level.mean == 0.0
    simulation.run(4.0)
    assert level.mean == pytest.approx((0 * 1 + 2 * 2 + 1 * 1) / 4)
    level.restart()
    simulation.run(6.0)
    assert level.mean == 1.0


@pytest.mark.parametrize("delay", [-1.0, math.nan])
def test_what_can_not_be_is_refused(delay: float) -> None:
    with pytest.raises(ValueError, match="can't be"):
        Simulation().after(delay, print)
    with pytest.raises(ValueError, match="at least one server"):
        Station(Simulation(), 0, lambda: 1.0, print)
    with pytest.raises(ValueError, match="3 places at least, not 2"):
        Station(Simulation(), 3, lambda: 1.0, print, places=2)
