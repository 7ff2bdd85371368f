"""The designed policy: everything decided, nothing left to guess. All that comes after design reads this alone.

Durations are seconds, shares 0 to 1, rates calls a second. A part that is None is not wanted, which a dialect has to
say where its own default is otherwise.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from halfopen.source import Location
from halfopen.vocabulary import Decision
from halfopen_generators.breaker.spec import BreakerSpec, Criticality, Fallback, Jitter, Objective, Stack, Window

# How a call can fail so that another try may help: the server was never reached; it said that it can't now; no answer
# came in time, so that nobody knows whether it had its effect.
Failure = Literal["unreached", "unavailable", "timeout"]
# What stands around a call, by what it is called in every library.
Layer = Literal["fallback", "retry", "breaker", "limit", "bulkhead", "timeout"]
# What kind of thing plays a policy: a library in the caller's code, the channel under it, the mesh beside it.
Kind = Literal["library", "channel", "mesh"]
Safety = Literal["idempotent", "keyed", "unsafe"]


@dataclass(frozen=True)
class TimeoutPlan:
    """How long is waited: for one try, and for the caller in all."""

    per_try: float
    overall: float


@dataclass(frozen=True)
class RetryPlan:
    """What is tried again.

    Attempts count the first try. The n-th wait is at most first_wait * factor ** (n - 1), and never above longest_wait;
    with full jitter it is anything between nothing and that. `budget` is the share of calls that may be retries.
    """

    attempts: int
    first_wait: float
    factor: float
    longest_wait: float
    jitter: Jitter
    budget: float
    on: tuple[Failure, ...]
    on_open: bool = False

    @property
    def waits(self) -> tuple[float, ...]:
        """The longest that each wait can be."""
        asked = (self.first_wait * self.factor**retry for retry in range(self.attempts - 1))
        return tuple(min(wait, self.longest_wait) for wait in asked)


@dataclass(frozen=True)
class BreakerPlan:
    """When calls stop for a while.

    It opens once the window (`size` seconds or calls) holds `minimum_calls` and of these `failure_ratio` failed, or
    `slow_ratio` took longer than `slow_after` (None: slowness isn't judged). `probes` calls test it after `open_for`.
    """

    window: Window
    size: float
    minimum_calls: int
    failure_ratio: float
    slow_ratio: float | None
    slow_after: float | None
    open_for: float
    probes: int


@dataclass(frozen=True)
class BulkheadPlan:
    """How many calls one instance has under way at once. One more is refused at once: nothing waits for a place."""

    concurrent: int


@dataclass(frozen=True)
class LimitPlan:
    """How many calls a second one instance may begin."""

    rate: float


@dataclass(frozen=True)
class HedgePlan:
    """A second try, sent where the first has not answered by `after`; the first answer wins."""

    after: float


@dataclass(frozen=True)
class Known:
    """What is known of the call, and what was assumed: nothing that a policy sets."""

    rate: float
    quiet_rate: float
    instances: int
    p50: float
    p99: float
    p999: float
    error_rate: float
    recovery_time: float
    shards: int
    hosts: int
    capacity: float

    @property
    def each(self) -> float:
        """Calls a second of one instance of the caller, at the busiest hour."""
        return self.rate / self.instances


@dataclass(frozen=True)
class CallPlan:
    """One call and its policy. `layers` are outermost first."""

    caller: str
    dependency: str
    operation: str
    location: Location
    safety: Safety
    key: str | None
    known: Known
    criticality: Criticality
    fallback: Fallback | None
    fallback_dependency: str | None
    retried_by: tuple[str, ...]
    timeout: TimeoutPlan
    retry: RetryPlan | None
    breaker: BreakerPlan | None
    bulkhead: BulkheadPlan | None
    limit: LimitPlan | None
    hedge: HedgePlan | None
    layers: tuple[Layer, ...]
    # When the caller has no use for an answer any more; 0 in a policy that was made for its figures alone.
    deadline: float = 0.0
    # Whether each shard has a breaker of its own.
    per_shard: bool = True

    @property
    def name(self) -> str:
        """What it is called in configuration: payment-charge-card, from payment and ChargeCard."""
        from halfopen.templates import kebab  # noqa: PLC0415 - only rendering pays for it

        return f"{kebab(self.dependency)}-{kebab(self.operation)}"

    def only(self, parts: frozenset[Layer]) -> CallPlan:
        """The policy as one stack has it to play: the parts that others play are None.

        Where somebody else retries, what passes here is one try, and one try's timeout is all there is.
        """
        alone = self.timeout if "retry" in parts else TimeoutPlan(self.timeout.per_try, self.timeout.per_try)
        return replace(
            self,
            timeout=alone,
            retry=self.retry if "retry" in parts else None,
            hedge=self.hedge if "retry" in parts else None,
            breaker=self.breaker if "breaker" in parts else None,
            bulkhead=self.bulkhead if "bulkhead" in parts else None,
            limit=self.limit if "limit" in parts else None,
            fallback=self.fallback if "fallback" in parts else None,
            layers=tuple(layer for layer in self.layers if layer in parts),
        )


@dataclass(frozen=True)
class Share:
    """What one stack plays of the policy: parts named here only, so that no two stacks retry the same call."""

    stack: Stack
    kind: Kind
    parts: frozenset[Layer]
    because: str
    place: int = 0  # in the spec's list of stacks


@dataclass(frozen=True)
class Upstream:
    """A call above the first one, of the architecture: who may give up, and how often it tries."""

    caller: str
    dependency: str
    timeout: float | None
    attempts: int
    place: str  # in the architecture's file
    file: str
    line: int | None
    idempotent: bool | None = None  # whether a second request has no second effect; None: nobody said


@dataclass(frozen=True)
class Shared:
    """What a call's fallback needs and its dependency too, by the architecture: services and stores."""

    location: Location
    names: tuple[str, ...]


@dataclass(frozen=True)
class Policy:
    """All calls, outermost first, and who plays what."""

    name: str
    calls: tuple[CallPlan, ...]
    shares: tuple[Share, ...]
    upstream: tuple[Upstream, ...]
    objective: Objective
    spec: BreakerSpec
    decisions: tuple[Decision, ...]
    shared: tuple[Shared, ...] = ()

    @property
    def call(self) -> CallPlan:
        """The innermost, as its stacks can play it together: the one whose dependency fails in the simulation."""
        parts: frozenset[Layer] = frozenset().union(*(share.parts for share in self.shares))
        return self.calls[-1].only(parts)
