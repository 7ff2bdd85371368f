"""Two runs that meet, for each countermeasure that generated code keeps: the tests that they are kept apart.

For a semantic lock one run takes it, another asks for it and waits until the first has ended; once the first
commits, once it is cancelled. For a value that is read again another run writes between the reading and the
writing, and the writing is refused. Where a lock that comes before keeps the runs from meeting at all, the
meeting at that lock is the one that is told.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from halfopen.templates import kebab
from halfopen_generators.saga.plan import SagaDesign, StepPlan
from halfopen_generators.saga.scenario import Delivery, Meeting, Turn

Resource = tuple[str, str]  # service, name


def written(design: SagaDesign) -> frozenset[Resource]:
    """The resources that runs can get at each other by: what nobody writes needs no keeping apart."""
    return frozenset((step.service, name) for step in design.steps for name in step.writes)


def touched(design: SagaDesign, step: StepPlan) -> tuple[str, ...]:
    """The shared resources that the step touches, but for those under by-value, which nobody watches."""
    shared = written(design)
    names = dict.fromkeys((*step.reads, *step.writes))
    watched = (name for name in names if step.countermeasures.get(name) != "by-value")
    return tuple(name for name in watched if (step.service, name) in shared)


def locked(design: SagaDesign, step: StepPlan) -> tuple[str, ...]:
    """The resources whose lock the step asks for."""
    return tuple(name for name in touched(design, step) if step.countermeasures.get(name) == "semantic-lock")


def reread(design: SagaDesign, step: StepPlan) -> tuple[str, ...]:
    """The resources that the step reads again before it writes."""
    return tuple(name for name in touched(design, step) if step.countermeasures.get(name) == "reread-value")


def kept_apart(design: SagaDesign) -> tuple[Meeting, ...]:
    """All meetings that generated code has to keep apart."""
    return tuple(meeting for step in design.steps for meeting in (*_at_locks(design, step), *_at_values(design, step)))


def _at_locks(design: SagaDesign, step: StepPlan) -> Iterator[Meeting]:
    before = _before(design, step)
    if any(locked(design, other) for other in before):
        return  # the other run waits there already
    turns = (
        *(Turn(0, other.name) for other in (*before, step)),
        *(Turn(1, other.name) for other in before),
        Turn(1, step.name, reaction="held"),
        Turn(0),
    )
    for resource in locked(design, step):
        asking = tuple(s.name for s in design.steps if s.service == step.service and resource in locked(design, s))
        for outcome, fates in (("committed", ()), ("cancelled", _turned_back(design, step))):
            if fates is None:
                continue
            yield Meeting(
                name=kebab(f"kept-apart-{step.name}-{resource}-lock-{outcome}"),
                title=f"{step.name} waits for the lock of {resource} until the run that holds it has {outcome}.",
                runs=(fates, ()),
                turns=turns,
                service=step.service,
                resource=resource,
                at=asking,
            )


def _turned_back(design: SagaDesign, step: StepPlan) -> tuple[Delivery, ...] | None:
    """What makes a run turn back once the step is done; None if nothing can."""
    later = [other for other in design.steps if step.name in design.ancestors[other.name] and other.kind != "retriable"]
    for other in later:
        if other.can_be_refused:
            return (Delivery(other.name, "action", "refused"),)
    for other in later:
        if other.retry.attempts is not None:
            return tuple(Delivery(other.name, "action", "lost") for _ in range(other.retry.attempts))
    if step.kind == "retriable" or step.retry.attempts is None or step.compensation is None:
        return None
    lost = tuple(Delivery(step.name, "action", "lost") for _ in range(step.retry.attempts - 1))
    return (Delivery(step.name, "action", "answer-lost"), *lost)


def _at_values(design: SagaDesign, step: StepPlan) -> Iterator[Meeting]:
    before = _before(design, step)
    if step.kind == "retriable":
        return  # refused for good it stands still, which the checker reports
    for resource in reread(design, step):
        others = [other for other in design.steps if other.service == step.service]
        reads = any(
            other in before and resource in other.reads and resource in touched(design, other) for other in others
        )
        writers = [other for other in others if resource in other.writes and resource in touched(design, other)]
        path = next(
            (
                between
                for writer in writers
                if not _share_a_lock(design, before, between := (*_before(design, writer), writer))
            ),
            None,
        )
        if not reads or path is None:
            continue
        yield Meeting(
            name=kebab(f"kept-apart-{step.name}-{resource}-reread"),
            title=f"{step.name} is refused if another run has written {resource} since it was read.",
            runs=((), ()),
            turns=(
                *(Turn(0, other.name) for other in before),
                *(Turn(1, other.name) for other in path),
                Turn(0, step.name, reaction="refused"),
            ),
            service=step.service,
            resource=resource,
            at=(step.name,),
        )


def _before(design: SagaDesign, step: StepPlan) -> tuple[StepPlan, ...]:
    """All steps that have to be done before it, in an order in which they can run."""
    return tuple(other for other in design.steps if other.name in design.ancestors[step.name])


def _share_a_lock(design: SagaDesign, some: Iterable[StepPlan], others: Iterable[StepPlan]) -> bool:
    held = {(step.service, name) for step in some for name in locked(design, step)}
    return any((step.service, name) in held for step in others for name in locked(design, step))
