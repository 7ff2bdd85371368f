"""The events of a choreographed saga: the names left out, and which of them end a run."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from halfopen.templates import pascal
from halfopen.vocabulary import Decision
from halfopen_generators.saga.references import dependencies
from halfopen_generators.saga.spec import Ending, SagaSpec, Step, Style


def named(spec: SagaSpec, style: Style, decided: list[Decision]) -> SagaSpec:
    """The spec with every event named, if the saga is choreographed; else as it is.

    Where a step says nothing of events, it starts on the events of the steps that it comes after and says
    how it went. A compensation starts once every step that depends on it is refused or undone, one event for
    each way, so that what depends on a step is always undone before it.
    """
    if style != "choreography" or not any(_incomplete(step) for step in spec.steps):
        return spec
    waits = dependencies(spec)
    trigger = spec.trigger or f"{pascal(spec.saga)}Requested"
    of = _stems(spec)
    done = {step.name: step.emits or f"{of(step, step.action)}Succeeded" for step in spec.steps}
    refused = {
        step.name: step.emits_on_refusal or (f"{of(step, step.action)}Refused" if step.can_be_refused else None)
        for step in spec.steps
    }
    undone = {
        step.name: step.compensation.emits or f"{of(step, step.compensation.action)}Succeeded"
        for step in spec.steps
        if step.compensation
    }
    steps = []
    for index, step in enumerate(spec.steps):
        if not _incomplete(step):
            steps.append(step)
            continue
        consumes = step.consumes or tuple(done[name] for name in waits[step.name]) or (trigger,)
        changes: dict[str, object] = {
            "consumes": consumes,
            "emits": done[step.name],
            "emits_on_refusal": refused[step.name],
        }
        if step.compensation is not None:
            starts = step.compensation.consumes or _starts_undoing(spec, step, waits, refused, undone)
            undo = {"consumes": starts, "emits": undone[step.name]}
            changes["compensation"] = step.compensation.model_copy(update=undo)
        steps.append(step.model_copy(update=changes))
        decided.append(
            Decision(
                about=f"steps[{index}].consumes",
                choice=f"{', '.join(consumes)} -> {step.action} -> {done[step.name]}",
                because="Events were left out; they are named after the actions, and follow the order of the steps.",
            )
        )
    return spec.model_copy(update={"steps": tuple(steps), "trigger": trigger})


def _stems(spec: SagaSpec) -> Callable[[Step, str], str]:
    """What an operation's events are named after: the operation; and the step, where two share an operation's name."""
    operations = [step.action for step in spec.steps]
    operations += [step.compensation.action for step in spec.steps if step.compensation]
    return lambda step, name: name if operations.count(name) == 1 else f"{name}Of{pascal(step.name)}"


def _incomplete(step: Step) -> bool:
    return not (step.consumes and step.emits)


def _starts_undoing(
    spec: SagaSpec,
    step: Step,
    waits: Mapping[str, tuple[str, ...]],
    refused: Mapping[str, str | None],
    undone: Mapping[str, str],
) -> tuple[str, ...]:
    """What tells a step that the step behind it failed or was undone.

    A step behind it that can neither be refused nor undone only passes on what comes from behind itself.
    """
    found: list[str] = []
    for other in spec.steps:
        if step.name not in waits[other.name]:
            continue
        if (event := refused[other.name]) is not None:
            found.append(event)
        if other.name in undone:
            found.append(undone[other.name])
        elif not other.can_be_refused or other.compensation is None:
            found.extend(_starts_undoing(spec, other, waits, refused, undone))
    return tuple(dict.fromkeys(found))


def ends(spec: SagaSpec, style: Style, decided: list[Decision]) -> Mapping[str, Ending]:
    """The events that end a run: as asked, or every event that no step consumes."""
    if style != "choreography" or spec.ends:
        return dict(spec.ends)
    consumed = {event for step in spec.steps for event in step.consumes}
    consumed |= {event for step in spec.steps if step.compensation for event in step.compensation.consumes}
    found: dict[str, Ending] = {}
    for step in spec.steps:
        if step.emits and step.emits not in consumed:
            found[step.emits] = "committed"
        if step.emits_on_refusal and step.emits_on_refusal not in consumed:
            found[step.emits_on_refusal] = "cancelled"
        if step.compensation and step.compensation.emits and step.compensation.emits not in consumed:
            found[step.compensation.emits] = "cancelled"
    choice = ", ".join(f"{event}: {ending}" for event, ending in found.items())
    decided.append(Decision(about="ends", choice=choice or "none", because="Nobody consumes these events."))
    return found
