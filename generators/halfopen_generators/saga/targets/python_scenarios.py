"""Scenarios as the generated Python tests hold them, and which of them the spec as it stands can't pass."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from halfopen_generators.saga.plan import SagaDesign, StepPlan
from halfopen_generators.saga.scenario import Delivery, Scenario
from halfopen_generators.saga.spec import Guarantee
from halfopen_generators.saga.targets.python_names import LINE, laid_out, literal, words_tuple

# How often a request of that fate gets through to its participant.
_ARRIVALS = {"answered": 1, "refused": 1, "lost": 0, "answer-lost": 1, "late": 1, "duplicated": 2}
# Where a scenario's values stand in the generated file.
_INDENT = 8


@dataclass(frozen=True)
class ScenarioView:
    """A scenario with its values as Python source."""

    name: str
    title: str
    deliveries: str
    crash_after: str
    outcome: str
    standing: str
    undone: str
    beside: str
    beside_for_good: str
    fails_because: str


def views(design: SagaDesign, scenarios: Iterable[Scenario]) -> Iterator[ScenarioView]:
    """Each scenario as Python source, in the order given."""
    for scenario in scenarios:
        beside = tuple(_beside(design, scenario))
        # A row of the table is about its own step; a counterexample may be about what stands beside it.
        for_good = (name for name in beside if design.by_name[name].compensation is None and not scenario.breaks)
        # What only reads leaves nothing that could stand.
        standing = (name for name in scenario.standing if not design.by_name[name].read_only)
        yield ScenarioView(
            name=literal(scenario.name),
            title=literal(scenario.title),
            deliveries=laid_out([_delivery(each) for each in scenario.deliveries], _INDENT, "deliveries="),
            crash_after=literal(scenario.crash_after) if scenario.crash_after else "None",
            outcome=scenario.outcome,
            standing=words_tuple(standing, _INDENT, "standing="),
            undone=words_tuple(scenario.undone, _INDENT, "undone="),
            beside=words_tuple(beside, _INDENT, "beside="),
            beside_for_good=words_tuple(for_good, _INDENT, "beside_for_good="),
            fails_because=literal(_fails_because(design, scenario)),
        )


def _delivery(delivery: Delivery) -> str:
    values = [literal(delivery.step), literal(delivery.request), literal(delivery.fate)]
    inline = f"Delivery({', '.join(values)})"
    if _INDENT + 4 + len(inline) + 1 <= LINE:
        return inline
    lines = "".join(f"{' ' * (_INDENT + 8)}{value},\n" for value in values)
    return f"Delivery(\n{lines}{' ' * (_INDENT + 4)})"


def _beside(design: SagaDesign, scenario: Scenario) -> Iterator[str]:
    """Steps that run beside the faulty ones: nobody can say how far they are when the run turns back."""
    if scenario.outcome == "committed":
        return
    faulty = {delivery.step for delivery in scenario.deliveries}
    for step in design.steps:
        related = any(
            step.name == name or step.name in design.ancestors[name] or name in design.ancestors[step.name]
            for name in faulty
        )
        if faulty and not related:
            yield step.name


def _fails_because(design: SagaDesign, scenario: Scenario) -> str:
    """Why the run can't end as it must: the checker's finding, or a guarantee that a participant lacks."""
    if scenario.breaks is not None:
        return scenario.title if scenario.breaks in scenario.title else f"{scenario.breaks}: {scenario.title}"
    given_up = [
        f"{step.name} is given up on after {step.retry.attempts} tries, and there is no way back"
        for step in design.steps
        if step.kind == "retriable" and _tries_spent(scenario, step)
    ]
    missing = dict.fromkeys(
        f"{step.service} lacks {guarantee}" for step in design.steps for guarantee in _missed(design, scenario, step)
    )
    return "; ".join([*given_up, *missing])


def _tries_spent(scenario: Scenario, step: StepPlan) -> bool:
    fates = [each.fate for each in scenario.deliveries if (each.step, each.request) == (step.name, "action")]
    return len(fates) == step.retry.attempts and not {"answered", "refused", "duplicated"}.intersection(fates)


def _missed(design: SagaDesign, scenario: Scenario, step: StepPlan) -> Iterator[Guarantee]:
    """The guarantees that the scenario puts to the test at that step, and its participant lacks."""
    keeps = design.participants[step.service].keeps
    fates = [each.fate for each in scenario.deliveries if (each.step, each.request) == (step.name, "action")]
    arrivals = sum(_ARRIVALS[fate] for fate in fates)
    if fates and step.retry.attempts != len(fates):
        # The try after those listed is answered, unless one of them was.
        arrivals += not {"answered", "refused", "duplicated"}.intersection(fates)
    if arrivals > 1 and not step.read_only and not keeps("deduplicates"):
        yield "deduplicates"
    if fates and arrivals == 0 and step.name in scenario.undone and not keeps("accepts_empty_compensation"):
        yield "accepts_empty_compensation"
