"""The callers: instances with a breaker, a bulkhead and a retry budget each, that play one policy.

The order is that of the policy: retries around the breaker around the bulkhead around the timeout. What the bulkhead or
the limit refuses says nothing of the dependency, so the breaker doesn't hear of it: they are asked first, so that what
they refuse takes no probe's place. Nor is it tried again.
"""

from __future__ import annotations

import math

from halfopen.checkers.simulate import Simulation
from halfopen_generators.breaker.automaton import Breaker, Settings
from halfopen_generators.breaker.plan import BreakerPlan, CallPlan
from halfopen_generators.breaker.simulation.dependency import Dependency
from halfopen_generators.breaker.simulation.measures import Measures

# A budget saves up for so many retries, so that it doesn't refuse the first failure after a quiet time.
SAVED = 10.0
# What is left of a deadline by the last bit of a sum is no time for another try.
_NO_TIME = 1e-9


def settings(plan: BreakerPlan) -> Settings:
    """A breaker without any library's peculiarities."""
    return Settings(
        window=plan.window,
        size=plan.size,
        minimum_calls=plan.minimum_calls,
        failure_ratio=plan.failure_ratio,
        # Without probes nothing ever closes it again.
        open_for=plan.open_for if plan.probes else math.inf,
        probes=max(1, plan.probes),
        slow_ratio=plan.slow_ratio,
        slow_after=plan.slow_after,
    )


class _Call:
    """A call under way: until when it is of use to its caller, its shard or host, and what became of its tries."""

    __slots__ = ("came", "over", "part", "running", "tries", "until", "waits")

    def __init__(self, came: float, until: float, part: int) -> None:
        self.came = came
        self.until = until
        self.part = part
        self.tries = 0
        self.running = 0
        self.waits = False  # for its next try
        self.over = False


class Client:
    """One instance of the caller."""

    __slots__ = ("_attempts", "_breaker", "_breakers", "_busy", "_concurrent", "_dependency", "_hedge", "_jitter",
                 "_limit", "_manner", "_measures", "_numbers", "_on_open", "_overall", "_parts", "_per_try",
                 "_permitted", "_refill", "_sharded", "_simulation", "_since", "_tokens", "_waits",
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
            plan: What it plays; an infinite timeout waits for ever, an infinite budget permits every retry.
            dependency: What it calls.
            measures: What is told of each call.
            manner: How its breaker goes; None: it has none.
        """
        self._simulation = simulation
        self._dependency = dependency
        self._measures = measures
        self._per_try, self._overall = plan.timeout.per_try, plan.timeout.overall
        self._concurrent = plan.bulkhead.concurrent if plan.bulkhead else math.inf
        self._busy = 0
        retry = plan.retry
        self._attempts = retry.attempts if retry else 1
        self._waits = retry.waits if retry else ()
        self._jitter = retry is not None and retry.jitter == "full"
        self._on_open = retry is not None and retry.on_open
        # Without retries nothing limits hedges but the policy's own second try.
        self._refill = retry.budget if retry else math.inf
        self._tokens = SAVED if self._refill < math.inf else math.inf
        self._hedge = plan.hedge.after if plan.hedge else None
        # A second's worth may begin at once, but one at least.
        self._limit = plan.limit.rate if plan.limit else None
        self._permitted = max(1.0, self._limit) if self._limit else 0.0
        self._since = simulation.now
        known = plan.known
        self._sharded = known.shards > 1
        self._parts = known.shards if self._sharded else known.hosts
        self._manner = manner
        self._breaker = Breaker(manner, on_change=measures.changed) if manner and not self._sharded else None
        self._breakers: dict[int, Breaker] = {}  # of shards, once they are called
        self._which = simulation.stream("parts").random
        self._numbers = simulation.stream("jitter").random

    def call(self, part: float) -> None:
        """One call comes in, now, for the shard or host at that part (0 to 1) of all."""
        if self._tokens < SAVED:
            self._tokens += self._refill
        now = self._simulation.now
        self._measures.came(now)
        call = _Call(now, now + self._overall, int(part * self._parts))
        self._begin(call, now, self._overall)
        if self._hedge is not None and not call.over:
            self._simulation.after(self._hedge, self._second, call)

    def _try(self, call: _Call) -> None:
        """One try, now."""
        if call.over:
            return
        call.waits = False
        now = self._simulation.now
        self._begin(call, now, call.until - now)

    def _begin(self, call: _Call, now: float, left: float) -> None:
        """One try, if nothing refuses it, for at most as long as is left of the deadline."""
        if (
            left <= _NO_TIME
            or self._busy >= self._concurrent
            or (self._limit is not None and not self._permits(now, self._limit))
        ):
            self._ends_badly(call)
            return
        breaker = self._breaker_of(call.part) if self._sharded and self._manner else self._breaker
        ticket = 0
        if breaker is not None:
            ticket = breaker.admits(now)
            if not ticket:
                self._rejected(call)
                return
        part = call.part
        if call.tries and not self._sharded:
            # Another try goes to any host; a shard is where its data is.
            part = int(self._which() * self._parts)
        call.tries += 1
        call.running += 1
        self._busy += 1
        ends, good = self._dependency.answers(part)
        takes = ends - now
        if takes > self._per_try or takes > left:
            takes, good = min(self._per_try, left), False
        self._simulation.after(takes, self._ended, (call, breaker, ticket, now, good))

    def _permits(self, now: float, rate: float) -> bool:
        """Whether the limit lets one more begin, now; if so, it has."""
        self._permitted = min(max(1.0, rate), self._permitted + (now - self._since) * rate)
        self._since = now
        # Of what comes back in equal parts, no last bit of a sum refuses the next.
        if self._permitted < 1 - _NO_TIME:
            return False
        self._permitted -= 1
        return True

    def _breaker_of(self, shard: int) -> Breaker:
        found = self._breakers.get(shard)
        if found is None and self._manner is not None:
            found = self._breakers[shard] = Breaker(
                self._manner, start=self._simulation.now, on_change=self._measures.changed
            )
        assert found is not None  # noqa: S101 - who has no manner isn't asked
        return found

    def _ended(self, one: tuple[_Call, Breaker | None, int, float, bool]) -> None:
        call, breaker, ticket, began, good = one
        self._busy -= 1
        call.running -= 1
        now = self._simulation.now
        if breaker is not None:
            breaker.done(ticket, now, now - began, failed=not good)
        if call.over:
            return
        if good:
            call.over = True
            self._measures.over(call.came, now, good=True)
        else:
            self._failed(call)

    def _rejected(self, call: _Call) -> None:
        """The open breaker let nothing through: which is tried again only where somebody wants it so."""
        if self._on_open and not call.running:
            call.tries += 1
            self._failed(call)
        else:
            self._ends_badly(call)

    def _failed(self, call: _Call) -> None:
        """A try came to nothing: another one later, if there may be one, or none."""
        left = call.until - self._simulation.now
        if call.waits or call.tries >= self._attempts or self._tokens < 1 or left <= _NO_TIME:
            self._ends_badly(call)
            return
        self._tokens -= 1
        call.waits = True
        wait = self._waits[call.tries - 1]
        if self._jitter:
            wait *= self._numbers()
        # Who has waited until the deadline has no use for a try, but knows only then.
        self._simulation.after(min(wait, left), self._try, call)

    def _ends_badly(self, call: _Call) -> None:
        """The call is over, unless another of its tries runs or is to come."""
        if call.running or call.waits:
            return
        call.over = True
        self._measures.over(call.came, self._simulation.now, good=False)

    def _second(self, call: _Call) -> None:
        """The first try is slow: one more beside it, if there is a place and the budget has one to spare."""
        if call.over or call.tries != 1 or not call.running or self._tokens < 1 or self._busy >= self._concurrent:
            return
        self._tokens -= 1
        self._try(call)
