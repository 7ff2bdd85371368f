"""What a spec's schema can't say: names that point to each other must meet."""

from __future__ import annotations

from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter

from halfopen.source import BadInput, Location, Problem, Source
from halfopen.templates import snake
from halfopen_generators.saga.spec import SagaSpec, Step


def dependencies(spec: SagaSpec) -> dict[str, tuple[str, ...]]:
    """For each step the steps it waits for.

    `after` where it is given; in choreography the steps whose events it consumes; else the step before it.
    """
    producers: dict[str, list[str]] = {}
    for step in spec.steps:
        for event in filter(None, (step.emits, step.emits_on_refusal)):
            producers.setdefault(event, []).append(step.name)
    found: dict[str, tuple[str, ...]] = {}
    for index, step in enumerate(spec.steps):
        if step.after is not None:
            found[step.name] = step.after
        elif step.consumes:
            names = (name for event in step.consumes for name in producers.get(event, ()))
            found[step.name] = tuple(dict.fromkeys(name for name in names if name != step.name))
        else:
            found[step.name] = (spec.steps[index - 1].name,) if index else ()
    return found


def check_references(spec: SagaSpec, source: Source) -> None:
    """Refuse a spec whose names don't meet.

    Raises:
        BadInput: two steps of one name, an unknown step or service, a countermeasure for a resource that the
            step doesn't touch, a step that says of itself what can't both be, or steps that wait for each other;
            one problem each.
    """
    problems = [
        *_twice(spec, source),
        *_unknown_names(spec, source),
        *_countermeasures(spec, source),
        *_contradictions(spec, source),
        *_ends(spec, source),
    ]
    if problems:
        raise BadInput(problems)
    check_order(spec, source)


def check_order(spec: SagaSpec, source: Source) -> None:
    """Refuse steps that wait for each other.

    Raises:
        BadInput: by `after`, or by the events that they consume and emit, steps form a circle.
    """
    if problems := list(_cycle(spec, source)):
        raise BadInput(problems)


def order(spec: SagaSpec) -> tuple[str, ...]:
    """The steps' names in an order in which they can run; among those that are free, as the file has them."""
    graph = dependencies(spec)
    position = {step.name: index for index, step in enumerate(spec.steps)}
    sorter = TopologicalSorter(graph)
    sorter.prepare()
    names: list[str] = []
    ready: list[str] = []
    while sorter.is_active():
        ready.extend(sorter.get_ready())
        ready.sort(key=position.__getitem__)
        names.append(ready[0])
        sorter.done(ready.pop(0))
    return tuple(names)


def _twice(spec: SagaSpec, source: Source) -> Iterator[Problem]:
    # Names that differ only in their case or dashes would become one name in generated code.
    seen: dict[str, Step] = {}
    for index, step in enumerate(spec.steps):
        first = seen.setdefault(snake(step.name), step)
        if first is not step:
            other = "" if first.name == step.name else f" (in generated code it is the same as {first.name!r})"
            yield source.problem(("steps", index, "name"), f"two steps bear the name {step.name!r}{other}.")


def _unknown_names(spec: SagaSpec, source: Source) -> Iterator[Problem]:
    names = [step.name for step in spec.steps]
    for index, step in enumerate(spec.steps):
        for place, name in enumerate(step.after or ()):
            if name == step.name:
                yield source.problem(("steps", index, "after", place), f"step {name!r} waits for itself.")
            elif name not in names:
                yield _unknown(source, ("steps", index, "after", place), "step", name, names)
        if spec.services and step.service not in spec.services:
            yield _unknown(source, ("steps", index, "service"), "service", step.service, list(spec.services))


def _unknown(source: Source, location: Location, what: str, name: str, legal: list[str]) -> Problem:
    return source.problem(location, f"unknown {what} {name!r}.", name, legal)


def _countermeasures(spec: SagaSpec, source: Source) -> Iterator[Problem]:
    for index, step in enumerate(spec.steps):
        touched = tuple(dict.fromkeys((*step.reads, *step.writes)))
        for resource in step.countermeasures:
            if resource not in touched:
                place: Location = ("steps", index, "countermeasures", resource)
                message = f"a countermeasure for {resource!r}, which the step neither reads nor writes."
                yield source.problem(place, message, resource, touched)


def _contradictions(spec: SagaSpec, source: Source) -> Iterator[Problem]:
    for index, step in enumerate(spec.steps):
        place: Location = ("steps", index)
        changes_nothing = f"{step.name!r} is said to be read_only"
        if step.read_only and step.compensation is not None:
            message = f"{changes_nothing}, so there is nothing for a compensation to undo; leave out one of the two."
            yield source.problem((*place, "compensation"), message)
        if step.read_only and step.writes:
            message = f"{changes_nothing}, and to write {', '.join(step.writes)}; leave out one of the two."
            yield source.problem((*place, "writes"), message)
        if step.read_only and step.irreversible:
            message = f"{changes_nothing}, and its effect to be irreversible; leave out one of the two."
            yield source.problem((*place, "irreversible"), message)
        if step.compensation is not None and step.compensation.action == step.action:
            message = f"{step.action!r} is the step's own action; what undoes it is another operation."
            yield source.problem((*place, "compensation"), message)
        retry = step.retry
        if retry and retry.backoff and retry.max_backoff and retry.max_backoff < retry.backoff:
            message = "the longest wait, max_backoff, is shorter than the first, backoff."
            yield source.problem((*place, "retry", "max_backoff"), message)


def _ends(spec: SagaSpec, source: Source) -> Iterator[Problem]:
    if not spec.ends:
        return
    emitted = [event for step in spec.steps for event in _events(step)]
    for event in spec.ends:
        if event not in emitted:
            yield source.problem(("ends", event), f"no step emits the event {event!r}.", event, emitted)


def _events(step: Step) -> Iterator[str]:
    undone = step.compensation.emits if step.compensation else None
    yield from filter(None, (step.emits, step.emits_on_refusal, undone))


def _cycle(spec: SagaSpec, source: Source) -> Iterator[Problem]:
    try:
        TopologicalSorter(dependencies(spec)).prepare()
    except CycleError as error:
        # graphlib lists each step before the one that waits for it.
        names = list(error.args[1])
        index = next(i for i, step in enumerate(spec.steps) if step.name == names[0])
        key = "after" if spec.steps[index].after is not None else "consumes"
        circle = " before ".join(names)
        yield source.problem(("steps", index, key), f"the steps wait for each other in a circle: {circle}.")
