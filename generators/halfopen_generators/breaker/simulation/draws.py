"""The luck of one seed, drawn once: all policies and troubles of a seed meet the same arrivals and service times.

That is what makes a difference between two policies theirs (common random numbers), and it saves drawing them anew.
"""

from __future__ import annotations

from halfopen.checkers.simulate import Simulation
from halfopen_generators.breaker.latency import Latency

_AT_ONCE = 4_096


class Draws:
    """Endless lists: the n-th service time, gap between arrivals, and chance are the same for whoever asks."""

    __slots__ = ("_chance", "_gap", "_latency", "_service", "chances", "gaps", "seed", "services")

    def __init__(self, seed: int, latency: Latency) -> None:
        """Nothing is drawn yet."""
        simulation = Simulation(seed)
        self.seed = seed
        self._latency = latency
        self._gap = simulation.stream("arrivals")
        self._service = simulation.stream("service")
        self._chance = simulation.stream("luck")
        self.gaps: list[float] = []  # mean 1: of a rate of one call a second
        self.services: list[float] = []  # seconds
        self.chances: list[float] = []  # 0 to 1

    def more_gaps(self) -> None:
        """Make the list of gaps longer."""
        self.gaps += [self._gap.expovariate(1.0) for _ in range(_AT_ONCE)]

    def more_services(self) -> None:
        """Make the lists of service times and of chances longer; they are as long as each other."""
        draw, numbers = self._latency.draw, self._service
        self.services += [draw(numbers) for _ in range(_AT_ONCE)]
        self.chances += [self._chance.random() for _ in range(_AT_ONCE)]
