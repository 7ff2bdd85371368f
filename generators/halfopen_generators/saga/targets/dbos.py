"""The target `dbos`: Python on DBOS, a durable engine that lives in the process, over SQLite or PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from halfopen.vocabulary import Artifact
from halfopen_generators.saga.plan import SagaDesign
from halfopen_generators.saga.scenario import Meeting, Scenario
from halfopen_generators.saga.targets import python

_PACKAGE_FILES = ("courier.py", "main.py", "workflow.py")
_PROJECT_FILES = {"README.md": "text/markdown", "pyproject.toml": "application/toml", "requirements.txt": "text/plain"}
_TEST_FILES = ("conftest.py", "replay.py")


def artifacts(design: SagaDesign, runs: tuple[Scenario | Meeting, ...]) -> Iterator[Artifact]:
    """Everything that runs the saga on DBOS, and its tests."""
    saga = python.python_saga(design)
    meetings = python.meetings_of(saga, runs)
    yield from python.common(saga, runs, _settings(saga), meetings)
    for name in _PACKAGE_FILES:
        yield python.rendered(f"dbos/{name}.j2", f"{saga.package}/{name}", saga)
    for name, kind in _PROJECT_FILES.items():
        yield python.rendered(
            f"dbos/{name}.j2", name, saga, media_type=kind, settings=_settings(saga), files=tuple(_files(saga))
        )
    for name in _TEST_FILES:
        yield python.rendered(f"dbos/tests/{name}.j2", f"tests/{name}", saga, meets=bool(meetings))


@dataclass(frozen=True)
class FileRow:
    """What one file of the package holds, and when to change it."""

    name: str
    holds: str
    change: str


def _files(saga: python.PythonSaga) -> Iterator[FileRow]:
    for module in saga.modules:
        yield FileRow(f"{module.name}.py", module.title, "yes: it is yours")
    yield FileRow("contract.py", "The messages, typed.", "yes, where the spec left a type open")
    yield FileRow("inputs.py", "What each step is asked with.", "yes, where a field comes from elsewhere")
    yield FileRow("transport.py", "How a request gets to its participant.", "yes: in process as shipped")
    yield FileRow("saga.py", "The steps, and the rules of a run.", "through the spec")
    yield FileRow("workflow.py, courier.py", "The orchestrator: its log, and what is in flight.", "rarely")
    yield FileRow("participants.py, guarantees.py", "Business functions behind guarantees.", "through the spec")
    if saga.keeps_apart:
        yield FileRow("isolation.py", "What keeps runs apart that meet on a resource.", "through the spec")
    yield FileRow("store.py, schema.sql", "A participant's database.", "to join it with your own")
    yield FileRow("ledger.py, example.py", "Stand-ins, so that it runs at once.", "delete it when you go live")


def _settings(saga: python.PythonSaga) -> tuple[python.Setting, ...]:
    file = saga.package.removesuffix("_saga")
    return (
        python.Setting(
            "orchestrator_url",
            f"sqlite:///{file}-orchestrator.db",
            f"{saga.prefix}_ORCHESTRATOR_URL",
            "The orchestrator's log: sqlite:///file.db or postgresql://user@host/database.",
        ),
        python.participants_setting(saga),
    )
