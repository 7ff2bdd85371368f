"""What goes wrong, and when: eight ways in which a dependency fails, as functions of time.

Times are seconds from the start of the trouble; before it, all is well.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from halfopen_generators.breaker.plan import Known

Scenario = Literal[
    "outage", "brownout", "leak", "flapping", "errors", "bad part", "herd", "overload",
]  # fmt: skip
_BROWNOUT = 10.0
_LEAK = 20.0
_FLAP = 5.0
_ERRORS = 0.1
_HERD = 3.0
_COLD = 3.0
_SURGE = 1.3
# A dependency that is hardly used is not overloaded by this caller, whatever happens.
_MOST_SURGE = 10.0
_NO_TIME = 1e-6


@dataclass(frozen=True)
class Trouble:
    """How the dependency and the load are at a time. `until` is when the trouble's cause is gone."""

    scenario: Scenario
    title: str
    until: float
    what: str

    @property
    def over(self) -> float:
        """When the dependency is as it was before, but for what waits in queues."""
        if self.scenario == "overload":
            return 0.0  # it is the load that changes
        return self.until + _cold(self.until) if self.scenario == "herd" else self.until

    def goes_down(self, time: float) -> float:
        """When the dependency next answers nothing at all: that time if it is down then, infinity if it never is."""
        if self.scenario not in ("outage", "herd", "flapping"):
            return math.inf
        # What begins when the dependency is up again must not find it down by the last bit of a sum.
        if time < 0 or time + _NO_TIME >= self.until:
            return 0.0 if time < 0 else math.inf
        if self.scenario == "flapping" and (turn := int((time + _NO_TIME) / _FLAP)) % 2:
            again = (turn + 1) * _FLAP
            return again if again < self.until else math.inf
        return time

    def up_again(self, time: float) -> float:
        """When a dependency that is down at that time answers again."""
        if self.scenario == "flapping":
            return min(self.until, (int((time + _NO_TIME) / _FLAP) + 1) * _FLAP)
        return self.until

    def slower(self, time: float) -> float:
        """How many times as long each call takes that is begun at that time."""
        if self.scenario == "herd" and self.until <= time < self.until + _cold(self.until):
            return _COLD
        if not 0 <= time < self.until:
            return 1.0
        if self.scenario == "brownout":
            return _BROWNOUT
        return 1 + (_LEAK - 1) * time / self.until if self.scenario == "leak" else 1.0

    def fails(self, time: float) -> float:
        """The share of calls that fail beyond the usual ones."""
        return _ERRORS if self.scenario == "errors" and 0 <= time < self.until else 0.0

    def bad_part(self, time: float) -> bool:
        """Whether one shard, or one host, refuses all calls."""
        return self.scenario == "bad part" and 0 <= time < self.until

    def busier(self, time: float, utilisation: float) -> float:
        """How many times as many calls come in as usual."""
        if self.scenario == "herd" and self.until <= time < self.until + _cold(self.until):
            return _HERD
        if self.scenario == "overload" and 0 <= time < self.until:
            return max(1.0, min(_MOST_SURGE, _SURGE / utilisation))
        return 1.0


def _cold(until: float) -> float:
    return min(5.0, until / 4)


def scenarios(known: Known, until: float) -> Mapping[Scenario, Trouble]:
    """All of them for a call; the cause is gone after so many seconds."""
    part = f"one of {known.shards} shards" if known.shards > 1 else f"one of {known.hosts} hosts"
    surge = f"{_SURGE:.0%} of what it can do is asked for"
    if known.rate / known.capacity < _SURGE / _MOST_SURGE:
        surge = f"{_MOST_SURGE:g} times as much is asked for as usual"
    texts: dict[Scenario, tuple[str, str]] = {
        "outage": ("hard outage", "it answers nothing"),
        "brownout": ("brownout", f"it takes {_BROWNOUT:g} times as long"),
        "leak": ("slow leak", f"it gets slower, to {_LEAK:g} times, and is restarted"),
        "flapping": ("flapping", f"{_FLAP:g} s down, {_FLAP:g} s up, and so on"),
        "errors": (f"{_ERRORS:.0%} errors", f"{_ERRORS:.0%} of calls fail"),
        "bad part": ("one bad shard" if known.shards > 1 else "one bad host", f"{part} refuses all calls"),
        "herd": (
            "thundering herd",
            f"an outage, after which {_HERD:g} times as many calls meet a cold dependency for {_cold(until):.2g} s",
        ),
        "overload": ("metastable overload", f"{surge}; then the usual load again"),
    }
    return {name: Trouble(name, title, until, what) for name, (title, what) in texts.items()}
