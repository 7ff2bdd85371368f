"""Which steps can be undone, which one decides, and which must go through: the kind of each step.

Kinds in the terms of Garcia-Molina and Richardson: *compensatable* steps come first and can be undone, the
*pivot* is the go or no-go, *retriable* steps come behind it and are repeated until they succeed.
"""

from __future__ import annotations

from halfopen.vocabulary import Decision
from halfopen_generators.saga.references import dependencies, order
from halfopen_generators.saga.spec import Kind, SagaSpec, Step

SAGA_LAW = 9


def infer(spec: SagaSpec, decided: list[Decision]) -> dict[str, Kind]:
    """The kind of each step by name: as asked, or inferred with a reason that is added to `decided`."""
    pivot, because = _pivot(spec)
    behind = _behind(spec, pivot.name) if pivot else frozenset()
    found: dict[str, Kind] = {}
    for index, step in enumerate(spec.steps):
        if step.kind is not None:
            found[step.name] = step.kind
            continue
        kind, reason = _kind(step, pivot, behind, because)
        found[step.name] = kind
        others = tuple(other for other in ("compensatable", "pivot", "retriable") if other != kind)
        decided.append(
            Decision(about=f"steps[{index}].kind", choice=kind, because=reason, instead_of=others, law=SAGA_LAW)
        )
    return found


def _kind(step: Step, pivot: Step | None, behind: frozenset[str], because: str) -> tuple[Kind, str]:
    if pivot is not None and step is pivot:
        return "pivot", because
    if step.name in behind:
        return (
            "retriable",
            f"It comes behind the pivot {pivot.name if pivot else ''}, from where there is no way back.",
        )
    if step.read_only:
        return "compensatable", "It changes nothing, so there is nothing to undo."
    if step.compensation is None:
        return "compensatable", "It comes before the pivot, so a later refusal has to undo it."
    return "compensatable", f"{step.compensation.action} undoes it."


def _pivot(spec: SagaSpec) -> tuple[Step | None, str]:
    """The step that decides, and why it does; None if every step can be undone."""
    by_name = {step.name: step for step in spec.steps}
    ordered = [by_name[name] for name in order(spec)]
    if (asked := next((step for step in ordered if step.kind == "pivot"), None)) is not None:
        return asked, ""
    # A step that the user calls retriable is behind the pivot, so it can't be it.
    without = [step for step in ordered if step.kind is None and step.compensation is None and not step.read_only]
    if not without:
        return None, ""
    refusable = [step for step in without if step.can_be_refused]
    if refusable:
        return (
            refusable[-1],
            "It is the last step that may be refused and nothing undoes it: once it is through, the saga goes through.",
        )
    return without[
        0
    ], "Nothing undoes it and nothing behind it can be refused: once it is through, the saga goes through."


def _behind(spec: SagaSpec, pivot: str) -> frozenset[str]:
    graph = dependencies(spec)
    behind = {pivot}
    for name in order(spec):
        if behind.intersection(graph[name]):
            behind.add(name)
    return frozenset(behind - {pivot})
