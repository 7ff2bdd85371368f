"""The target `step-functions`: a state machine in Amazon States Language, and its participants on Lambda.

Step Functions keeps the log and sends again after its own crashes; the participants are the Python that all
engines share, each behind a Lambda handler. What the language can't say is told by `unsupported`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from halfopen.source import Source
from halfopen.templates import pascal
from halfopen.vocabulary import Artifact, Finding, Severity
from halfopen_generators.saga.plan import SagaDesign, StepPlan
from halfopen_generators.saga.scenario import Meeting, Scenario
from halfopen_generators.saga.targets import flow, python
from halfopen_generators.saga.targets.asl import Machine, seconds
from halfopen_generators.saga.targets.python_context import python_saga
from halfopen_generators.saga.targets.python_names import words_tuple
from halfopen_generators.saga.targets.python_plan import PythonSaga

DEFINITION = "statemachine.asl.json"
# Lambda ends a function after 15 minutes (Lambda quotas).
LONGEST_FUNCTION = 900
# What this target can't say as the spec does.
CODE = "TGT01"
_FILES = {
    "template.yaml": "application/yaml",
    "README.md": "text/markdown",
    "requirements.txt": "text/plain",
    "requirements-test.txt": "text/plain",
    "tests/conftest.py": "text/x-python",
    "tests/engine.py": "text/x-python",
    "tests/test_engine.py": "text/x-python",
}


@dataclass(frozen=True)
class Function:
    """A participant's Lambda function: its logical name in the stack, and what it may take."""

    service: str
    identifier: str  # of the handler
    logical: str
    variable: str
    setting: str
    timeout: int


@dataclass(frozen=True)
class Case:
    """A test of the generated suite that not every saga has: its template, and the step it strikes."""

    template: str
    step: str


def artifacts(design: SagaDesign, runs: tuple[Scenario | Meeting, ...]) -> Iterator[Artifact]:
    """Everything that runs the saga on Step Functions and Lambda, and its tests, which run on moto."""
    saga = python_saga(design)
    functions = tuple(_functions(saga))
    meetings = python.meetings_of(saga, runs)
    yield from python.common(saga, runs, (python.participants_setting(saga),), meetings)
    releasing = [step.plan for step in saga.releasing]
    machine = Machine(design, saga.key_field, {each.service: each.variable for each in functions}, releasing)
    text = json.dumps(machine.definition(), indent=2, ensure_ascii=False) + "\n"
    yield Artifact(path=DEFINITION, media_type="application/json", text=text)
    cases = tuple(_cases(design))
    shared: dict[str, Any] = {
        "definition": DEFINITION,
        "functions": functions,
        "until_answered": machine.until_answered,
        "cases": cases,
        # What only some of the cases need.
        "modules": ("threading",) if any(case.template == "timed_out" for case in cases) else (),
        "meets": bool(meetings),
        "limits": tuple(finding.message for finding in unsupported(design, Source(data=None))),
        "order": words_tuple((step.name for step in design.steps), before="STEPS = "),
        "variables": words_tuple((each.variable for each in functions), before="VARIABLES = "),
    }
    yield python.rendered("step_functions/handlers.py.j2", f"{saga.package}/handlers.py", saga, **shared)
    for path, media_type in _FILES.items():
        yield python.rendered(f"step_functions/{path}.j2", path, saga, media_type=media_type, **shared)


def unsupported(design: SagaDesign, source: Source) -> tuple[Finding, ...]:
    """What this target says otherwise than the spec, or not at all."""
    return tuple(_unsupported(design, source))


def _unsupported(design: SagaDesign, source: Source) -> Iterator[Finding]:
    if design.style == "event-sourced":
        message = "Step Functions keeps the log in its own execution history, not as events of the saga's own."
        fix = "Read the history by GetExecutionHistory, or choose the target dbos."
        yield _finding("The log is the engine's", message, fix, source, ("style",))
    if design.deadline is not None:
        message = (
            f"The deadline of {design.deadline:g} s is not watched: a timeout of the whole state machine would end it "
            "without undoing anything."
        )
        fix = "Set an alarm on the age of open executions, or give each step its own limit by timeout and attempts."
        yield _finding("The deadline is not watched", message, fix, source, ("deadline",))
    for wait in flow.cut(design)[1]:
        index = design.by_name[wait.step].spec_index
        message = (
            f"{wait.step} also waits for {wait.other}: Parallel states nest, and the order of these steps does not."
        )
        fix = "Nothing is unsafe about it; drop the dependency that crosses, if the wait costs too much."
        yield _finding("A wait that was not asked for", message, fix, source, ("steps", index, "after"))
    for step in design.steps:
        yield from _rounded(step, source)


def _rounded(step: StepPlan, source: Source) -> Iterator[Finding]:
    asked = {"timeout": step.timeout, "retry.backoff": step.retry.backoff, "retry.max_backoff": step.retry.max_backoff}
    rounded = [f"{name} {value:g} s" for name, value in asked.items() if seconds(value) != value]
    if rounded:
        message = f"{step.name}: {', '.join(rounded)}: whole seconds here, rounded up, a year at most."
        fix = "Write whole seconds, so that all targets behave the same."
        yield _finding("Times are whole seconds", message, fix, source, ("steps", step.spec_index))


def _finding(title: str, message: str, fix: str, source: Source, place: tuple[str | int, ...]) -> Finding:
    return Finding(
        code=CODE, severity=Severity.INFO, title=title, message=message, evidence=(source.evidence(*place),), fix=fix
    )


def _functions(saga: PythonSaga) -> Iterator[Function]:
    taken: set[str] = set()
    for participant in saga.participants:
        # Names of a stack are letters and digits alone.
        name = wanted = pascal(participant.name)
        while name in taken:
            name = f"{wanted}{len(taken) + 1}"
        taken.add(name)
        longest = max(seconds(step.plan.timeout) for step in participant.steps)
        yield Function(
            service=participant.name,
            identifier=participant.function,
            logical=f"{name}Function",
            variable=f"{name}FunctionArn",
            setting=f"{name}DatabaseUrl",
            timeout=min(longest, LONGEST_FUNCTION),
        )


def _cases(design: SagaDesign) -> Iterator[Case]:
    """The tests that need a step of a certain kind, each with the first one that will do."""
    refusable = [step for step in design.steps if step.kind != "retriable"]
    undoable = [step for step in design.steps if step.retry.attempts is not None and step.compensation is not None]
    deduplicates = all(design.participants[step.service].keeps("deduplicates") for step in design.steps)
    if deduplicates:
        yield Case("crash", "")
    if design.steps[0].kind != "retriable":
        yield Case("first_step", design.steps[0].name)
    for step in undoable[:1]:
        yield Case("timed_out", step.name)
    safe = [step for step in undoable if _bears_late(design, step)]
    for step in safe[:1]:
        yield Case("late", step.name)
    ordered = [step for step in refusable if _undone_before(design, step) > 1]
    for step in ordered[-1:]:
        yield Case("order", step.name)


def _bears_late(design: SagaDesign, step: StepPlan) -> bool:
    keeps = design.participants[step.service].keeps
    return keeps("refuses_late_actions") and keeps("accepts_empty_compensation")


def _undone_before(design: SagaDesign, step: StepPlan) -> int:
    before = (design.by_name[name] for name in design.ancestors[step.name])
    return sum(other.compensation is not None for other in before)
