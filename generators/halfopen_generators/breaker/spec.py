"""What is asked: one remote call, or a chain of them, as the user writes it.

Nothing is decided here. A key that was left out stays None (or empty) and `design` decides it, with a reason.
Durations are held as seconds, shares as 0 to 1, rates as calls a second.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints

from halfopen.durations import Duration
from halfopen.quantities import Rate, Share

# What becomes a name in configuration and code: letters, digits, - _ and a dot for a host; a letter first.
Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9_.-]{0,63}$")]
Operation = Annotated[str, StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9_]{0,63}$")]
Key = Annotated[str, StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9_.-]{0,63}$")]
FilePath = Annotated[str, Field(max_length=1_000)]

Criticality = Literal["critical", "degradable"]
Fallback = Literal["cache", "queue", "default", "none"]
Stack = Literal[
    "resilience4j", "polly", "envoy", "istio", "linkerd", "consul", "grpc",
    "opossum", "cockatiel", "gobreaker", "failsafe-go", "python",
]  # fmt: skip
Window = Literal["time", "count"]
Jitter = Literal["full", "none"]

MAX_CALLS = 20
_STACKS = ["resilience4j", "istio"]


class _Spec(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Traffic(_Spec):
    """How often the operation is called, by all instances of the caller together."""

    rate: Rate = Field(description="At the busiest hour.")
    quiet_rate: Rate | None = Field(default=None, description="At the quietest hour; left out: a tenth of it.")
    instances: int = Field(default=1, ge=1, le=100_000, description="Of the caller; each has a breaker of its own.")


class Latency(_Spec):
    """How long the dependency takes when it is well, as the caller measures it."""

    p50: Duration
    p99: Duration
    p999: Duration | None = None


class AskedRetries(_Spec):
    """What is set of them; the rest is decided."""

    attempts: int | None = Field(default=None, ge=1, le=100, description="Tries in all, the first one counted.")
    first_wait: Duration | None = None
    factor: float | None = Field(default=None, ge=1, le=10)
    longest_wait: Duration | None = None
    jitter: Jitter | None = None
    budget: Share | None = Field(default=None, description="Retries as a share of the calls.")
    on_open: bool = Field(default=False, description="Whether a rejection by the open breaker is tried again.")


class AskedBreaker(_Spec):
    """What is set of it; the rest is decided."""

    window: Window | None = Field(default=None, description="What it counts: the last seconds, or the last calls.")
    size: Duration | int | None = Field(default=None, description="10s of a time window, 100 of a count window.")
    minimum_calls: int | None = Field(default=None, ge=1, le=1_000_000)
    failure_ratio: Share | None = None
    slow_ratio: Share | None = None
    slow_after: Duration | None = None
    open_for: Duration | None = None
    probes: int | None = Field(default=None, ge=0, le=1_000_000)
    per_shard: bool = Field(default=True, description="One for each shard, where the dependency has several.")


class AskedBulkhead(_Spec):
    """What is set of it."""

    concurrent: int = Field(ge=1, le=1_000_000, description="Calls under way at once, in one instance.")


class Objective(_Spec):
    """What `--tune` looks for: the least load that meets these."""

    goodput: Share | None = Field(default=None, description="Of the calls answered well, over all scenarios.")
    amplification: float | None = Field(default=None, ge=1, le=100, description="Most tries a call, at the worst.")
    recover_within: Duration | None = Field(default=None, description="After the dependency is well again.")


class Call(_Spec):
    """One remote call."""

    caller: Name
    dependency: Name
    operation: Operation
    idempotent: bool = Field(default=False, description="Called twice it has the effect of once.")
    idempotency_key: Key | None = Field(default=None, description="What the dependency knows a repeated call by.")
    traffic: Traffic
    latency: Latency
    error_rate: Share = Field(
        default=0.001, json_schema_extra={"default": "0.1%"}, description="Of the calls that fail when all is well."
    )
    deadline: Duration = Field(description="When the answer is of no use any more.")
    criticality: Criticality = "critical"
    fallback: Fallback | None = Field(default=None, description="What is served when it is open.")
    fallback_dependency: Name | None = Field(default=None, description="What the fallback itself calls.")
    recovery_time: Duration | None = Field(default=None, description="Of the dependency after an outage.")
    shards: int = Field(default=1, ge=1, le=10_000, description="Parts of the dependency that fail by themselves.")
    hosts: int = Field(default=3, ge=1, le=10_000, description="Instances of the dependency behind the mesh.")
    capacity: Rate | None = Field(default=None, description="What the dependency can do; left out: half as much again.")
    quota: Rate | None = Field(default=None, description="What the dependency's owner permits this caller.")
    hedge: bool = Field(default=False, description="Send a second try where the first is slow.")
    retried_by: tuple[Name, ...] = Field(default=(), description="Other layers that retry this call, such as a mesh.")
    timeout: Duration | None = Field(default=None, description="Of one try; left out: decided.")
    retries: AskedRetries | None = None
    breaker: AskedBreaker | None = None
    bulkhead: AskedBulkhead | None = None


def _not_too_many(value: Any) -> Any:
    """Refuse the list before anything is said of each of its ten thousand items."""
    if isinstance(value, list | tuple) and len(value) > MAX_CALLS:
        raise ValueError(f"a chain has at most {MAX_CALLS} calls behind the first, this one {len(value)}")
    return value


class BreakerSpec(Call):
    """What `/circuit-breaker` is asked: a call, and perhaps the calls around it."""

    then: Annotated[tuple[Call, ...], BeforeValidator(_not_too_many, json_schema_input_type=tuple[Call, ...])] = Field(
        default=(),
        max_length=MAX_CALLS,
        description="The rest of the chain: what the dependency calls before it answers, and so on inwards.",
    )
    architecture: FilePath | None = Field(default=None, description="architecture.yaml: the calls above this one.")
    stacks: tuple[Stack, ...] = Field(
        min_length=1, examples=[_STACKS], description="What stands between caller and dependency and gets its config."
    )
    objective: Objective = Field(default_factory=Objective)

    @property
    def chain(self) -> tuple[Call, ...]:
        """All calls, outermost first."""
        return (self, *self.then)
