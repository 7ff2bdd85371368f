"""Discrete-event simulation: events in the order of their times, and stations that serve what arrives.

It knows no breaker and no retry: a model says what happens at an event and schedules what follows. The same model and
the same seed give the same run, to the last digit. Each purpose has a stream of random numbers of its own, so that two
designs of one model meet the same arrivals and the same service times (common random numbers), and differ only in what
they do about them.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from heapq import heappop, heappush
from typing import Any

Action = Callable[[Any], None]
# What the heap holds: when, the how-manieth, what happens, and to what. An event that was taken back has no action.
Event = list[Any]
_ACTION, _ARGUMENT = 2, 3


class Simulation:
    """A clock, and what is still to happen. Times are seconds from the start."""

    __slots__ = ("_events", "_scheduled", "_seed", "_streams", "now")

    def __init__(self, seed: int = 0) -> None:
        self.now = 0.0
        self._seed = seed
        self._events: list[Event] = []
        self._scheduled = 0
        self._streams: dict[str, random.Random] = {}

    def stream(self, purpose: str) -> random.Random:
        """The random numbers for that purpose: the same for each run of that seed, whatever else is drawn."""
        if purpose not in self._streams:
            # A text seeds by its hash of 512 bits, not by the hash that changes with each process.
            self._streams[purpose] = random.Random(f"{self._seed}/{purpose}")  # noqa: S311 - nothing is to be kept secret
        return self._streams[purpose]

    def after(self, delay: float, action: Action, argument: Any = None) -> Event:
        """Have it happen so many seconds from now. Of two at one time, the one that was said first happens first.

        Raises:
            ValueError: the delay is negative or no number.
        """
        if not delay >= 0:
            raise ValueError(f"an event can't be {delay} s from now")
        self._scheduled += 1
        event: Event = [self.now + delay, self._scheduled, action, argument]
        heappush(self._events, event)
        return event

    @staticmethod
    def take_back(event: Event) -> None:
        """Have it not happen; nothing if it has happened already."""
        event[_ACTION] = None

    def run(self, until: float) -> int:
        """Let happen all that happens before that time, and set the clock to it. How many events happened."""
        events, happened = self._events, 0
        while events and events[0][0] < until:
            event = heappop(events)
            action = event[_ACTION]
            if action is not None:
                self.now = event[0]
                # Whoever takes it back from now on comes too late.
                event[_ACTION] = None
                action(event[_ARGUMENT])
                happened += 1
        self.now = until
        return happened


@dataclass
class Level:
    """A number that changes at events, such as how many wait, and its mean over time."""

    simulation: Simulation
    value: float = 0.0
    _since: float = 0.0
    _area: float = 0.0
    _start: float = 0.0

    def __post_init__(self) -> None:
        self.restart()

    def restart(self) -> None:
        """Begin to measure now, such as once a model has warmed up."""
        self._start = self._since = self.simulation.now
        self._area = 0.0

    def add(self, change: float) -> None:
        """Change it by so much, now."""
        now = self.simulation.now
        self._area += self.value * (now - self._since)
        self._since = now
        self.value += change

    @property
    def mean(self) -> float:
        """Its mean over the time since it was last restarted; its value if no time has passed."""
        now = self.simulation.now
        if now == self._start:
            return self.value
        return (self._area + self.value * (now - self._since)) / (now - self._start)


@dataclass
class Station:
    """So many servers with one queue before them, first come, first served; what finds no place is turned away.

    Args:
        simulation: The clock.
        servers: How many are served at once.
        places: How many may be here, those that are served included; None: any number.
        service: Draws how many seconds one takes to be served.
        served: Is told of each that was served.
        refused: Is told of each that found no place.
    """

    simulation: Simulation
    servers: int
    service: Callable[[], float]
    served: Action
    places: int | None = None
    refused: Action | None = None
    waiting: deque[Any] = field(default_factory=deque)
    busy: int = 0

    def __post_init__(self) -> None:
        if self.servers < 1:
            raise ValueError(f"a station has at least one server, not {self.servers}")
        if self.places is not None and self.places < self.servers:
            raise ValueError(f"{self.servers} servers are {self.servers} places at least, not {self.places}")

    @property
    def here(self) -> int:
        """How many are here: served, and waiting."""
        return self.busy + len(self.waiting)

    def arrive(self, one: Any) -> bool:
        """One comes, now. Whether there was a place."""
        if self.busy < self.servers:
            self.busy += 1
            self.simulation.after(self.service(), self._leave, one)
            return True
        if self.places is not None and self.busy + len(self.waiting) >= self.places:
            if self.refused is not None:
                self.refused(one)
            return False
        self.waiting.append(one)
        return True

    def give_up(self, one: Any) -> bool:
        """One that waits goes away, such as at its timeout. Whether it was still waiting."""
        try:
            self.waiting.remove(one)
        except ValueError:
            return False
        return True

    def _leave(self, one: Any) -> None:
        if self.waiting:
            self.simulation.after(self.service(), self._leave, self.waiting.popleft())
        else:
            self.busy -= 1
        self.served(one)
