"""The target `temporal`: a Python workflow, its activities, worker and starter, for a Temporal service."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from halfopen.templates import kebab, snake
from halfopen.vocabulary import Artifact
from halfopen_generators.saga.plan import SagaDesign
from halfopen_generators.saga.scenario import Meeting, Scenario
from halfopen_generators.saga.targets import python
from halfopen_generators.saga.targets.python_context import python_saga
from halfopen_generators.saga.targets.python_names import Names, short
from halfopen_generators.saga.targets.python_plan import PythonSaga

_PACKAGE_FILES = ("activities.py", "connection.py", "starter.py", "worker.py", "workflow.py")
_PROJECT_FILES = {"README.md": "text/markdown", "pyproject.toml": "application/toml", "requirements.txt": "text/plain"}
_TEST_FILES = ("conftest.py", "crashing_worker.py", "replay.py")


@dataclass(frozen=True)
class Activity:
    """One activity: a step's action or its compensation, with the method that asks for it."""

    step: str
    service: str
    request: Literal["action", "compensation", "release"]
    action: str
    function: str


def artifacts(design: SagaDesign, runs: tuple[Scenario | Meeting, ...]) -> Iterator[Artifact]:
    """Everything that runs the saga on Temporal, and its tests."""
    saga = python_saga(design)
    meetings = python.meetings_of(saga, runs)
    yield from python.common(saga, runs, _settings(saga), meetings)
    activities = tuple(_activities(saga))
    for name in _PACKAGE_FILES:
        path = f"{saga.package}/{name}"
        yield python.rendered(f"temporal/{name}.j2", path, saga, activities=activities)
    for name, kind in _PROJECT_FILES.items():
        rows = tuple(_files(saga))
        yield python.rendered(f"temporal/{name}.j2", name, saga, media_type=kind, settings=_settings(saga), files=rows)
    for name in _TEST_FILES:
        yield python.rendered(f"temporal/tests/{name}.j2", f"tests/{name}", saga, meets=bool(meetings))


@dataclass(frozen=True)
class FileRow:
    """What files of the package hold, and when to change them."""

    name: str
    holds: str
    change: str


def _files(saga: PythonSaga) -> Iterator[FileRow]:
    for module in saga.modules:
        yield FileRow(f"{module.name}.py", module.title, "yes: it is yours")
    yield FileRow("contract.py", "The messages, typed.", "yes, where the spec left a type open")
    yield FileRow("inputs.py", "What each step is asked with.", "yes, where a field comes from elsewhere")
    yield FileRow("transport.py", "How a request gets to its participant.", "yes: in process as shipped")
    yield FileRow("starter.py, worker.py", "The two programs.", "to start runs from your own code")
    yield FileRow("connection.py, config.py", "Where the service is.", "for TLS or an API key")
    yield FileRow("saga.py", "The steps, and the rules of a run.", "through the spec")
    yield FileRow("workflow.py, activities.py", "The orchestrator, and what it asks for.", "rarely")
    yield FileRow("participants.py, guarantees.py", "Business functions behind guarantees.", "through the spec")
    if saga.keeps_apart:
        yield FileRow("isolation.py", "What keeps runs apart that meet on a resource.", "through the spec")
    yield FileRow("store.py, schema.sql", "A participant's database.", "to join it with your own")
    yield FileRow("ledger.py, example.py", "Stand-ins, so that it runs at once.", "delete it when you go live")


def _activities(saga: PythonSaga) -> Iterator[Activity]:
    for step in saga.steps:
        yield Activity(step.name, step.service, "action", step.plan.action, step.function)
        if step.plan.compensation is not None and step.undo is not None:
            yield Activity(step.name, step.service, "compensation", step.plan.compensation.action, step.undo)
    functions = Names({"self", *(step.function for step in saga.steps), *(step.undo or "" for step in saga.steps)})
    for step in saga.releasing:
        function = functions.take(
            f"release_{short(snake(step.service))}", f"release_locks_of_{short(snake(step.service))}"
        )
        yield Activity(step.name, step.service, "release", "Free what the run has locked", function)


def _settings(saga: PythonSaga) -> tuple[python.Setting, ...]:
    return (
        python.Setting(
            "temporal_address",
            "127.0.0.1:7233",
            f"{saga.prefix}_TEMPORAL_ADDRESS",
            "The Temporal service: host:port.",
        ),
        python.Setting(
            "temporal_namespace", "default", f"{saga.prefix}_TEMPORAL_NAMESPACE", "The namespace the saga runs in."
        ),
        python.Setting(
            "task_queue",
            kebab(saga.design.name),
            f"{saga.prefix}_TASK_QUEUE",
            "The task queue that workers and starters meet at.",
        ),
        python.participants_setting(saga),
    )
