"""What the generated Python does about resources that runs share: who touches what, and what keeps the runs apart.

A resource is *watched* if a step of the saga writes it: the stand-ins write down who reads and writes it, so that
tests can tell an anomaly. It is *kept* if a step has a semantic lock or a value that is read again on it: then
`isolation.py` keeps runs apart there. The other countermeasures are the business functions' own.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType

from halfopen.templates import snake
from halfopen_generators.saga.meetings import locked, reread, touched
from halfopen_generators.saga.plan import SagaDesign, StepPlan
from halfopen_generators.saga.spec import Countermeasure
from halfopen_generators.saga.targets.python_names import LINE, Names, literal, short
from halfopen_generators.saga.targets.python_plan import PythonResource, PythonStep, PythonTouch

# What stands above a step that touches a resource, by what keeps runs apart there.
NOTES: dict[Countermeasure, str] = {
    "semantic-lock": "Locks {resource} for its run until that has ended: isolation.py sees to it.",
    "reread-value": "Refused if another run has written {resource} since this one read it: isolation.py sees to it.",
    "commutative-update": "Yours to keep: add to {resource} and subtract from it; never write a value read before.",
    "version-file": "Yours to keep: record what is done to {resource}, and apply it in its right order.",
    "pessimistic-view": "Yours to keep: write {resource} in no step that can be undone.",
    "by-value": "Yours to keep: decide by the request's risk whether this run may share {resource}.",
}
# The names that a module of business functions uses itself.
_IN_MODULE = {"annotations", "call", "contract", "datetime", "ledger", "request", "Call", "UTC"}


def notes(
    design: SagaDesign, step: StepPlan, said: Mapping[Countermeasure, str] = MappingProxyType(NOTES)
) -> Iterator[str]:
    """What whoever fills in a step has to know of the resources that it touches."""
    if step.reads:
        yield f"Reads: {', '.join(step.reads)}."
    if step.writes:
        yield f"Writes: {', '.join(step.writes)}."
    for resource, measure in step.countermeasures.items():
        if measure in ("semantic-lock", "reread-value") and resource not in touched(design, step):
            yield f"No step writes {resource}, so nothing keeps runs apart on it."
        else:
            yield said[measure].format(resource=resource)


def resources(design: SagaDesign, steps: Sequence[PythonStep]) -> tuple[PythonResource, ...]:
    """The watched resources, each with its function."""
    names = Names({*_IN_MODULE, *(step.function for step in steps), *(step.undo or "" for step in steps)})
    found: dict[tuple[str, str], list[PythonStep]] = {}
    for step in steps:
        for name in touched(design, step.plan):
            found.setdefault((step.service, name), []).append(step)
    return tuple(
        PythonResource(
            name=name,
            service=service,
            module=asking[0].module,
            function=names.take(f"{short(snake(name))}_entities", f"{short(snake(f'{service}-{name}'))}_entities"),
            requests=_union(dict.fromkeys(step.request.name for step in asking)),
        )
        for (service, name), asking in found.items()
    )


def with_touches(
    design: SagaDesign, steps: Sequence[PythonStep], shared: Iterable[PythonResource]
) -> tuple[PythonStep, ...]:
    """The steps with what they do to resources."""
    functions = {(each.service, each.name): each.function for each in shared}
    kept = {(step.service, name) for step in design.steps for name in (*locked(design, step), *reread(design, step))}
    return tuple(_with_touches(design, step, functions, kept) for step in steps)


def _with_touches(
    design: SagaDesign,
    step: PythonStep,
    functions: dict[tuple[str, str], str],
    kept: set[tuple[str, str]],
) -> PythonStep:
    plan = step.plan
    touches = []
    for name in touched(design, plan):
        measure = plan.countermeasures.get(name)
        touches.append(
            PythonTouch(
                resource=literal(name),
                function=functions[plan.service, name],
                reads=name in plan.reads,
                writes=name in plan.writes,
                by="None" if measure is None else literal(measure),
                kept=(plan.service, name) in kept,
            )
        )
    return replace(
        step,
        touches=tuple(touches),
        locks=bool(locked(design, plan)),
        applied="".join(_written_down(touches)) + step.applied,
        undone="".join(_call("restored", touch) for touch in touches if touch.writes) + step.undone,
    )


def _written_down(touches: Iterable[PythonTouch]) -> Iterator[str]:
    for touch in touches:
        if touch.reads:
            yield _call("read", touch)
        if touch.writes:
            yield _call("wrote", touch)


def _call(function: str, touch: PythonTouch) -> str:
    """A line of a stand-in, laid out as the formatter would."""
    arguments = ("call", touch.resource, f"{touch.function}(request)")
    line = f"    ledger.{function}({', '.join(arguments)})\n"
    if len(line) <= LINE + 1:
        return line
    return f"    ledger.{function}(\n" + "".join(f"        {each},\n" for each in arguments) + "    )\n"


def _union(names: Iterable[str]) -> str:
    """The type of any of these messages, laid out as the formatter would lay out a parameter `request`."""
    found = [f"contract.{name}" for name in names]
    line = f"    request: {' | '.join(found)},"
    return (" | " if len(line) <= LINE else "\n    | ").join(found)
