"""The luck of one seed, drawn once: all policies and troubles of a seed meet the same arrivals and service times.

That is what makes a difference between two policies theirs (common random numbers), and it saves drawing them anew.
"""

from __future__ import annotations

from halfopen.checkers.simulate import Simulation
from halfopen_generators.breaker.latency import Latency

_AT_ONCE = 4_096


class Draws:
    """Endless lists: the n-th of each is the same for whoever asks.

    Of the n-th call: the gap before it, which instance makes it, and which shard or host it goes to. Of the n-th try
    that reaches the dependency: how long it takes, and the chance that decides whether it fails.
    """

    __slots__ = ("_latency", "_numbers", "callers", "chances", "gaps", "parts", "seed", "services")

    def __init__(self, seed: int, latency: Latency) -> None:
        """Nothing is drawn yet."""
        simulation = Simulation(seed)
        self.seed = seed
        self._latency = latency
        self._numbers = {
            purpose: simulation.stream(purpose) for purpose in ("arrivals", "caller", "part", "service", "luck")
        }
        self.gaps: list[float] = []  # mean 1: of a rate of one call a second
        self.callers: list[float] = []  # 0 to 1, as are parts and chances
        self.parts: list[float] = []
        self.services: list[float] = []  # seconds
        self.chances: list[float] = []

    def more_calls(self) -> None:
        """Make the lists of gaps, callers and parts longer; they are as long as each other."""
        gap, caller, part = (self._numbers[purpose] for purpose in ("arrivals", "caller", "part"))
        self.gaps += [gap.expovariate(1.0) for _ in range(_AT_ONCE)]
        self.callers += [caller.random() for _ in range(_AT_ONCE)]
        self.parts += [part.random() for _ in range(_AT_ONCE)]

    def more_tries(self) -> None:
        """Make the lists of service times and of chances longer; they are as long as each other."""
        draw, service, chance = self._latency.draw, self._numbers["service"], self._numbers["luck"]
        self.services += [draw(service) for _ in range(_AT_ONCE)]
        self.chances += [chance.random() for _ in range(_AT_ONCE)]
