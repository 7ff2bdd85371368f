"""A broken run as a scenario, so that a generated test replays it against the generated code."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal

from halfopen.templates import kebab
from halfopen_generators.saga.choreography_run import Heard
from halfopen_generators.saga.choreography_scenario import ChoreographyScenario, scenario_of
from halfopen_generators.saga.plan import SagaDesign, StepPlan
from halfopen_generators.saga.protocol.retell import Event
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


def scenario(design: SagaDesign, broken: Break) -> Scenario | Meeting | ChoreographyScenario | None:
    """The run as a test scenario, or several runs as a meeting.

    None for several runs of a choreography, and for those that break another promise than that of isolation:
    no scenario tells these.
    """
    code, step = broken.breach.code, broken.breach.step
    title = f"{code}: {broken.told.sentences[-1]}"
    if broken.breach.resource is not None:
        return _meeting(design, broken, broken.breach.resource, title) if design.orchestrated else None
    if any(event.run for event in broken.events):
        return None
    name = kebab(f"counterexample-{code}-{step}-{broken.breach.want or 'run'}")
    if design.orchestrated:
        return _orchestrated(design, broken, name, title)
    try:
        schedule = tuple(_heard(design, broken.events))
        return scenario_of(design, name, title, schedule, breaks=code)
    except ValueError:  # an event that nobody published: the static rules have said so
        return None


def _meeting(design: SagaDesign, broken: Break, resource: str, title: str) -> Meeting:
    breach, step = broken.breach, design.by_name[broken.breach.step]
    anomaly = breach.promise.removeprefix("no ")
    numbers = {run: number for number, run in enumerate(sorted({event.run for event in broken.events}))}
    kinds = [(numbers[event.run], _without_anomaly(event), event.command.subject) for event in broken.events]
    runs = tuple(
        _all_deliveries(design, [(kind, subject) for run, kind, subject in kinds if run == number])
        for number in numbers.values()
    )
    return Meeting(
        name=kebab(f"counterexample-{breach.code}-{breach.step}-{resource}-{anomaly}"),
        title=title,
        runs=runs,
        turns=tuple(Turn(run, subject, _HANDLED[kind]) for run, kind, subject in kinds if kind in _HANDLED),
        service=step.service,
        resource=resource,
        at=(step.name,),
        anomaly=anomaly,
        breaks=breach.code,
    )


def _without_anomaly(event: Event) -> str:
    """What happened, whatever it broke."""
    kind = event.command.kind
    return kind.partition("-")[0] if event.command.breaks else kind


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
        left = turned and heard.issuperset(step.after) and not {"apply", "crash-participant", "refuse"} & set(kinds)
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
        if happened("hear-refused", "refuse"):
            yield Delivery(step.name, "action", "refused")
    if happened("compensate-twice"):
        yield Delivery(step.name, "compensation", "duplicated")
    if happened("decline-undo"):
        yield Delivery(step.name, "compensation", "refused")


_FATES = {
    "refuse": "refused",
    "crash-unpublished": "killed-before-publish",
}


def _heard(design: SagaDesign, events: tuple[Event, ...]) -> Iterator[Heard]:
    for event in events:
        kind = event.command.kind
        if kind.partition(" ")[0] in {"hear", "duplicate"}:
            continue  # told by the hearing that follows
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
