"""A broken run as a scenario, so that a generated test replays it against the generated code."""

from __future__ import annotations

from collections.abc import Iterator

from halfopen.templates import kebab
from halfopen_generators.saga.choreography_run import Heard
from halfopen_generators.saga.choreography_scenario import ChoreographyScenario, scenario_of
from halfopen_generators.saga.plan import SagaDesign, StepPlan
from halfopen_generators.saga.protocol.retell import Event
from halfopen_generators.saga.scenario import Delivery, Fate, Scenario
from halfopen_generators.saga.verify import Break


def scenario(design: SagaDesign, broken: Break) -> Scenario | ChoreographyScenario | None:
    """The run as a test scenario; None if it takes several runs at once, which no scenario tells."""
    if any(event.run for event in broken.events) or broken.breach.resource:
        return None
    code, step = broken.breach.code, broken.breach.step
    name = kebab(f"counterexample-{code}-{step}-{broken.breach.want or 'run'}")
    title = f"{code}: {broken.told.sentences[-1]}"
    if design.orchestrated:
        return _orchestrated(design, broken, name, title)
    try:
        schedule = tuple(_heard(design, broken.events))
        return scenario_of(design, name, title, schedule, breaks=code)
    except ValueError:  # an event that nobody published: the static rules have said so
        return None


def _orchestrated(design: SagaDesign, broken: Break, name: str, title: str) -> Scenario:
    kinds = {(event.command.kind, event.command.subject) for event in broken.events}
    deliveries = tuple(d for step in design.steps for d in _deliveries(step, kinds, broken))
    turned = [step for step in design.steps if {("hear-refused", step.name), ("give-up", step.name)} & kinds]
    crash = next((event.command.subject for event in broken.events if event.command.kind == "crash"), None)
    everything = tuple(step.name for step in design.steps)
    if not turned:
        return Scenario(name, title, deliveries, crash, "committed", everything, (), broken.breach.code)
    open_ = [step for step in design.steps if ("hear-done", step.name) in kinds or ("give-up", step.name) in kinds]
    undone = tuple(step.name for step in reversed(open_) if step.compensation and not step.read_only)
    return Scenario(name, title, deliveries, crash, "cancelled", (), undone, broken.breach.code)


def _deliveries(step: StepPlan, kinds: set[tuple[str, str]], broken: Break) -> Iterator[Delivery]:
    def happened(*names: str) -> bool:
        return any((name, step.name) in kinds for name in names)

    mine = [event.command.kind for event in broken.events if event.command.subject == step.name]
    again = mine.count("send-again") + mine.count("crash")
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
