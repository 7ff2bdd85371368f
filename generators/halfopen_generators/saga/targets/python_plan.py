"""What the templates of a Python target read: the design with the names that it has in Python, as values.

`python_context` makes them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import get_args

from halfopen_generators.saga.plan import ParticipantPlan, SagaDesign, StepPlan
from halfopen_generators.saga.spec import Guarantee
from halfopen_generators.saga.targets.python_names import datetime_import, words_tuple

# The guarantees of a participant that is asked by an orchestrator; publishing is choreography's.
ASKED: tuple[Guarantee, ...] = tuple(name for name in get_args(Guarantee) if name != "publishes_atomically")


@dataclass(frozen=True)
class PythonField:
    """A field of a message; `source` is the expression that fills it in where a request is put together."""

    name: str
    annotation: str
    sample: str
    source: str


@dataclass(frozen=True)
class PythonMessage:
    """A dataclass of the contract."""

    name: str
    doc: str
    fields: tuple[PythonField, ...]


@dataclass(frozen=True)
class PythonSource:
    """An earlier step whose reply a request draws on."""

    identifier: str
    step: str
    reply: str


@dataclass(frozen=True)
class PythonTouch:
    """What a step does to one resource, as Python source."""

    resource: str  # a literal
    function: str  # says which entities a request means
    reads: bool
    writes: bool
    by: str  # a literal, or None
    kept: bool


@dataclass(frozen=True)
class PythonResource:
    """A resource that runs share, and the function that says which entities of it a request means."""

    name: str
    service: str
    module: str
    function: str
    requests: str  # the annotation of whatever its steps are asked with


@dataclass(frozen=True)
class PythonStep:
    """A step with the names it has in Python."""

    plan: StepPlan
    name: str
    identifier: str
    service: str
    module: str
    function: str
    undo: str | None
    request: PythonMessage
    reply: PythonMessage
    sources: tuple[PythonSource, ...]
    after: str
    compensation: str
    docstring: str
    applied: str
    undone: str
    reply_arguments: str
    touches: tuple[PythonTouch, ...] = ()
    locks: bool = False  # its participant is told when the run has ended

    @property
    def kept(self) -> tuple[PythonTouch, ...]:
        """What isolation.py has to know of the step."""
        return tuple(touch for touch in self.touches if touch.kept)

    @property
    def undos(self) -> tuple[str, ...]:
        """The compensation's function, or nothing: what a template loops over."""
        return (self.undo,) if self.undo else ()


@dataclass(frozen=True)
class PythonParticipant:
    """A participant with the names it has in Python, and who keeps which guarantee."""

    plan: ParticipantPlan
    name: str
    function: str
    own: Mapping[Guarantee, bool]
    generated: Mapping[Guarantee, bool]
    lacks: tuple[Guarantee, ...]
    steps: tuple[PythonStep, ...]


@dataclass(frozen=True)
class PythonModule:
    """A module of business functions: those of the user's own services, or the clients of third parties."""

    name: str
    title: str
    doc: str
    imports: str
    steps: tuple[PythonStep, ...]
    resources: tuple[PythonResource, ...]


@dataclass(frozen=True)
class PythonSaga:
    """All that the templates of a Python target read."""

    design: SagaDesign
    package: str
    prefix: str  # of environment variables
    header: str
    trigger: PythonMessage
    key_field: str
    aliases: tuple[str, ...]
    contract_imports: tuple[str, ...]
    steps: tuple[PythonStep, ...]
    modules: tuple[PythonModule, ...]
    participants: tuple[PythonParticipant, ...]
    resources: tuple[PythonResource, ...]

    @property
    def keeps_apart(self) -> bool:
        """Whether generated code keeps runs apart on a resource."""
        return any(step.kept for step in self.steps)

    @property
    def locks(self) -> bool:
        """Whether participants hold locks for a run, and are told when it has ended."""
        return any(step.locks for step in self.steps)

    @property
    def releasing(self) -> tuple[PythonStep, ...]:
        """The steps by which participants are told that a run has ended: each one's first that locks."""
        return tuple({step.service: step for step in reversed(self.steps) if step.locks}.values())

    @property
    def request_kinds(self) -> str:
        """What a request may be, as literals."""
        return '"action", "compensation", "release"' if self.locks else '"action", "compensation"'

    @property
    def messages(self) -> tuple[PythonMessage, ...]:
        """All dataclasses of the contract."""
        pairs = (message for step in self.steps for message in (step.request, step.reply))
        return (self.trigger, *pairs)

    @property
    def participant_imports(self) -> str:
        """The modules that bind participants to functions, sorted."""
        return ", ".join(sorted(["contract", *(module.name for module in self.modules)]))

    @property
    def distribution(self) -> str:
        """The name of the package for package managers."""
        return self.package.replace("_", "-")

    @property
    def pad(self) -> str:
        """Blanks that bring what comes behind a shorter command in line with the one that names the package."""
        return " " * len(self.package)

    @property
    def step_names(self) -> str:
        """The steps' names as a tuple."""
        return words_tuple(step.name for step in self.steps)

    @property
    def example_imports(self) -> str:
        """What the example's values need."""
        needed = datetime_import(field.sample for field in self.trigger.fields)
        return f"{needed}\n\n" if needed else ""
