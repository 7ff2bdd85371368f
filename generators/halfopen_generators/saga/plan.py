"""The designed saga: the spec with everything decided. Checks and templates read this and nothing else.

`design` makes it; it holds no default and no maybe. Steps stand in an order in which they can run
(dependencies first), durations are seconds, and names are as the user wrote them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, get_args

from halfopen.vocabulary import Decision
from halfopen_generators.saga.spec import Countermeasure, Ending, Faults, Guarantee, Kind, Style, Visibility

GUARANTEES: tuple[Guarantee, ...] = get_args(Guarantee)

# How a participant comes by a guarantee: it has it, can't have it, or generated code provides it.
Provision = Literal["has", "lacks", "generated"]


@dataclass(frozen=True)
class RetryPlan:
    """How a request is repeated. `attempts` counts the first try; None means until it is answered."""

    attempts: int | None
    backoff: float
    factor: float
    max_backoff: float
    jitter: Literal["full", "none"]


@dataclass(frozen=True)
class CompensationPlan:
    """What undoes a step."""

    action: str
    consumes: tuple[str, ...]
    emits: str | None
    can_be_refused: bool
    idempotent: bool


@dataclass(frozen=True)
class StepPlan:
    """One local transaction at one participant."""

    index: int  # its place in the saga's order
    spec_index: int  # its place in the user's file
    name: str
    service: str
    action: str
    kind: Kind
    after: tuple[str, ...]  # direct dependencies, by name
    compensation: CompensationPlan | None
    can_be_refused: bool
    read_only: bool
    idempotent: bool
    irreversible: bool
    timeout: float
    retry: RetryPlan
    reads: tuple[str, ...]
    writes: tuple[str, ...]
    countermeasures: Mapping[str, Countermeasure]
    request: Mapping[str, str]
    reply: Mapping[str, str]
    consumes: tuple[str, ...]
    emits: str | None
    emits_on_refusal: str | None


@dataclass(frozen=True)
class ParticipantPlan:
    """A service that takes part."""

    name: str
    external: bool
    team: str | None
    guarantees: Mapping[Guarantee, Provision]

    def keeps(self, guarantee: Guarantee) -> bool:
        """True if the guarantee holds once the generated code is in place."""
        return self.guarantees[guarantee] != "lacks"


@dataclass(frozen=True)
class SagaDesign:
    """A saga with everything decided."""

    name: str
    description: str
    trigger: str
    style: Style
    correlation_key: str
    deadline: float | None
    visibility: Visibility | None
    steps: tuple[StepPlan, ...]
    participants: Mapping[str, ParticipantPlan]
    ends: Mapping[str, Ending]
    faults: Faults
    instances: Literal[1, 2, 3]
    decisions: tuple[Decision, ...]

    @cached_property
    def by_name(self) -> Mapping[str, StepPlan]:
        """The steps by name."""
        return {step.name: step for step in self.steps}

    @cached_property
    def dependents(self) -> Mapping[str, tuple[str, ...]]:
        """For each step the steps that directly wait for it."""
        return {step.name: tuple(other.name for other in self.steps if step.name in other.after) for step in self.steps}

    @cached_property
    def ancestors(self) -> Mapping[str, frozenset[str]]:
        """For each step all steps that have to be done before it, however far back."""
        found: dict[str, frozenset[str]] = {}
        for step in self.steps:
            found[step.name] = frozenset(step.after).union(*(found[name] for name in step.after))
        return found

    @cached_property
    def pivot(self) -> StepPlan | None:
        """The step after which there is no way back; None if every step can be undone."""
        return next((step for step in self.steps if step.kind == "pivot"), None)

    @cached_property
    def linear(self) -> bool:
        """True if the steps run one after the other."""
        return all(step.after == (self.steps[step.index - 1].name,) for step in self.steps[1:])

    @property
    def orchestrated(self) -> bool:
        """True if an orchestrator leads the run; an event-sourced one does, with events for its log."""
        return self.style != "choreography"
