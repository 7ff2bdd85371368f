"""The figures and words that saga design decides with, read from `knowledge/saga.yaml`, typed."""

from __future__ import annotations

from functools import cache
from typing import Literal

from pydantic import BaseModel, ConfigDict

from halfopen import data
from halfopen.durations import Duration
from halfopen.figures import Figure
from halfopen.source import parse_source, validate
from halfopen_generators.saga.spec import Retry, Word


class _Policy(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Defaults(_Policy):
    """What a step gets where its spec is silent."""

    timeout: Figure[Duration]
    attempts: Figure[int]
    backoff: Figure[Duration]
    factor: Figure[float]
    max_backoff: Figure[Duration]
    jitter: Figure[Literal["full", "none"]]

    def retry(self, asked: Retry | None) -> tuple[float, float, float, Literal["full", "none"]]:
        """Backoff, factor, longest wait and jitter: the asked ones, and the defaults where it is silent."""
        asked = asked or Retry()
        backoff = asked.backoff or self.backoff.value
        return (
            backoff,
            asked.factor or self.factor.value,
            max(asked.max_backoff or self.max_backoff.value, backoff),
            asked.jitter or self.jitter.value,
        )


class Choreography(_Policy):
    """When nobody needs to lead."""

    most_steps: Figure[int]


class SagaPolicy(_Policy):
    """All of `knowledge/saga.yaml`."""

    defaults: Defaults
    choreography: Choreography
    compensations: dict[Word, Word]


@cache
def policy() -> SagaPolicy:
    """The policy that ships with this version."""
    return validate(SagaPolicy, parse_source(data.read_text("knowledge/saga.yaml"), "knowledge/saga.yaml"))
