"""Runs to replay against the generated code: what fate each request meets, and how the saga must end.

A target renders every scenario as a test. The failure table gives one per row; a counterexample of the
checker gives one too, marked with the code of its finding.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from halfopen_generators.saga.failures import FailureRow, failure_table
from halfopen_generators.saga.plan import SagaDesign
from halfopen_generators.saga.spec import Ending

# answered     it arrives, runs, and the answer comes back (what happens to every request not listed)
# refused      it arrives and a business rule says no
# lost         it never arrives; the sender's timeout fires
# answer-lost  it arrives and runs; the answer never comes back; the sender's timeout fires
# late         the sender's timeout fires; it arrives after the step's compensation was answered
# duplicated   it arrives twice, one right after the other; both answers come back
Fate = Literal["answered", "refused", "lost", "answer-lost", "late", "duplicated"]


@dataclass(frozen=True)
class Delivery:
    """The fate of one try of one request. Tries of a request are numbered by their order in the scenario."""

    step: str
    request: Literal["action", "compensation"]
    fate: Fate


@dataclass(frozen=True)
class Scenario:
    """One run: its faults and what must be true at its end.

    `standing` are the steps whose effect stands at the end (ran, not undone), in the saga's order; `undone`
    the steps whose compensation was sent, in that order. `breaks` is the code of the finding that this run
    shows: the spec as it stands fails it, so its test is expected to fail until the spec is mended.
    """

    name: str  # kebab-case, unique within a design
    title: str  # one sentence
    deliveries: tuple[Delivery, ...]
    crash_after: str | None  # the orchestrator is killed once this step's answer is in its log
    outcome: Ending
    standing: tuple[str, ...]
    undone: tuple[str, ...]
    breaks: str | None = None


# What comes of a request at its participant, as far as a meeting says so beforehand.
# handled  it is answered, whatever the answer
# held     another run holds a lock that it asks for: it gets no answer yet
# refused  what the run has read has changed since: it is refused
Reaction = Literal["handled", "held", "refused"]


@dataclass(frozen=True)
class Turn:
    """Who is let in to a participant next. Without a step it is the end of that run that is waited for."""

    run: int  # counted from 0
    step: str = ""
    request: Literal["action", "compensation"] = "action"
    reaction: Reaction = "handled"


@dataclass(frozen=True)
class Meeting:
    """Several runs at once over the same resources: the fates of each one's requests, and who is let in when.

    Each request is let in at its turn. One that has no turn waits until all turns are over, but for the end of
    its own run. `at` are the steps whose touches of the resource the meeting is about. `told` is what the spec as
    it stands lets happen, in the words in which the generated tests tell it; nothing if the runs have to be kept
    apart.
    """

    name: str  # kebab-case, unique within a design
    title: str  # one sentence
    runs: tuple[tuple[Delivery, ...], ...]
    turns: tuple[Turn, ...]
    service: str
    resource: str
    at: tuple[str, ...]
    told: tuple[str, ...] = ()  # such as "lost update of stock at reserve"
    breaks: str | None = None  # the code of the finding that it shows


def scenarios(design: SagaDesign) -> tuple[Scenario, ...]:
    """The happy path, then one scenario per row of the failure table, of an orchestrated saga."""
    everything = tuple(step.name for step in design.steps)
    happy = Scenario("happy-path", "Every step is answered.", (), None, "committed", everything, ())
    return (happy, *(_scenario(design, row) for row in failure_table(design)), *_duplicates(design))


def _scenario(design: SagaDesign, row: FailureRow) -> Scenario:
    step = design.by_name[row.step]
    # A step that is asked until it answers fails twice before it does; any other fails on every try.
    tries = step.retry.attempts or 2
    everything = tuple(other.name for other in design.steps)
    return Scenario(
        name=f"{row.step}-{row.failure}",
        title=f"{row.step} {row.words}.",
        deliveries=tuple(_deliveries(row, tries)),
        crash_after=row.step if row.failure == "orchestrator-crash" else None,
        outcome=row.outcome,
        standing=everything if row.outcome == "committed" else _left_standing(design, row),
        undone=row.undone,
    )


def _left_standing(design: SagaDesign, row: FailureRow) -> tuple[str, ...]:
    return tuple(name for name in row.done if name not in row.undone and not design.by_name[name].read_only)


def _deliveries(row: FailureRow, tries: int) -> Iterator[Delivery]:
    if row.failure == "refused":
        yield Delivery(row.step, "action", "refused")
    elif row.failure == "never-delivered":
        yield from (Delivery(row.step, "action", "lost") for _ in range(tries))
    elif row.failure == "answer-lost":
        yield from (Delivery(row.step, "action", "answer-lost") for _ in range(tries))


def _duplicates(design: SagaDesign) -> Iterator[Scenario]:
    everything = tuple(step.name for step in design.steps)
    for step in design.steps:
        yield Scenario(
            name=f"{step.name}-duplicated",
            title=f"{step.name} arrives twice and both answers come back.",
            deliveries=(Delivery(step.name, "action", "duplicated"),),
            crash_after=None,
            outcome="committed",
            standing=everything,
            undone=(),
        )
