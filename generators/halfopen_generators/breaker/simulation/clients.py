"""The callers: instances with a breaker, a bulkhead and a retry budget each, that play one policy.

The order is that of the policy: retries around the breaker around the bulkhead around the timeout. What the bulkhead or
the limit refuses says nothing of the dependency, so the breaker doesn't hear of it.
"""

from __future__ import annotations

import math
from random import Random

from halfopen.checkers.simulate import Simulation
from halfopen_generators.breaker.automaton import Breaker, Settings
from halfopen_generators.breaker.plan import BreakerPlan, CallPlan
from halfopen_generators.breaker.simulation.dependency import Dependency
from halfopen_generators.breaker.simulation.measures import Measures

# A budget saves up for so many retries, so that it doesn't refuse the first failure after a quiet time.
_SAVED = 10.0
# What is under way: when it came, tries so far, its shard, tries that run now, and whether it is over.
_CAME, _TRIES, _PART, _RUNNING, _OVER = range(5)


def settings(plan: BreakerPlan) -> Settings:
    """A breaker without any library's peculiarities."""
    return Settings(
        window=plan.window,
        size=plan.size,
        minimum_calls=plan.minimum_calls,
        failure_ratio=plan.failure_ratio,
        open_for=plan.open_for,
        probes=plan.probes,
        slow_ratio=plan.slow_ratio,
        slow_after=plan.slow_after,
    )


class Client:
    """One instance of the caller."""

    __slots__ = ("_attempts", "_breakers", "_busy", "_concurrent", "_dependency", "_hedge", "_measures", "_numbers",
                 "_parts", "_per_try", "_plan", "_refill", "_sharded", "_simulation", "_tokens", "_waits",
                 "_which")  # fmt: skip

    def __init__(
        self,
        simulation: Simulation,
        plan: CallPlan,
        dependency: Dependency,
        measures: Measures,
        manner: Settings | None,
    ) -> None:
        """An instance without calls.

        Args:
            simulation: The clock.
            plan: What it plays; an infinite timeout waits for ever.
            dependency: What it calls.
            measures: What is told of each call.
            manner: How its breaker goes; None: it has none.
        """
        self._simulation = simulation
        self._plan = plan
        self._dependency = dependency
        self._measures = measures
        self._attempts = plan.retry.attempts if plan.retry else 1
        self._per_try = plan.timeout.per_try
        self._concurrent = plan.bulkhead.concurrent if plan.bulkhead else math.inf
        self._hedge = plan.hedge.after if plan.hedge else None
        self._waits = plan.retry.waits if plan.retry else ()
        self._refill = plan.retry.budget if plan.retry else 0.0
        self._sharded = plan.known.shards > 1
        self._tokens = _SAVED
        self._busy = 0
        self._parts = plan.known.shards if plan.known.shards > 1 else plan.known.hosts
        breakers = plan.known.shards if manner else 0
        self._breakers = [Breaker(manner, on_change=measures.changed) for _ in range(breakers)] if manner else []
        self._which: Random = simulation.stream("parts")
        self._numbers: Random = simulation.stream("jitter")

    def call(self, _: object) -> None:
        """One call comes in, now."""
        if self._tokens < _SAVED:
            self._tokens += self._refill
        part = int(self._which.random() * self._parts)
        now = self._simulation.now
        self._measures.came(now)
        call = [now, 0, part, 0, False]
        self._try(call)
        if self._hedge is not None and not call[_OVER]:
            self._simulation.after(self._hedge, self._second, call)

    def _try(self, call: list[float]) -> None:
        """One try, now."""
        if call[_OVER]:
            return
        now = self._simulation.now
        left = call[_CAME] + self._plan.timeout.overall - now
        if left <= 0 or self._busy >= self._concurrent:
            self._over(call, good=False)
            return
        breaker, ticket = None, 0
        if self._breakers:
            breaker = self._breakers[int(call[_PART]) if len(self._breakers) > 1 else 0]
            ticket = breaker.admits(now)
            if not ticket:
                self._rejected(call)
                return
        call[_TRIES] += 1
        call[_RUNNING] += 1
        self._busy += 1
        part = int(call[_PART])
        if call[_TRIES] > 1 and not self._sharded:
            # Another try goes to any host; a shard is where its data is.
            part = int(self._which.random() * self._parts)
        ends, good = self._dependency.answers(part)
        waits = min(self._per_try, left)
        if ends > now + waits:
            ends, good = now + waits, False
        if ends < math.inf:
            self._simulation.after(ends - now, self._ended, (call, breaker, ticket, now, good))

    def _ended(self, one: tuple[list[float], Breaker | None, int, float, bool]) -> None:
        call, breaker, ticket, began, good = one
        self._busy -= 1
        call[_RUNNING] -= 1
        now = self._simulation.now
        if breaker is not None:
            breaker.done(ticket, now, now - began, failed=not good)
        if call[_OVER]:
            return
        if good:
            self._over(call, good=True)
        else:
            self._failed(call)

    def _rejected(self, call: list[float]) -> None:
        """The open breaker let nothing through: which is tried again only where somebody wants it so."""
        retry = self._plan.retry
        if retry is not None and retry.on_open:
            call[_TRIES] += 1
            self._failed(call)
        elif not call[_RUNNING]:
            self._over(call, good=False)

    def _failed(self, call: list[float]) -> None:
        retry = self._plan.retry
        if retry is None or call[_TRIES] >= self._attempts:
            if not call[_RUNNING]:
                self._over(call, good=False)
            return
        if retry.budget < 1 and self._tokens < 1:
            if not call[_RUNNING]:
                self._over(call, good=False)
            return
        self._tokens -= 1
        wait = self._waits[int(call[_TRIES]) - 1]
        if retry.jitter == "full":
            wait *= self._numbers.random()
        self._simulation.after(wait, self._try, call)

    def _second(self, call: list[float]) -> None:
        """The first try is slow: one more beside it, if the budget has one to spare."""
        if call[_OVER] or call[_TRIES] != 1 or not call[_RUNNING]:
            return
        if self._plan.retry is not None:
            if self._tokens < 1:
                return
            self._tokens -= 1
        self._try_beside(call)

    def _try_beside(self, call: list[float]) -> None:
        if self._busy < self._concurrent:
            self._try(call)

    def _over(self, call: list[float], *, good: bool) -> None:
        call[_OVER] = True
        self._measures.over(call[_CAME], self._simulation.now, good=good)
