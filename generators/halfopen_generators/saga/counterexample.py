"""A broken run as a scenario, so that a generated test replays it against the generated code."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Literal

from halfopen.checkers.explore import EVERY_RUN_ENDS
from halfopen.templates import kebab
from halfopen_generators.saga.choreography_run import Heard
from halfopen_generators.saga.choreography_scenario import ChoreographyMeeting, ChoreographyScenario, scenario_of
from halfopen_generators.saga.plan import SagaDesign, StepPlan
from halfopen_generators.saga.protocol.blame import Wait
from halfopen_generators.saga.protocol.isolation import over_another
from halfopen_generators.saga.protocol.promises import ISOLATION_PROMISES, Breach
from halfopen_generators.saga.protocol.retell import RUN_NAMES, Event
from halfopen_generators.saga.scenario import Delivery, Fate, Meeting, Scenario, Turn
from halfopen_generators.saga.verify import Break

# What a participant does with a request that it has not handled before.
_HANDLED: dict[str, Literal["action", "compensation"]] = {
    "apply": "action",
    "refuse": "action",
    "refuse-stale": "action",
    "crash-participant": "action",
    "compensate": "compensation",
    "compensate-empty": "compensation",
    "crash-participant-undoing": "compensation",
    "decline-undo": "compensation",
}


# What a run that breaks a promise comes to, in the words of the generated tests; by what it does at last.
_TOLD = {
    "left-standing": "was cancelled, and {step} stands",
    "left-out": "was committed without {step}",
    "left-undone": "was committed without {step}",
    "apply-twice": "did {step} twice",
    "apply-declined": "was cancelled, and {step} stands",
    "apply-late": "was cancelled, and {step} stands",
    "compensate-twice": "undid {step} twice",
    "compensate-nothing": "undid {step}, which had not run",
    "compensate-too-early": "undid {step} too early",
}


Test = Scenario | Meeting | ChoreographyScenario | ChoreographyMeeting


def scenario(design: SagaDesign, broken: Break) -> Test | None:
    """The run as a test scenario, or several runs as a meeting.

    None for several runs of a choreography that are in each other's way by a lock or by a value that is read again:
    its generated code keeps neither, as TGT01 says.
    """
    code, step = broken.breach.code, broken.breach.step
    title = f"{code}: {broken.told.sentences[-1]}"
    several = broken.breach.resource is not None or len({event.run for event in broken.events}) > 1
    if several:
        return (_meeting if design.orchestrated else _choreography_meeting)(design, broken, title)
    name = kebab(f"counterexample-{code}-{step}-{broken.breach.want or 'run'}")
    if design.orchestrated:
        return _orchestrated(design, broken, name, title)
    try:
        schedule = tuple(heard for event in broken.events for heard in _heard(design, broken.events, event))
        return scenario_of(design, name, title, schedule, breaks=code)
    except ValueError:  # an event that nobody published: the static rules have said so
        return None


def _meeting(design: SagaDesign, broken: Break, title: str) -> Meeting:
    breach, step = broken.breach, design.by_name[broken.breach.step]
    numbers = _numbers(broken)
    kinds = [(numbers[event.run], _without_anomaly(event), event.command.subject) for event in broken.events]
    runs = tuple(
        _all_deliveries(design, [(kind, subject) for run, kind, subject in kinds if run == number])
        for number in numbers.values()
    )
    turns = [
        Turn(run, subject, _HANDLED[kind], "refused" if kind == "refuse-stale" else "handled")
        for run, kind, subject in kinds
        if kind in _HANDLED
    ]
    for wait in broken.waits:
        turns += _up_to_its_write(design, turns, numbers, wait)
    return Meeting(
        name=_meeting_name(breach),
        title=title,
        runs=runs,
        turns=tuple(turns),
        service=step.service if breach.resource else "",
        resource=breach.resource or "",
        at=(step.name,) if breach.resource else (),
        told=_told(design, broken, numbers),
        breaks=breach.code,
    )


def _choreography_meeting(design: SagaDesign, broken: Break, title: str) -> ChoreographyMeeting | None:
    breach, events = broken.breach, broken.events
    if breach.resource is None or any(event.command.kind == "refuse-stale" for event in events):
        return None
    numbers = _numbers(broken)
    own = {run: tuple(event for event in events if event.run == run) for run in numbers}
    return ChoreographyMeeting(
        name=_meeting_name(breach),
        title=title,
        runs=len(numbers),
        schedule=tuple((numbers[e.run], heard) for e in events for heard in _heard(design, own[e.run], e)),
        told=_told(design, broken, numbers),
        breaks=breach.code,
    )


def _numbers(broken: Break) -> Mapping[int, int]:
    """The runs that do something, counted from 0."""
    return {run: number for number, run in enumerate(sorted({event.run for event in broken.events}))}


def _meeting_name(breach: Breach) -> str:
    what = (breach.resource, breach.promise.removeprefix("no ")) if breach.resource else (breach.want or "runs",)
    return kebab("-".join(("counterexample", breach.code, breach.step, *what)))


def _why(wait: Wait, names: Mapping[int, str]) -> str:
    if wait.held_by is None:
        return f"{wait.resource} has changed since this run read it"
    return f"{names[wait.held_by]} holds {wait.resource}"


def _up_to_its_write(
    design: SagaDesign, turns: Sequence[Turn], numbers: Mapping[int, int], wait: Wait
) -> Iterator[Turn]:
    """The turns up to the write, still to come, that makes the other run's value stale: then that run stands still."""
    if wait.changed_by is None:
        return
    run, writer = numbers[wait.changed_by[0]], wait.changed_by[1]
    had = {turn.step for turn in turns if turn.run == run}
    for step in design.steps:
        if step.name not in had and (step.name == writer or step.name in design.ancestors[writer]):
            yield Turn(run, step.name)


def _told(design: SagaDesign, broken: Break, numbers: Mapping[int, int]) -> tuple[str, ...]:
    """What goes wrong where runs meet, in the words of the generated tests."""
    breach, last = broken.breach, broken.events[-1]
    names = {run: f"run {RUN_NAMES[number]}" for run, number in numbers.items()}
    if breach.resource is not None:
        return (f"{breach.promise.removeprefix('no ')} of {breach.resource} at {breach.step}",)
    if broken.waits:
        return tuple(f"{names[wait.run]} stands at {wait.step}: {_why(wait, names)}" for wait in broken.waits)
    if breach.promise == EVERY_RUN_ENDS:
        stuck = next((event for event in reversed(broken.events) if event.command.subject == breach.step), last)
        return (f"{names[stuck.run]} never ends",)
    # What turns back behind the pivot leaves it standing.
    pivot = design.pivot.name if design.pivot else breach.step
    wrong = _TOLD.get(last.command.kind, _TOLD["left-standing"].format(step=pivot)).format(step=breach.step)
    return (f"{names[last.run]} {wrong}",)


def _without_anomaly(event: Event) -> str:
    """What happened, whatever it did to another run."""
    kind = event.command.kind
    return next((known for known in ("apply", "compensate") if _over_another(kind, known)), kind)


def _over_another(kind: str, known: str) -> bool:
    return any(kind == over_another(known, Breach(promise, "", "")) for promise in ISOLATION_PROMISES)


def _orchestrated(design: SagaDesign, broken: Break, name: str, title: str) -> Scenario:
    happened = [(event.command.kind, event.command.subject) for event in broken.events]
    kinds = set(happened)
    deliveries = _all_deliveries(design, happened)
    turned = _turned(design, happened)
    crash = next((event.command.subject for event in broken.events if event.command.kind == "crash"), None)
    everything = tuple(step.name for step in design.steps)
    if not turned:
        return Scenario(name, title, deliveries, crash, "committed", everything, (), broken.breach.code)
    open_ = [step for step in design.steps if ("hear-done", step.name) in kinds or ("give-up", step.name) in kinds]
    undone = tuple(step.name for step in reversed(open_) if step.compensation and not step.read_only)
    return Scenario(name, title, deliveries, crash, "cancelled", (), undone, broken.breach.code)


def _turned(design: SagaDesign, happened: Sequence[tuple[str, str]]) -> list[StepPlan]:
    """The steps that turned the run back."""
    return [step for step in design.steps if {("hear-refused", step.name), ("give-up", step.name)} & set(happened)]


def _all_deliveries(design: SagaDesign, happened: Sequence[tuple[str, str]]) -> tuple[Delivery, ...]:
    """The fates of one run's requests, by the kind and the step of everything that happened in it."""
    heard = {subject for kind, subject in happened if kind == "hear-done"}
    turned = bool(_turned(design, happened))

    def deliveries(step: StepPlan) -> Iterator[Delivery]:
        kinds = [kind for kind, subject in happened if subject == step.name]
        # Sent side by side with the step that turned the run back, and nobody waited for it any more.
        left = turned and heard.issuperset(step.after) and "action" not in map(_HANDLED.get, kinds)
        return _deliveries(step, [*kinds, "abandon"] if left else kinds)

    return tuple(delivery for step in design.steps for delivery in deliveries(step))


def _deliveries(step: StepPlan, kinds: Sequence[str]) -> Iterator[Delivery]:
    """The fates of the step's requests, by what happened to it."""

    def happened(*names: str) -> bool:
        return any(name in kinds for name in names)

    again = kinds.count("send-again") + kinds.count("crash")
    applied = happened("apply", "crash-participant")
    unheard: Fate = "answer-lost" if applied else "lost"
    if happened("give-up", "abandon"):
        tries = step.retry.attempts or 1
        first: Fate = "late" if happened("apply-late") else unheard
        yield Delivery(step.name, "action", first)
        yield from (Delivery(step.name, "action", "lost") for _ in range(tries - 1))
    elif happened("apply-twice", "apply-declined"):
        yield Delivery(step.name, "action", "duplicated")
    else:
        yield from (Delivery(step.name, "action", "lost") for _ in range(again))
        # What is refused since another run has changed a value is refused by itself.
        if happened("hear-refused", "refuse") and not happened("refuse-stale"):
            yield Delivery(step.name, "action", "refused")
    if happened("compensate-twice"):
        yield Delivery(step.name, "compensation", "duplicated")
    if happened("decline-undo"):
        yield Delivery(step.name, "compensation", "refused")


_FATES = {
    "refuse": "refused",
    "crash-unpublished": "killed-before-publish",
}


def _heard(design: SagaDesign, events: tuple[Event, ...], event: Event) -> Iterator[Heard]:
    """What is heard there, among the events of that run."""
    kind = event.command.kind
    if kind.partition(" ")[0] in {"hear", "duplicate", "release"}:
        return  # told by the hearing that follows, or done by nobody
    step = design.by_name[event.command.subject]
    fate = _FATES.get(kind, "killed-before-ack" if kind.startswith("crash-after-") else "handled")
    if "compensate" in kind or kind == "decline-undo":
        out = step.compensation.consumes if step.compensation else ()
        published = next((e for e in out if _is_out(design, e, events, event)), out[0])
        yield Heard(published, step.name, "compensation", fate)  # type: ignore[arg-type]
    else:
        *before, last = step.consumes
        yield from (Heard(other, step.name, "action") for other in before)
        yield Heard(last, step.name, "action", fate)  # type: ignore[arg-type]


def _is_out(design: SagaDesign, published: str, events: tuple[Event, ...], until: Event) -> bool:
    """Whether the event was published before that moment of the run."""
    out = {design.trigger}
    for event in events[: events.index(until)]:
        step, kind = design.by_name[event.command.subject], event.command.kind.removeprefix("crash-after-")
        undone = step.compensation.emits if step.compensation else None
        emitted = {
            "apply": step.emits,
            "refuse": step.emits_on_refusal,
            "compensate": undone,
            "compensate-empty": undone,
        }
        out.add(emitted.get(kind) or "")
    return published in out
