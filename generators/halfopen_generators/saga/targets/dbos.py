"""The target `dbos`: Python on DBOS, a durable engine that lives in the process, over SQLite or PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator

from halfopen.vocabulary import Artifact
from halfopen_generators.saga.plan import SagaDesign
from halfopen_generators.saga.scenario import Scenario
from halfopen_generators.saga.targets import python

_PACKAGE_FILES = ("courier.py", "main.py", "workflow.py")
_TEST_FILES = ("conftest.py", "replay.py")


def artifacts(design: SagaDesign, scenarios: tuple[Scenario, ...]) -> Iterator[Artifact]:
    """Everything that runs the saga on DBOS, and its tests."""
    saga = python.python_saga(design)
    yield from python.common(saga, scenarios, _settings(saga))
    for name in _PACKAGE_FILES:
        yield python.rendered(f"dbos/{name}.j2", f"{saga.package}/{name}", saga)
    for name in _TEST_FILES:
        yield python.rendered(f"dbos/tests/{name}.j2", f"tests/{name}", saga)


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
