"""The Python that every engine shares: contract, business functions, guarantees, the rules of a run, tests.

A target that runs on Python makes a `PythonSaga` of the design with `python_saga`, yields `common(...)` and adds
what its engine needs with `rendered(...)`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from halfopen.templates import environment
from halfopen.vocabulary import Artifact
from halfopen_generators.saga.meetings import kept_apart
from halfopen_generators.saga.scenario import Meeting, Scenario
from halfopen_generators.saga.targets import python_meetings, python_scenarios
from halfopen_generators.saga.targets.python_context import python_saga
from halfopen_generators.saga.targets.python_plan import PythonSaga

__all__ = [
    "PACKAGE",
    "PythonSaga",
    "Setting",
    "common",
    "meetings_of",
    "participants_setting",
    "python_saga",
    "rendered",
]

PACKAGE = "halfopen_generators.saga"
_PACKAGE_FILES = (
    "__init__.py",
    "config.py",
    "contract.py",
    "example.py",
    "guarantees.py",
    "inputs.py",
    "ledger.py",
    "messages.py",
    "participants.py",
    "saga.py",
    "schema.sql",
    "store.py",
    "transport.py",
)
_TEST_FILES = ("__init__.py", "databases.py", "scripted.py", "test_rules.py", "test_scenarios.py")
# What only sagas have in which runs meet.
_MEETING_FILES = ("anomalies.py", "meeting.py", "meetings.py", "test_meetings.py")


@dataclass(frozen=True)
class Setting:
    """Something that may be set by an environment variable."""

    name: str
    default: str
    variable: str
    doc: str


def common(
    saga: PythonSaga, runs: Sequence[Scenario | Meeting], settings: Sequence[Setting], meetings: Sequence[Meeting] = ()
) -> Iterator[Artifact]:
    """The files that are the same for every Python engine: the package without its orchestrator, and the tests' base.

    `settings` are the target's own, beside those that all have. `meetings` are those that the target's tests replay.
    """
    for name in _PACKAGE_FILES:
        kind = "application/sql" if name.endswith(".sql") else "text/x-python"
        yield rendered(f"python/{name}.j2", f"{saga.package}/{name}", saga, media_type=kind, settings=tuple(settings))
    for name in ("isolation.py",) if saga.keeps_apart else ():
        yield rendered(f"python/{name}.j2", f"{saga.package}/{name}", saga)
    for module in saga.modules:
        yield rendered("python/business.py.j2", f"{saga.package}/{module.name}.py", saga, module=module)
    for name in _TEST_FILES:
        yield rendered(f"python/tests/{name}.j2", f"tests/{name}", saga)
    alone = [run for run in runs if isinstance(run, Scenario)]
    views = tuple(python_scenarios.views(saga.design, alone))
    yield rendered("python/tests/scenarios.py.j2", "tests/scenarios.py", saga, scenarios=views)
    told = tuple(python_meetings.views(meetings))
    about: dict[str, Any] = {
        "imports": f"from {saga.package}.ledger import Touched\nfrom {saga.package}.saga import BY_NAME",
        "order_free": python_meetings.order_free(saga.design),
        "broken": any(meeting.told for meeting in meetings),
        "kept": any(not meeting.told for meeting in meetings),
    }
    for name in _MEETING_FILES if told else ():
        yield rendered(f"python/tests/{name}.j2", f"tests/{name}", saga, meetings=told, **about)


def meetings_of(saga: PythonSaga, runs: Sequence[Scenario | Meeting]) -> tuple[Meeting, ...]:
    """The meetings among the runs, and those in which generated code has to keep the runs apart."""
    return (*(run for run in runs if isinstance(run, Meeting)), *kept_apart(saga.design))


def rendered(
    template: str, path: str, saga: PythonSaga, *, media_type: str = "text/x-python", **more: object
) -> Artifact:
    """One file."""
    text = environment(PACKAGE).get_template(template).render(saga=saga, **more)
    return Artifact(path=path, media_type=media_type, text=text)


def participants_setting(saga: PythonSaga) -> Setting:
    """Where the participants keep their tables, for targets that run them in process."""
    return Setting(
        "participants_url",
        f"sqlite:///{saga.package.removesuffix('_saga')}-participants.db",
        f"{saga.prefix}_PARTICIPANTS_URL",
        "The participants' database: sqlite:///file.db or postgresql://user@host/database.",
    )
