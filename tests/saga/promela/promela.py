"""Promela text of a designed saga, written from PROTOCOL.md alone.

It shares nothing with the project's own checker but the design that goes in, so that spin's verdicts are a
second opinion. What is bounded, and how each property is spelled, stands in the header of the templates.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from halfopen_generators.saga.plan import SagaDesign, StepPlan

# The properties of PROTOCOL.md's "What must hold" that spin decides, by their number there.
SAFETY = (1, 2, 3, 4, 5, 6)
LIVENESS = 7
PROPERTIES = (*SAFETY, LIVENESS)
# Its eighth in three parts, where two runs share resources.
LOST_UPDATE, DIRTY_READ, FUZZY_READ = 8, 9, 10


@dataclass(frozen=True)
class _Step:
    """One step as the templates need it; steps refer to each other by index."""

    index: int
    name: str
    after: tuple[int, ...]
    dependents: tuple[int, ...]
    behind: tuple[int, ...]  # every step that comes after it, however far
    undoable: bool
    effect: bool
    refusable: bool
    retriable: bool
    pivot: bool
    attempts: int  # 0: no limit
    deduplicates: bool
    refuses_late: bool
    accepts_empty: bool
    atomic: bool


@dataclass(frozen=True)
class _Hearing:
    """One event on its way to one handler: an inbox entry with a counter of copies of its own."""

    number: int
    event: str
    step: int
    compensation: bool


@dataclass(frozen=True)
class _Use:
    """What one step does with one resource, and how it guards itself."""

    resource: int
    reads: bool
    writes: bool
    locks: bool
    rereads: bool
    order_free: bool


def promela(design: SagaDesign) -> str:
    """The design as Promela: processes, a network of message counters, and a label for each property."""
    here = _templates()
    steps = tuple(_step(design, step) for step in design.steps)
    context: dict[str, object] = {"design": design, "steps": steps, "faults": design.faults}
    if design.orchestrated:
        services = {name: [s for s in design.steps if s.service == name] for name in design.participants}
        context["participants"] = [[steps[step.index] for step in mine] for mine in services.values() if mine]
        return here.get_template("orchestrated.pml.j2").render(context)
    hearings = tuple(_hearings(design))
    context |= {
        "hearings": hearings,
        "events": {event: index for index, event in enumerate(_events(design))},
        "heard": {event: [h for h in hearings if h.event == event] for event in _events(design)},
        "committed": [event for event, ending in design.ends.items() if ending == "committed"],
        "cancelled": [event for event, ending in design.ends.items() if ending == "cancelled"],
    }
    return here.get_template("choreographed.pml.j2").render(context)


def promela_of_two(design: SagaDesign) -> str:
    """Two runs of an orchestrated design over the resources that they share.

    Raises:
        ValueError: more than one attempt, or participants that lack something: it is not written for that.
    """
    steps = tuple(_step(design, step) for step in design.steps)
    if not all(step.deduplicates and step.refuses_late and step.accepts_empty for step in steps):
        raise ValueError("every participant has to keep every guarantee")
    if any(step.attempts > 1 for step in steps):
        raise ValueError("a step has one attempt, or no limit")
    resources = sorted({(step.service, name) for step in design.steps for name in step.writes})
    context: dict[str, object] = {"design": design, "steps": steps, "faults": design.faults, "resources": resources}
    context["uses"] = [_uses(step, resources) for step in design.steps]
    return _templates().get_template("two_runs.pml.j2").render(context)


def _uses(step: StepPlan, resources: list[tuple[str, str]]) -> list[_Use]:
    found = []
    for name in dict.fromkeys((*step.reads, *step.writes)):
        measure = step.countermeasures.get(name)
        # Not shared; or accepted, and so neither looked at nor held against the other run.
        if (step.service, name) in resources and measure != "by-value":
            found.append(
                _Use(
                    resource=resources.index((step.service, name)),
                    reads=name in step.reads,
                    writes=name in step.writes,
                    locks=measure == "semantic-lock",
                    rereads=measure == "reread-value",
                    order_free=measure in ("commutative-update", "version-file"),
                )
            )
    return found


def _templates() -> Environment:
    return Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        undefined=StrictUndefined,
        autoescape=False,  # noqa: S701 - Promela, not HTML
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )


def _step(design: SagaDesign, step: StepPlan) -> _Step:
    index = {other.name: other.index for other in design.steps}
    participant = design.participants[step.service]
    return _Step(
        index=step.index,
        name=step.name,
        after=tuple(index[name] for name in step.after),
        dependents=tuple(index[name] for name in design.dependents[step.name]),
        behind=tuple(other.index for other in design.steps if step.name in design.ancestors[other.name]),
        undoable=step.compensation is not None and not step.read_only,
        effect=not step.read_only,
        refusable=step.can_be_refused and design.faults.refusals,
        retriable=step.kind == "retriable",
        pivot=step.kind == "pivot",
        attempts=step.retry.attempts or 0,
        deduplicates=participant.keeps("deduplicates"),
        refuses_late=participant.keeps("refuses_late_actions"),
        accepts_empty=participant.keeps("accepts_empty_compensation"),
        atomic=participant.keeps("publishes_atomically"),
    )


def _hearings(design: SagaDesign) -> list[_Hearing]:
    found: list[_Hearing] = []
    for step in design.steps:
        found += [_Hearing(0, event, step.index, compensation=False) for event in step.consumes]
        undo = step.compensation.consumes if step.compensation else ()
        found += [_Hearing(0, event, step.index, compensation=True) for event in undo]
    return [_Hearing(n, h.event, h.step, h.compensation) for n, h in enumerate(found)]


def _events(design: SagaDesign) -> list[str]:
    named = [design.trigger]
    for step in design.steps:
        named += [*step.consumes, step.emits or "", step.emits_on_refusal or ""]
        if step.compensation:
            named += [*step.compensation.consumes, step.compensation.emits or ""]
    return [event for event in dict.fromkeys(named) if event]
