"""The figures that breaker design decides with and its rules judge by, from `knowledge/breaker.yaml`, typed."""

from __future__ import annotations

from functools import cache

from pydantic import BaseModel, ConfigDict

from halfopen import data
from halfopen.durations import Duration
from halfopen.figures import Figure
from halfopen.source import parse_source, validate
from halfopen_generators.breaker.spec import Jitter


class _Policy(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Timeouts(_Policy):
    """How long is waited for one answer."""

    start: Figure[Duration]
    false_share: Figure[float]
    most_false: Figure[float]
    padding: Figure[float]


class Retries(_Policy):
    """What is tried again."""

    start: Figure[int]
    most: Figure[int]
    first_wait: Figure[Duration]
    share: Figure[float]
    factor: Figure[float]
    jitter: Figure[Jitter]
    budget: Figure[float]
    least_share: Figure[float]
    most_product: Figure[int]


class Breakers(_Policy):
    """When calls stop, and for how long."""

    failure_ratio: Figure[float]
    window: Figure[Duration]
    longest_window: Figure[Duration]
    least_calls: Figure[int]
    false_open: Figure[float]
    open_for: Figure[Duration]
    recovery_share: Figure[float]
    least_open: Figure[Duration]
    probes: Figure[int]
    slow_ratio: Figure[float]


class Bulkheads(_Policy):
    """How many calls may be under way."""

    headroom: Figure[float]
    refused: Figure[float]


class Assumed(_Policy):
    """What is taken for true where the spec is silent."""

    capacity: Figure[float]
    busy: Figure[float]
    quiet: Figure[float]
    recovery: Figure[Duration]


class Hedges(_Policy):
    """When a second try is sent beside the first."""

    quantile: Figure[float]


class Usual(_Policy):
    """The rest of the figures that are usually copied."""

    attempts: Figure[int]
    minimum_calls: Figure[int]


class BreakerPolicy(_Policy):
    """All of `knowledge/breaker.yaml`."""

    timeout: Timeouts
    retry: Retries
    breaker: Breakers
    bulkhead: Bulkheads
    known: Assumed
    hedge: Hedges
    usual: Usual


@cache
def policy() -> BreakerPolicy:
    """The policy that ships with this version."""
    return validate(BreakerPolicy, parse_source(data.read_text("knowledge/breaker.yaml"), "knowledge/breaker.yaml"))
