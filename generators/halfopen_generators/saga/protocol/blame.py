"""Which step a broken run is the fault of, where the command that breaks it does not say so; and in what words.

Two promises speak of where a run stands and not of what it does: that it ends, and, without a leader, that its
effects are what its last event says. So the state at the end of the run is looked at.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from halfopen.checkers.explore import EVERY_RUN_ENDS, Path
from halfopen_generators.saga.plan import SagaDesign, StepPlan
from halfopen_generators.saga.protocol import log
from halfopen_generators.saga.protocol.choreography import Choreography, ChoreographyModel
from halfopen_generators.saga.protocol.orchestration import Run
from halfopen_generators.saga.protocol.promises import NO_WAY_BACK, Breach
from halfopen_generators.saga.protocol.retell import RUN_NAMES, Event


@dataclass(frozen=True)
class Wait:
    """A step of a run that goes on for ever, since another run holds a lock or has changed what this one has read."""

    run: int
    step: str
    resource: str
    # None where the value has changed.
    held_by: int | None
    # The run, and the step of it, whose write is yet to change the value.
    changed_by: tuple[int, str] | None = None


@dataclass(frozen=True)
class Blame:
    """The step and the code of the fault, and what is wrong at the end of the run."""

    step: str
    code: str
    told: str
    # Where a code has several faults, which one it is; and the words that a fix for it needs.
    fault: str = ""
    words: Mapping[str, str] = field(default_factory=dict)
    # Where runs stand in each other's way: each of them that never ends for it.
    waits: tuple[Wait, ...] = ()


@dataclass(frozen=True)
class RunEnd:
    """The end of a run of the protocol, or of several side by side."""

    design: SagaDesign
    protocol: Run | Choreography
    path: Path[Any, Any]
    events: tuple[Event, ...]
    chunks: tuple[int, ...] = field(init=False)

    def __post_init__(self) -> None:
        last = self.path.states[-1]
        object.__setattr__(self, "chunks", last if isinstance(last, tuple) else (last,))

    def blame(self, breach: Breach) -> Blame:
        """For that breach."""
        if breach.promise == EVERY_RUN_ENDS and breach.want is None:
            return self._locks() or self._never_through() or self._refused() or self._unheard_of() or self._stuck()
        model = self.protocol.model
        if isinstance(model, ChoreographyModel) and breach.label == model.half_done:
            return self._half_done(breach)
        pivot = self.design.pivot
        if breach.promise == NO_WAY_BACK and self.design.orchestrated and pivot is not None:
            return Blame(
                breach.step, breach.code, f"The run turns back, although its pivot {pivot.action} is done and stays."
            )
        # The last event says what it breaks.
        return Blame(breach.step, self._why_it_stands(breach), "")

    def _why_it_stands(self, breach: Breach) -> str:
        """The code, where it depends on the run: a pivot that was not given up stands since others turned back."""
        if breach.code != "SAG05" or breach.step != getattr(self.design.pivot, "name", None):
            return breach.code
        return "SAG05" if any(step.name == breach.step for step in self._steps_of("give-up")) else "SAG02"

    # -- a run that can't end ----------------------------------------------------------------------------

    def _stuck(self) -> Blame:
        step = self.events[-1].command.subject if self.events else self.design.steps[0].name
        return Blame(step, "SAG09", self._for_ever(step, ""))

    def _for_ever(self, step: str, why: str) -> str:
        since = f", since {why}" if why else ""
        if self.design.orchestrated or self._moves():
            return f"From here no end can be reached: the run stands at {step} for ever{since}."
        return f"Nobody has anything left to do, and the run has not ended: it stands at {step}{since}."

    def _never_through(self) -> Blame | None:
        """What has to go through and does not: a compensation that is refused, a step that nobody asks for."""
        for step in self._steps_of("decline-undo"):
            undone = step.compensation.action if step.compensation else "its compensation"
            return Blame(step.name, "SAG13", self._for_ever(step.name, f"{undone} was refused"))
        for step in self._steps_of("abandon"):
            why = f"nobody asks for {step.action} any more, and it has to go through"
            return Blame(step.name, "SAG03", self._for_ever(step.name, why))
        return None

    def _refused(self) -> Blame | None:
        """A refusal from which no way leads on."""
        for step in self._steps_of("refuse"):
            if not self.design.orchestrated:
                why = f"what follows the refusal of {step.action} leads to no end"
                return Blame(step.name, "SAG11", self._for_ever(step.name, why))
            if step.kind == "retriable":
                why = f"{step.action} was refused, and it has to go through"
                return Blame(step.name, "SAG03", self._for_ever(step.name, why))
        for run, step, resource in self._rereads():
            why = f"another run changes {resource} after this one has read it, so {step.action} is refused"
            told = self._for_ever(step.name, f"{why}, and it has to go through")
            touch = (
                other.name
                for other in self.design.steps
                if other.service == step.service and resource in (*other.reads, *other.writes)
            )
            words = {"what": resource, "touching": " and ".join(touch)}
            wait = Wait(run, step.name, resource, None, self._yet_to_write(run, step, resource))
            return Blame(step.name, "SAG03", told, "reread", words, (wait,))
        return None

    def _unheard_of(self) -> Blame | None:
        for step, event in self._unheard():
            return Blame(step.name, "SAG19", self._for_ever(step.name, f"nobody publishes {event}"))
        return None

    def _steps_of(self, kind: str) -> Iterator[StepPlan]:
        """The steps to which that happened, in that order."""
        return (self.design.by_name[event.command.subject] for event in self.events if event.command.kind == kind)

    def _moves(self) -> bool:
        """Whether anybody still has something to do, in whichever run."""
        model = self.protocol.model
        return any(
            not command.fault and not command.breaks for chunk in self.chunks for command, _ in model.steps(chunk)
        )

    def _rereads(self) -> Iterator[tuple[int, StepPlan, str]]:
        """Steps of a run still to come that have to go through, and refuse what another run has changed meanwhile."""
        for run, chunk in enumerate(self.chunks):
            for step in self.design.steps:
                for resource, measure in step.countermeasures.items():
                    read = f"{step.service}/{resource}"
                    if (
                        step.kind != "retriable"
                        or measure != "reread-value"
                        or self._has(chunk, f"applied.{step.name}")
                    ):
                        continue
                    if self._has(chunk, f"seen.{read}") or self._has(chunk, f"stale.{read}"):
                        yield run, step, resource

    def _yet_to_write(self, reader: int, step: StepPlan, resource: str) -> tuple[int, str] | None:
        """The write of another run that makes what the reader has read stale; None if it is stale."""
        if self._has(self.chunks[reader], f"stale.{step.service}/{resource}"):
            return None
        writers = [s for s in self.design.steps if s.service == step.service and resource in s.writes]
        others = [(run, chunk) for run, chunk in enumerate(self.chunks) if run != reader]
        to_come = ((run, s.name) for run, chunk in others for s in writers if not self._has(chunk, f"applied.{s.name}"))
        return next(to_come, None)

    def _unheard(self) -> Iterator[tuple[StepPlan, str]]:
        """Steps without a leader that wait for an event which is never published."""
        published = {self.design.trigger}
        for step in self.design.steps:
            undone = step.compensation.emits if step.compensation else None
            published.update(filter(None, (step.emits, step.emits_on_refusal, undone)))
        for step in self.design.steps:
            for event in step.consumes:
                if event not in published:
                    yield step, event

    # -- locks that runs take crosswise ------------------------------------------------------------------

    def _locks(self) -> Blame | None:
        """Runs in a circle, each waiting for a lock that the next one holds; None if there is none."""
        for first in range(len(self.chunks)):
            circle = self._circle([first], [])
            if circle is None:
                continue
            runs, waits = circle
            told = ", ".join(
                f"run {RUN_NAMES[run]} holds the lock on {held} and waits at {step.name} for the one on {wanted}"
                for run, (step, wanted), (_, held) in zip(runs, waits, (waits[-1], *waits[:-1]), strict=True)
            )
            in_order = sorted(waits, key=lambda wait: wait[0].index)
            first_step, last_step = in_order[0][0].name, in_order[-1][0].name
            words = {
                "locks": ", then ".join(dict.fromkeys(resource for _, resource in in_order)),
                "first": first_step,
                "then": last_step,
            }
            in_circle = zip(runs, waits, (*runs[1:], runs[0]), strict=True)
            stand = tuple(Wait(run, step.name, wanted, holder) for run, (step, wanted), holder in in_circle)
            return Blame(last_step, "SAG09", self._for_ever(last_step, told), "locks", words, stand)
        return None

    def _circle(
        self, runs: list[int], waits: list[tuple[StepPlan, str]]
    ) -> tuple[list[int], list[tuple[StepPlan, str]]] | None:
        for step, resource in self._yet_to_lock(self.chunks[runs[-1]]):
            holder = self._holder(step, resource, but=runs[-1])
            if holder == runs[0]:
                return runs, [*waits, (step, resource)]
            if holder is not None and holder not in runs:
                found = self._circle([*runs, holder], [*waits, (step, resource)])
                if found is not None:
                    return found
        return None

    def _yet_to_lock(self, chunk: int) -> Iterator[tuple[StepPlan, str]]:
        for step in self.design.steps:
            for resource, measure in step.countermeasures.items():
                if measure == "semantic-lock" and self._is_to_come(chunk, step):
                    yield step, resource

    def _is_to_come(self, chunk: int, step: StepPlan) -> bool:
        if self.design.orchestrated:
            running = self._value(chunk, log.PHASE) == log.RUNNING
            return running and self._value(chunk, f"log.{step.name}") in {log.IDLE, log.SENT}
        return not any(self._has(chunk, f"{bit}.{step.name}") for bit in ("applied", "undone", "declined"))

    def _holder(self, step: StepPlan, resource: str, *, but: int) -> int | None:
        lock = f"lock.{step.service}/{resource}"
        return next((run for run, chunk in enumerate(self.chunks) if run != but and self._has(chunk, lock)), None)

    # -- a run without a leader that is over too soon ----------------------------------------------------

    def _half_done(self, breach: Breach) -> Blame:
        """The first step whose effect is not what the events say that ended the run."""
        model = self.protocol.model
        if not isinstance(model, ChoreographyModel):
            raise TypeError(f"{breach.label} is said of choreographies alone")
        for chunk in self.chunks:
            if breach.label not in model.broken(chunk):
                continue
            step = self.design.by_name[model.out_of_line(chunk) or breach.step]
            out = {how: self._out(chunk, how) for how in ("committed", "cancelled")}
            ended = " and ".join(f"{how} ({', '.join(events)})" for how, events in out.items() if events)
            wrong, code = self._what_is_wrong(chunk, step, breach.code)
            told = f"Nobody has anything left to do. By its events the run has ended {ended}, but {wrong}."
            return Blame(step.name, code, told)
        raise ValueError(f"{breach.label}: every effect is what the events say")

    def _what_is_wrong(self, chunk: int, step: StepPlan, code: str) -> tuple[str, str]:
        if self._has(chunk, f"applied.{step.name}") and not self._has(chunk, f"undone.{step.name}"):
            return f"the effect of {step.action} at {step.service} stands and nothing will undo it", code
        if self._has(chunk, f"declined.{step.name}"):
            return f"{step.action} was refused", code
        if self._has(chunk, f"applied.{step.name}"):
            return f"{step.action} was undone", code
        missing = [event for event in step.consumes if not self._has(chunk, f"event.{event}")]
        waits = f": {step.service} waits for {' and '.join(missing)}" if missing else ""
        never = any(step is waiting for waiting, _ in self._unheard())
        return f"{step.action} never happened{waits}", "SAG19" if never else "SAG09"

    def _out(self, chunk: int, ending: str) -> list[str]:
        ends = self.design.ends.items()
        return [event for event, how in ends if how == ending and self._has(chunk, f"event.{event}")]

    def _value(self, chunk: int, variable: str) -> int:
        return self.protocol.model.layout.variables[variable].of(chunk)

    def _has(self, chunk: int, variable: str) -> bool:
        known = self.protocol.model.layout.variables.get(variable)
        return known is not None and known.of(chunk) > 0
