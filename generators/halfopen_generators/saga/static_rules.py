"""What can be said of a saga without exploring it: one function per fault, each with its place in the spec."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from graphlib import CycleError, TopologicalSorter

from halfopen.durations import spell_duration
from halfopen.findings import at
from halfopen.vocabulary import Certainty, Finding, Severity
from halfopen_generators.saga.codes import finding
from halfopen_generators.saga.plan import SagaDesign, StepPlan
from halfopen_generators.saga.policy import policy


def static_findings(design: SagaDesign) -> tuple[Finding, ...]:
    """All of them, by code and then by place."""
    found = [finding for rule in RULES for finding in rule(design)]
    return tuple(sorted(found, key=lambda finding: finding.code))


def missing_compensation(design: SagaDesign) -> Iterator[Finding]:
    """SAG01: a step that a later failure has to undo, and nothing undoes it."""
    for step in design.steps:
        if step.kind != "compensatable" or step.compensation or step.read_only or not _can_turn_back(design, step):
            continue
        yield finding(
            "SAG01",
            f"Nothing undoes {step.action} if the run turns back.",
            f"Name what undoes {step.name} (`compensation: ...`), say `read_only: true` if it changes nothing, or move "
            "it behind the pivot (`after`), as `kind: retriable`.",
            at("steps", step.spec_index),
        )


def _can_turn_back(design: SagaDesign, step: StepPlan) -> bool:
    others = (other for other in design.steps if other is not step and other.name not in design.ancestors[step.name])
    gives_up = step.retry.attempts is not None and design.orchestrated
    return gives_up or any(
        other.kind != "retriable" and (other.can_be_refused or (other.retry.attempts and design.orchestrated))
        for other in others
    )


def order_of_kinds(design: SagaDesign) -> Iterator[Finding]:
    """SAG02: several pivots, or a step that may have to be undone and is not before the pivot."""
    pivots = [step for step in design.steps if step.kind == "pivot"]
    if len(pivots) > 1:
        names = ", ".join(step.name for step in pivots)
        yield finding(
            "SAG02",
            f"{names} are all pivots; a saga has one point of no return.",
            "Keep the last of them that can fail as the pivot; give the others a compensation, or make them retriable "
            "and move them behind it.",
            *(at("steps", step.spec_index, "kind") for step in pivots),
        )
        return
    for pivot in pivots:
        for step in design.steps:
            if step.kind != "compensatable" or step.read_only or step.name in design.ancestors[pivot.name]:
                continue
            behind = pivot.name in design.ancestors[step.name]
            where, first = ("behind", f"{step.name} come before {pivot.name}") if behind else (
                "beside", f"{pivot.name} come after {step.name}"
            )  # fmt: skip
            refused = " and leave out `can_be_refused`" if step.can_be_refused else ""
            yield finding(
                "SAG02",
                f"{step.name} stands {where} the pivot {pivot.name} and is compensatable: should it fail once "
                f"{pivot.name} is through, there is no way back.",
                f"Let {first} (`after`), or make {step.name} retriable{refused}.",
                at("steps", step.spec_index),
            )


def retriable_steps(design: SagaDesign) -> Iterator[Finding]:
    """SAG03: a step behind the pivot that may not go through."""
    for step in design.steps:
        if step.kind != "retriable":
            continue
        if step.can_be_refused:
            yield finding(
                "SAG03",
                f"{step.name} {_why_retriable(design, step)} and may be refused: then the saga can go neither on nor "
                "back.",
                f"{_where_to_refuse(design, step)}, and leave out `can_be_refused` at {step.name}.",
                at("steps", step.spec_index, "can_be_refused"),
            )
        if step.retry.attempts is not None and design.orchestrated:
            yield finding(
                "SAG03",
                f"{step.name} {_why_retriable(design, step)} and is given up after {step.retry.attempts} attempts: "
                "then the saga can go neither on nor back.",
                "Leave out `retry.attempts`: a retriable step is repeated until it succeeds.",
                at("steps", step.spec_index, "retry", "attempts"),
            )


def _where_to_refuse(design: SagaDesign, step: StepPlan) -> str:
    where = "before the pivot" if _behind(design, step) else "in a step before it that can be undone"
    return f"Check {where} what {step.action} may refuse"


def _behind(design: SagaDesign, step: StepPlan) -> bool:
    return design.pivot is not None and design.pivot.name in design.ancestors[step.name]


def _why_retriable(design: SagaDesign, step: StepPlan) -> str:
    return "comes behind the pivot" if _behind(design, step) else "is retriable"


def refusable_compensation(design: SagaDesign) -> Iterator[Finding]:
    """SAG13: undoing that a business rule may forbid."""
    for step in design.steps:
        if step.compensation is not None and step.compensation.can_be_refused:
            yield finding(
                "SAG13",
                f"{step.compensation.action} may be refused; then {step.action} can be neither kept nor undone.",
                "Make the compensation one that always succeeds (record a credit, hand it to a person), or let "
                f"{step.name} reserve first and commit behind the pivot.",
                at("steps", step.spec_index, "compensation", "can_be_refused"),
            )


def no_deadline(design: SagaDesign) -> Iterator[Finding]:
    """SAG14: nobody notices a run that takes too long."""
    if design.deadline is None:
        led = "before the pivot it turns back, behind it the run is logged as overdue, for a person to look at."
        alone = "nobody leads, so watch for runs older than that without an event of `ends`, and call a person."
        yield finding(
            "SAG14",
            "No deadline: a run that waits for a participant waits unnoticed.",
            f"Say how long a run may take (`deadline: 30s`); {led if design.orchestrated else alone}",
            at(),
            severity=Severity.WARNING,
        )


def timeout_beyond_deadline(design: SagaDesign) -> Iterator[Finding]:
    """SAG21: a try that the deadline ends before its own timeout does."""
    if design.deadline is None or not design.orchestrated:
        return
    for step in design.steps:
        if step.timeout >= design.deadline:
            timeout, deadline = spell_duration(step.timeout), spell_duration(design.deadline)
            yield finding(
                "SAG21",
                f"{step.name} waits {timeout} for an answer, and the whole run has {deadline}: the deadline passes "
                "before the first try is given up, so it is never sent again in time.",
                f"Take a timeout for {step.name} that leaves room for its tries, from how long {step.action} was "
                "measured to take, or a longer deadline.",
                at("steps", step.spec_index, "timeout"),
                severity=Severity.WARNING,
            )


def irreversible_before_pivot(design: SagaDesign) -> Iterator[Finding]:
    """SAG15: an effect that nothing takes back, at a step that may have to be undone."""
    for step in design.steps:
        if step.irreversible and step.kind == "compensatable":
            yield finding(
                "SAG15",
                f"{step.action} can't be taken back, and {step.name} may have to be undone.",
                f"Move {step.name} behind the pivot.",
                at("steps", step.spec_index, "irreversible"),
            )


def too_wide(design: SagaDesign) -> Iterator[Finding]:
    """SAG16: more choreographed steps than people can follow."""
    most = policy().choreography.most_steps
    if design.style == "choreography" and len(design.steps) > most.value:
        yield finding(
            "SAG16",
            f"{len(design.steps)} choreographed steps; past {most.value} nobody sees the flow. {most.source}",
            "Use `style: orchestration`, or split the saga.",
            at("style"),
            severity=Severity.WARNING,
            certainty=Certainty.HEURISTIC,
        )


def unhandled_refusal(design: SagaDesign) -> Iterator[Finding]:
    """SAG11: a refusal that nobody hears of, or whose event leads nowhere."""
    if design.orchestrated:
        return
    consumed = {event for step in design.steps for event in (*step.consumes, *_undo_events(step))}
    for step in design.steps:
        # Behind the pivot a refusal is a fault of its own (SAG03), and nobody has to hear of it.
        if not step.can_be_refused or step.kind == "retriable":
            continue
        event = step.emits_on_refusal
        if event is None:
            yield finding(
                "SAG11",
                f"{step.name} may be refused and says so to nobody: what came before it is never undone.",
                "Name the event (`emits_on_refusal`), and let the steps before it compensate on it.",
                at("steps", step.spec_index, "can_be_refused"),
            )
        elif event not in consumed and event not in design.ends:
            yield finding(
                "SAG11",
                f"{event} says that {step.name} was refused, and nobody consumes it.",
                f"Let the steps before {step.name} compensate on {event}, or list it under `ends`.",
                at("steps", step.spec_index, "emits_on_refusal"),
            )


def _undo_events(step: StepPlan) -> tuple[str, ...]:
    return step.compensation.consumes if step.compensation else ()


def loose_events(design: SagaDesign) -> Iterator[Finding]:
    """SAG19: an event that nobody produces, or that nobody consumes though it ends nothing."""
    if design.orchestrated:
        return
    produced = {design.trigger, *(event for step in design.steps for event in _produced(step))}
    consumed = {event for step in design.steps for event in (*step.consumes, *_undo_events(step))}
    for step in design.steps:
        place = ("steps", step.spec_index)
        for event in step.consumes:
            if event not in produced:
                yield finding(
                    "SAG19",
                    f"{step.name} waits for {event}, which nobody produces.",
                    f"Name the step that emits {event}, or make it the `trigger`.",
                    at(*place, "consumes"),
                )
        for event in _undo_events(step):
            if event not in produced:
                yield finding(
                    "SAG19",
                    f"The compensation of {step.name} waits for {event}, which nobody produces.",
                    f"Name the step that emits {event}.",
                    at(*place, "compensation", "consumes"),
                )
        for event in _produced(step):
            if event not in consumed and event not in design.ends and event != step.emits_on_refusal:
                yield finding(
                    "SAG19",
                    f"{step.name} publishes {event}; nobody consumes it, and it ends no run.",
                    f"Let a step consume {event}, list it under `ends`, or leave it out.",
                    at(*place, "emits"),
                    severity=Severity.WARNING,
                )


def _produced(step: StepPlan) -> Iterator[str]:
    undone = step.compensation.emits if step.compensation else None
    yield from filter(None, (step.emits, step.emits_on_refusal, undone))


def event_cycle(design: SagaDesign) -> Iterator[Finding]:
    """SAG20: events that lead back to themselves."""
    if design.orchestrated:
        return
    leads_to: dict[str, set[str]] = {}
    for step in design.steps:
        for event in filter(None, (step.emits, step.emits_on_refusal)):
            leads_to.setdefault(event, set()).update(step.consumes)
        if step.compensation and step.compensation.emits:
            leads_to.setdefault(step.compensation.emits, set()).update(step.compensation.consumes)
    try:
        TopologicalSorter(leads_to).prepare()
    except CycleError as error:
        circle = list(error.args[1])
        step = next(step for step in design.steps if circle[0] in (*step.consumes, *_undo_events(step)))
        yield finding(
            "SAG20",
            f"Events lead back to themselves: {' -> '.join(circle)}. Each round is a new message, so nothing ends it.",
            "Break the circle: let one of these steps consume another event.",
            at("steps", step.spec_index),
        )


def countermeasures(design: SagaDesign) -> Iterator[Finding]:
    """SAG12: countermeasures that can't be checked, or that are in vain."""
    for step in design.steps:
        for resource, measure in step.countermeasures.items():
            place = at("steps", step.spec_index, "countermeasures", resource)
            if measure == "by-value":
                yield finding(
                    "SAG12",
                    f"by-value on {resource} is chosen at run time by the risk of each request; what the low-risk way "
                    "leaves open is not checked.",
                    "Write down which requests take which way, or use a countermeasure that always holds.",
                    place,
                    severity=Severity.WARNING,
                    certainty=Certainty.HEURISTIC,
                )
            elif measure == "pessimistic-view" and resource in step.writes and step.kind == "compensatable":
                yield finding(
                    "SAG12",
                    f"pessimistic-view on {resource} is in vain: {step.name} may be undone, so others can read what "
                    "never was.",
                    f"Write {resource} behind the pivot, or use semantic-lock.",
                    place,
                    severity=Severity.WARNING,
                )


RULES: tuple[Callable[[SagaDesign], Iterator[Finding]], ...] = (
    missing_compensation,
    order_of_kinds,
    retriable_steps,
    unhandled_refusal,
    countermeasures,
    refusable_compensation,
    no_deadline,
    timeout_beyond_deadline,
    irreversible_before_pivot,
    too_wide,
    loose_events,
    event_cycle,
)
