"""The failure table: what happens when each step is refused, times out, or loses its answer.

Derived from the design alone, so that the page, the generated tests and the reader see the same rows. The
checker proves that no interleaving does worse; this table says what an ordinary failure looks like.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from halfopen_generators.saga.plan import SagaDesign, StepPlan
from halfopen_generators.saga.spec import Ending

Failure = Literal["refused", "never-delivered", "answer-lost", "orchestrator-crash"]

_WORDS: dict[Failure, str] = {
    "refused": "is refused",
    "never-delivered": "never gets through (every try times out)",
    "answer-lost": "runs, but no answer comes back in time",
    "orchestrator-crash": "is answered, and the orchestrator crashes at once",
}


@dataclass(frozen=True)
class FailureRow:
    """One failure of one step and what the saga does about it.

    `done` are the steps whose effect stands when the failure strikes, in the order they ran. `undone` are
    the steps whose compensation is sent, in that order; for a step that never ran it is an empty one. `outcome` is
    how the run has to end; one that `stands_still` does not get there.
    """

    step: str
    failure: Failure
    done: tuple[str, ...]
    undone: tuple[str, ...]
    outcome: Ending
    what_happens: str
    stands_still: bool = False

    @property
    def words(self) -> str:
        """The failure in words."""
        if self.failure == "never-delivered" and self.outcome == "committed" and not self.stands_still:
            return "does not get through at first (tries time out)"
        return _WORDS[self.failure]


def failure_table(design: SagaDesign) -> tuple[FailureRow, ...]:
    """Every row of an orchestrated saga, step by step in the order they run."""
    return tuple(row for step in design.steps for row in _rows(design, step))


def _rows(design: SagaDesign, step: StepPlan) -> Iterator[FailureRow]:
    before = tuple(other.name for other in design.steps if other.name in design.ancestors[step.name])
    if step.can_be_refused and step.kind != "retriable":
        yield _cancelled(design, step, "refused", before, before)
    lost: tuple[Failure, ...] = ("never-delivered", "answer-lost")
    for failure in lost:
        if step.retry.attempts is None:
            text = "asked again with the same idempotency key until it answers; the saga goes on"
            yield FailureRow(step.name, failure, before, (), "committed", text)
        elif step.kind == "retriable":
            text = f"after {step.retry.attempts} tries nobody asks for it any more, and there is no way back"
            yield FailureRow(step.name, failure, before, (), "committed", text, stands_still=True)
        else:
            done = (*before, step.name) if failure == "answer-lost" else before
            yield _cancelled(design, step, failure, done, (*before, step.name))
    text = "the orchestrator recovers from its log and goes on where it stood"
    yield FailureRow(step.name, "orchestrator-crash", (*before, step.name), (), "committed", text)


def _cancelled(
    design: SagaDesign, step: StepPlan, failure: Failure, done: tuple[str, ...], open_: tuple[str, ...]
) -> FailureRow:
    undone = tuple(name for name in reversed(open_) if design.by_name[name].compensation is not None)
    actions = [design.by_name[name].compensation for name in undone]
    chain = ", then ".join(action.action for action in actions if action is not None)
    tries = step.retry.attempts
    gave_up = "" if failure == "refused" else f"after {tries} tries the outcome is unknown; "
    text = (
        f"{gave_up}{chain}, each until it is answered; the saga ends cancelled"
        if chain
        else (f"{gave_up}nothing to undo; the saga ends cancelled")
    )
    return FailureRow(step.name, failure, done, undone, "cancelled", text)
