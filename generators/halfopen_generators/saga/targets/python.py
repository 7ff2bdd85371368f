"""The Python that every engine shares: contract, business functions, guarantees, the rules of a run, tests.

A target that runs on Python makes a `PythonSaga` of the design with `python_saga`, yields `common(...)` and adds
what its engine needs with `rendered(...)`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from halfopen.templates import environment
from halfopen.vocabulary import Artifact
from halfopen_generators.saga.scenario import Scenario
from halfopen_generators.saga.targets import python_scenarios
from halfopen_generators.saga.targets.python_context import PythonSaga, python_saga

__all__ = ["PACKAGE", "PythonSaga", "Setting", "common", "participants_setting", "python_saga", "rendered"]

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


@dataclass(frozen=True)
class Setting:
    """Something that may be set by an environment variable."""

    name: str
    default: str
    variable: str
    doc: str


def common(saga: PythonSaga, scenarios: Sequence[Scenario], settings: Sequence[Setting]) -> Iterator[Artifact]:
    """The files that are the same for every Python engine: the package without its orchestrator, and the tests' base.

    `settings` are the target's own, beside those that all have.
    """
    for name in _PACKAGE_FILES:
        kind = "application/sql" if name.endswith(".sql") else "text/x-python"
        yield rendered(f"python/{name}.j2", f"{saga.package}/{name}", saga, media_type=kind, settings=tuple(settings))
    for module in saga.modules:
        yield rendered("python/business.py.j2", f"{saga.package}/{module.name}.py", saga, module=module)
    for name in _TEST_FILES:
        yield rendered(f"python/tests/{name}.j2", f"tests/{name}", saga)
    views = tuple(python_scenarios.views(saga.design, scenarios))
    yield rendered("python/tests/scenarios.py.j2", "tests/scenarios.py", saga, scenarios=views)


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
