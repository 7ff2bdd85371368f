"""The architecture model: services, what they call, what they publish and store. `architecture.yaml`, typed.

It says what a system is or should be. Whoever reads it decides nothing here; a key that was left out stays None.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from halfopen.durations import Duration
from halfopen.quantities import Rate, Share

Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9_.-]{0,63}$")]


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Slo(_Model):
    """What an entry point promises its users."""

    availability: Share | None = None
    p99: Duration | None = None


class Entry(_Model):
    """Where users come in."""

    slo: Slo | None = None


class Retries(_Model):
    """What a caller tries again."""

    attempts: int | None = Field(default=None, ge=1, le=100, description="Tries in all, the first one counted.")
    backoff: Duration | None = None
    factor: float | None = Field(default=None, ge=1, le=10)
    max_backoff: Duration | None = None
    jitter: Literal["full", "none"] | None = None
    budget: Share | None = None


class Edge(_Model):
    """One synchronous call."""

    to: Name
    protocol: Name | None = None
    operation: Name | None = None
    timeout: Duration | None = None
    retries: Retries | None = None
    breaker: bool | None = None
    idempotent: bool | None = None
    critical: bool | None = None
    cached: Duration | None = None
    rate: Rate | None = None


class Consumed(_Model):
    """An event that a service handles."""

    event: Name
    idempotent: bool | None = None
    dead_letter: bool | None = None


class Service(_Model):
    """A service, or a system of somebody else's."""

    team: Name | None = None
    context: Name | None = None
    replicas: int | None = Field(default=None, ge=0, le=100_000)
    external: bool = False
    entry: Entry | None = None
    calls: tuple[Edge, ...] = Field(default=(), max_length=1_000)
    publishes: tuple[Name, ...] = ()
    consumes: tuple[Consumed, ...] = ()
    stores: tuple[Name, ...] = ()


class Store(_Model):
    """A database, a cache, a bucket."""

    kind: Name
    max_connections: int | None = Field(default=None, ge=1)


class Topic(_Model):
    """Where events are published."""

    broker: Name | None = None
    partitions: int | None = Field(default=None, ge=1)
    key: Name | None = None
    retention: str | None = None


class System(_Model):
    """An architecture."""

    architecture: Name
    services: dict[Name, Service] = Field(min_length=1, max_length=10_000)
    stores: dict[Name, Store] = {}
    topics: dict[Name, Topic] = {}
