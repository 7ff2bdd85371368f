"""What the templates of a Python target read: the design, with every name and every choice settled.

`python_saga` makes it. A field of a request is drawn from the nearest earlier reply that has one of its name and
type, and from the command that starts the run otherwise.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import get_args

from halfopen.templates import pascal, snake
from halfopen_generators.saga.plan import ParticipantPlan, SagaDesign, StepPlan
from halfopen_generators.saga.spec import Guarantee
from halfopen_generators.saga.targets.python_names import (
    LINE,
    Names,
    attribute,
    literal,
    python_type,
    resource_notes,
    short,
    words_tuple,
)

# The guarantees of a participant that is asked by an orchestrator; publishing is choreography's.
ASKED: tuple[Guarantee, ...] = tuple(name for name in get_args(Guarantee) if name != "publishes_atomically")
# Names that the generated contract uses itself.
_IN_CONTRACT = {"Any", "Refused", "STEPS", "UTC", "annotations", "dataclass", "datetime"}
_LONGEST_PACKAGE = 28
# Name and type of a field on one line; where a type of the user's own is longer, it is left open.
_WIDEST = LINE - 4 - 2
# The modules of business functions: name, first line, and what else to say.
_MODULES = (
    (
        "business",
        "What each participant does: put your own code here.",
        (
            "Each function runs inside its participant's local transaction. What it writes through\n"
            "`call.connection` commits together with the answer. As shipped, all they do is keep a\n"
            "ledger, so that the saga runs and its tests see what took effect."
        ),
    ),
    (
        "clients",
        "The third parties: call them here.",
        (
            "Pass `call.key` to the third party: it is the same on every try. As shipped, a ledger\n"
            "stands in for them; it keeps the promises that the spec says they keep, and no other."
        ),
    ),
)


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
    reply_arguments: str

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
        needed = _datetime_import(field.sample for field in self.trigger.fields)
        return f"{needed}\n\n" if needed else ""


def python_saga(design: SagaDesign) -> PythonSaga:
    """The design with every name that it has in Python."""
    classes = Names(set(_IN_CONTRACT))
    aliases = _aliases(design, classes)
    trigger_name = classes.take(short(pascal(design.trigger)), f"{short(pascal(design.trigger))}Command")
    trigger_fields = _trigger_fields(design)
    steps = tuple(_steps(design, classes, trigger_fields))
    trigger = PythonMessage(trigger_name, "What starts a run.", tuple(trigger_fields.values()))
    participants = Names()
    messages = [trigger, *(step.request for step in steps), *(step.reply for step in steps)]
    return PythonSaga(
        design=design,
        package=f"{short(snake(design.name), _LONGEST_PACKAGE)}_saga",
        prefix=short(snake(design.name), _LONGEST_PACKAGE).upper(),
        header=f"Generated by halfopen from the spec of the saga {design.name}.",
        trigger=trigger,
        key_field=trigger_fields[design.correlation_key].name,
        aliases=aliases,
        contract_imports=_contract_imports(messages, aliases),
        steps=steps,
        modules=tuple(_modules(steps)),
        participants=tuple(
            _participant(plan, participants, steps)
            for plan in design.participants.values()
            if any(step.service == plan.name for step in steps)
        ),
    )


def _aliases(design: SagaDesign, classes: Names) -> tuple[str, ...]:
    """The types that fields name and nobody defines."""
    spelled = [kind for step in design.steps for kind in (*step.request.values(), *step.reply.values())]
    named = sorted({name for name in (python_type(kind).named for kind in spelled) if name})
    # A type that bears a name of the contract's own is left as Any JSON; see `_field`.
    return tuple(classes.take(name) for name in named if name not in classes.taken)


def _contract_imports(messages: Sequence[PythonMessage], aliases: tuple[str, ...]) -> tuple[str, ...]:
    annotations = " ".join(field.annotation for message in messages for field in message.fields)
    found = ["from dataclasses import dataclass"]
    if "datetime" in annotations:
        found.append("from datetime import datetime")
    if aliases or "Any" in annotations:
        found.append("from typing import Any")
    return tuple(found)


def _field(name: str, spelled: str, source: str = "") -> PythonField:
    kind = python_type(spelled)
    annotation, sample = kind.annotation, kind.sample
    if kind.named in _IN_CONTRACT or len(name) + len(annotation) > _WIDEST:
        annotation = annotation.replace(kind.named or "", "Any") if kind.named else annotation
    return PythonField(name, annotation, literal(f"{name}-1") if sample == '"text"' else sample, source)


def _trigger_fields(design: SagaDesign) -> dict[str, PythonField]:
    """What has to be known when a run starts: all that steps ask for and no earlier step replies, by spec name."""
    key = design.correlation_key
    spelled = next((step.request[key] for step in design.steps if key in step.request), "string")
    found = {key: _field(attribute(key), spelled)}
    for step in design.steps:
        for name, kind in step.request.items():
            if _replied_by(design, step, name, kind) is None:
                found.setdefault(_asked_as(found, step, name, kind), _field(attribute(name), kind))
    return {name: replace(field, name=attribute(name)) for name, field in found.items()}


def _asked_as(found: Mapping[str, PythonField], step: StepPlan, name: str, kind: str) -> str:
    """The trigger's name for a request field: its own, unless another step means another type by it."""
    same = name not in found or found[name].annotation == _field(name, kind).annotation
    return name if same else f"{snake(step.name)}_{name}"


def _replied_by(design: SagaDesign, step: StepPlan, name: str, kind: str) -> StepPlan | None:
    """The nearest earlier step whose reply has a field of that name and type; never the correlation key's."""
    earlier = [other for other in design.steps if other.name in design.ancestors[step.name]]
    if name == design.correlation_key:
        return None
    return next((other for other in reversed(earlier) if other.reply.get(name) == kind), None)


def _steps(design: SagaDesign, classes: Names, trigger: Mapping[str, PythonField]) -> Iterator[PythonStep]:
    functions = Names({"annotations", "call", "contract", "datetime", "ledger", "request"})
    identifiers = Names(
        {"annotations", "body", "checked_reply", "contract", "decode", "encode", "order", "replies", "run_id"}
    )
    replies: dict[str, str] = {}
    taken: dict[str, str] = {}
    for step in design.steps:
        action, fallback = short(pascal(step.action)), short(pascal(f"{step.name}-{step.action}"))
        reply_class = classes.take(f"{action}Reply", f"{fallback}Reply")
        replies[step.name], taken[step.name] = reply_class, identifiers.take(snake(step.name))
        fields = tuple(_request_fields(design, step, trigger, taken))
        drawn = dict.fromkeys(
            other.name
            for name, kind in step.request.items()
            if (other := _replied_by(design, step, name, kind)) is not None
        )
        yield PythonStep(
            plan=step,
            name=step.name,
            identifier=taken[step.name],
            service=step.service,
            module="clients" if design.participants[step.service].external else "business",
            function=functions.take(snake(step.action), snake(f"{step.action}-{step.name}")),
            undo=_undo(step, functions),
            request=PythonMessage(
                classes.take(f"{action}Request", f"{fallback}Request"), f"What {step.action} is asked with.", fields
            ),
            reply=PythonMessage(
                reply_class,
                f"What {step.action} answers.",
                tuple(_field(attribute(name), kind) for name, kind in step.reply.items()),
            ),
            sources=tuple(PythonSource(taken[name], name, replies[name]) for name in drawn),
            after=words_tuple(step.after, 8, "after="),
            compensation=literal(step.compensation.action) if step.compensation else "None",
            docstring=_docstring(step),
            applied="" if step.read_only else "    ledger.applied(call)\n",
            reply_arguments=_reply_arguments(step),
        )


def _undo(step: StepPlan, functions: Names) -> str | None:
    if step.compensation is None:
        return None
    action = step.compensation.action
    return functions.take(snake(action), snake(f"{action}-{step.name}"))


def _request_fields(
    design: SagaDesign, step: StepPlan, trigger: Mapping[str, PythonField], taken: Mapping[str, str]
) -> Iterator[PythonField]:
    key = design.correlation_key
    if not step.request:
        yield replace(trigger[key], source=f"order.{trigger[key].name}")
    for name, kind in step.request.items():
        other = _replied_by(design, step, name, kind)
        if other is not None:
            yield _field(attribute(name), kind, f"{taken[other.name]}_reply.{attribute(name)}")
        else:
            asked = trigger[_asked_as(trigger, step, name, kind)]
            yield _field(attribute(name), kind, f"order.{asked.name}")


def _docstring(step: StepPlan) -> str:
    first, notes = f"{step.action} at {step.service}.", list(_notes(step))
    return "\n\n    ".join([first, "\n    ".join(notes)]) + "\n    " if notes else first


def _reply_arguments(step: StepPlan) -> str:
    """Made-up values for the reply, one a line."""
    fields = [_field(attribute(name), kind) for name, kind in step.reply.items()]
    lines = "".join(f"        {field.name}={field.sample},\n" for field in fields)
    return f"\n{lines}    " if lines else ""


def _modules(steps: Sequence[PythonStep]) -> Iterator[PythonModule]:
    for name, title, doc in _MODULES:
        own = tuple(step for step in steps if step.module == name)
        if own:
            yield PythonModule(name, title, doc, _business_imports(own), own)


def _business_imports(steps: Sequence[PythonStep]) -> str:
    writes = any(step.undo or not step.plan.read_only for step in steps)
    lines = ["from . import contract, ledger" if writes else "from . import contract", "from .ledger import Call"]
    first = _datetime_import(step.reply_arguments for step in steps)
    return "\n".join([first, "", *lines] if first else lines)


def _datetime_import(samples: Iterable[str]) -> str:
    return "from datetime import UTC, datetime" if any("datetime(" in sample for sample in samples) else ""


def _notes(step: StepPlan) -> Iterator[str]:
    """What whoever fills in the action has to know beyond its name."""
    yield from resource_notes(step)
    if step.can_be_refused:
        yield "A business rule may say no: raise contract.Refused, and nothing is changed."
    if step.kind == "retriable":
        yield "There is no way back from here: it is asked until it is done, so it must not be refused for good."


def _participant(plan: ParticipantPlan, functions: Names, steps: Sequence[PythonStep]) -> PythonParticipant:
    def that(provision: str) -> Mapping[Guarantee, bool]:
        return {name: plan.guarantees[name] == provision for name in ASKED}

    return PythonParticipant(
        plan=plan,
        name=plan.name,
        function=functions.take(snake(plan.name)),
        own=that("has"),
        generated=that("generated"),
        lacks=tuple(name for name in ASKED if plan.guarantees[name] == "lacks"),
        steps=tuple(step for step in steps if step.service == plan.name),
    )
