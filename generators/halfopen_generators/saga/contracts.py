"""Message contracts: what travels between the parts of a saga, as Protobuf.

An orchestrated saga gets a request and a reply for each action and compensation; a choreographed one gets
its events. The file passes `buf lint` (STANDARD and COMMENTS), whatever the names in the spec look like.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from halfopen.checkers import programs
from halfopen.protobuf import Names, field_type, no_package, same_name, snake_field, type_fault
from halfopen.source import BadInput, Location, Problem, Source
from halfopen.templates import environment, pascal, snake
from halfopen.vocabulary import Artifact, Check
from halfopen_generators.saga.plan import SagaDesign, StepPlan

PROTO_ROOT = "proto"
SCALARS: Mapping[str, str] = {
    **{name: name for name in ("string", "int32", "int64", "bool", "double", "float", "bytes")},
    "timestamp": "google.protobuf.Timestamp",
    "duration": "google.protobuf.Duration",
}
LEGAL = (*SCALARS, "repeated TYPE", "map<KEY, TYPE>", "a message name such as OrderLine")
# The first fields of every message are the same; the spec's own start here, so that either can grow.
FIRST_OWN_FIELD = 10
_WHY = "For people: which rule said no, and what it saw."
_REASON = {"reason": "string"}
# Fields of ours; a correlation key of such a name gets another one.
_OURS = frozenset({"idempotency_key", "undoes", "event_id", "occurred_at", "outcome", "done", "refused"})


@dataclass(frozen=True)
class Field:
    """One field of a message; `type` as Protobuf spells it."""

    type: str
    name: str
    number: int
    comment: str


@dataclass(frozen=True)
class Message:
    """One message. The fields of `outcome` stand in a oneof of that name."""

    name: str
    comment: str
    fields: tuple[Field, ...] = ()
    outcome: tuple[Field, ...] = ()


@dataclass(frozen=True)
class _Type:
    spelled: str  # as Protobuf spells it, the user's own message names as they are
    own: str | None = None  # the user's message that it needs


def artifacts(design: SagaDesign) -> Iterator[Artifact]:
    """`proto/<saga>/v1/<saga>_saga.proto` and the `buf.yaml` it is linted by.

    Raises:
        BadInput: a field has a type that is none; see `problems`.
    """
    problems(design, Source(data=None))
    package = package_name(design)
    messages = tuple(_events(design) if not design.orchestrated else _requests(design))
    types = " ".join(part.type for message in messages for part in message.fields)
    templates = environment("halfopen_generators.saga")
    text = templates.get_template("contracts/saga.proto.j2").render(
        design=design,
        package=package,
        messages=messages,
        imports=[name for name in ("duration", "timestamp") if f"google.protobuf.{name.capitalize()}" in types],
    )
    yield Artifact(path=f"{PROTO_ROOT}/{package}/v1/{package}_saga.proto", media_type="text/x-protobuf", text=text)
    buf = templates.get_template("contracts/buf.yaml.j2").render(root=PROTO_ROOT)
    yield Artifact(path="buf.yaml", media_type="application/yaml", text=buf)


def checks(design: SagaDesign) -> tuple[Check, ...]:
    """What the Protobuf compiler and buf say of the contracts.

    Raises:
        BadInput: a field has a type that is none; see `problems`.
    """
    texts = {artifact.path: artifact.text for artifact in artifacts(design)}
    messages = sum(text.count("\nmessage ") for text in texts.values())
    looked_at = f"{messages} messages"
    return (
        programs.compile_protos("message contracts compile", PROTO_ROOT, texts, looked_at=looked_at),
        programs.check(
            "message contracts are well formed",
            programs.BUF,
            ("lint",),
            texts=texts,
            looked_at=f"{looked_at}, rules STANDARD and COMMENTS",
        ),
    )


def problems(design: SagaDesign, source: Source) -> None:
    """Refuse field types that can't be spelled.

    Raises:
        BadInput: one problem for each such field, with its place in the spec and the legal types.
    """
    found: list[Problem] = []
    keys: dict[str, str] = {}
    for step in design.steps:
        for part, fields in (("request", step.request), ("reply", step.reply)):
            for name, asked in fields.items():
                place: Location = ("steps", step.spec_index, part, name)
                if (reason := type_fault(asked, SCALARS)) is not None:
                    found.append(source.problem(place, f"{asked!r} {reason}.", asked, LEGAL))
                elif name == design.correlation_key and keys.setdefault(name, asked) != asked:
                    message = (
                        f"the correlation key {name!r} is {asked} here and {keys[name]} elsewhere; it has one type."
                    )
                    found.append(source.problem(place, message, asked, (keys[name],)))
    if found:
        raise BadInput(found)


def package_name(design: SagaDesign) -> str:
    """The saga's name as a package: in lower snake case, and no reserved word of a common language."""
    name = snake(design.name)
    return f"{name}_saga" if no_package(name) else name


def _type(asked: str) -> _Type:
    kind = field_type(asked)
    own = None if kind.name in SCALARS else kind.name
    return _Type(kind.spelled(SCALARS.get(kind.name, kind.name)), own)


@dataclass
class _File:
    """What one file's messages share: their names, and the user's types they mention."""

    design: SagaDesign
    names: Names = field(default_factory=Names)
    own: dict[str, str] = field(default_factory=dict)

    def envelope(self, *rest: tuple[str, str]) -> list[Field]:
        key = self.design.correlation_key
        kinds = (fields[key] for step in self.design.steps for fields in (step.request, step.reply) if key in fields)
        asked = next(kinds, "string")
        what = f"Which run of the saga this belongs to: its {key}."
        parts = [
            (self._spell(asked), correlation_field(self.design), what),
            *(("string", name, text) for name, text in rest),
        ]
        return [Field(kind, name, number, comment) for number, (kind, name, comment) in enumerate(parts, start=1)]

    def fields(
        self, asked: Mapping[str, str], envelope: Iterable[Field], comment: str = "As the spec has it."
    ) -> tuple[Field, ...]:
        """The envelope, then the spec's own fields; the correlation key, already in it, is not said twice."""
        first = list(envelope)
        known = {self.design.correlation_key, "idempotency_key", "event_id"} if first else set()
        names = Names({same_name(part.name) for part in first})
        number = FIRST_OWN_FIELD
        for name, kind in asked.items():
            if name in known:
                continue
            spelled = names.give(snake_field(name))
            called = comment if spelled == name else f"In the spec: {name}."
            first.append(Field(self._spell(kind), spelled, number, called))
            # Protobuf keeps 19000 to 19999 for itself; no spec comes near.
            number += 1
        return tuple(first)

    def _spell(self, asked: str) -> str:
        kind = _type(asked)
        if kind.own is None:
            return kind.spelled
        given = self.own.get(kind.own)
        if given is None:
            given = self.own[kind.own] = self.names.give(kind.own)
        return re.sub(rf"\b{kind.own}\b(?=>?$)", given, kind.spelled)

    def own_messages(self) -> Iterator[Message]:
        for asked, name in self.own.items():
            called = "" if asked == name else f" (called {asked} there)"
            yield Message(
                name, f"{name} is named in the spec{called} but not described there: its fields are yours to add."
            )


def correlation_field(design: SagaDesign) -> str:
    """The correlation key as a field of every message."""
    name = snake_field(design.correlation_key)
    return f"{name}_of_run" if name in _OURS else name


def _requests(design: SagaDesign) -> Iterator[Message]:
    made = _File(design)
    refused = made.names.give("Refused")
    titles = _titles(design, made.names)
    found: list[Message] = []
    for step in design.steps:
        title = titles[step.name, "action"]
        if title is not None:
            found.extend(_action(made, step, title, refused))
        title = titles.get((step.name, "compensation"))
        if title is not None:
            found.extend(_compensation(made, step, title, refused))
    why = Field("string", "reason", 1, _WHY)
    yield from found
    yield Message(
        refused, "A business rule said no: nothing was changed, and asking again would change nothing.", (why,)
    )
    yield from made.own_messages()


def _titles(design: SagaDesign, names: Names) -> dict[tuple[str, str], str | None]:
    """What the messages of each request are named after: the operation, or the step where operations differ.

    None where an earlier step has the very same messages.
    """
    seen: dict[tuple[str, object], str] = {}
    found: dict[tuple[str, str], str | None] = {}
    operations: dict[str, str] = {}
    for step in design.steps:
        wanted = [("action", step.action)]
        if step.compensation is not None:
            wanted.append(("compensation", step.compensation.action))
        for request, operation in wanted:
            shape = (request, tuple(step.request.items()), tuple(step.reply.items()))
            if (pascal(operation), shape) in seen:
                found[step.name, request] = None
                continue
            other = operations.setdefault(pascal(operation), step.name) != step.name
            prefix = "Undo" if request == "compensation" else ""
            name = f"{prefix}{pascal(step.name)}" if other else pascal(operation)
            # Reserved together, so that the three messages of a request bear one name.
            while any(f"{name}{end}".lower() in names.taken for end in ("Request", "Reply", "Done")):
                name += "2"
            for end in ("Request", "Reply", "Done"):
                names.give(f"{name}{end}")
            seen[pascal(operation), shape] = name
            found[step.name, request] = name
    return found


def _action(made: _File, step: StepPlan, title: str, refused: str) -> Iterator[Message]:
    key = ("idempotency_key", "Made of the run, the step and the request; the same on every try.")
    fields = made.fields(step.request, made.envelope(key))
    yield Message(f"{title}Request", f"Asks {step.service} for {step.action}, step {step.name} of the saga.", fields)
    yield from _answer(made, step, title, step.action, step.reply, refused)


def _compensation(made: _File, step: StepPlan, title: str, refused: str) -> Iterator[Message]:
    operation = step.compensation.action if step.compensation else ""
    keys = (
        ("idempotency_key", "Made of the run, the step and the request; the same on every try."),
        ("undoes", "The idempotency key of the action that this undoes, whether or not that ever arrived."),
    )
    fields = made.fields(step.request, made.envelope(*keys))
    text = f"Asks {step.service} for {operation}, which undoes {step.action} of step {step.name}."
    yield Message(f"{title}Request", text, fields)
    yield from _answer(made, step, title, operation, {}, refused)


def _answer(
    made: _File, step: StepPlan, title: str, operation: str, reply: Mapping[str, str], refused: str
) -> Iterator[Message]:
    outcome = (
        Field(f"{title}Done", "done", FIRST_OWN_FIELD, "It has happened."),
        Field(refused, "refused", FIRST_OWN_FIELD + 1, "It has not happened, and will not."),
    )
    key = ("idempotency_key", "That of the request which this answers.")
    text = f"The answer of {step.service} to {operation}. A repeated request gets the first answer again."
    yield Message(f"{title}Reply", text, tuple(made.envelope(key)), outcome)
    own = tuple(made.fields(reply, ()))
    yield Message(f"{title}Done", f"What {operation} gives back.", own)


# By event: what it says, and the fields it carries beside the envelope.
_Said = dict[str, tuple[str, dict[str, str]]]


def _events(design: SagaDesign) -> Iterator[Message]:
    made = _File(design)
    wanted: _Said = {}
    first = [step for step in design.steps if not step.after]
    started: dict[str, str] = {}
    for step in first:
        started.update(step.request)
    _event(wanted, design.trigger, f"Starts a run of the saga {design.name}.", started)
    for step in design.steps:
        who = f"{step.service} of step {step.name}"
        if step.emits:
            _event(wanted, step.emits, f"Said by {who}: {step.action} has happened.", dict(step.reply))
        if step.emits_on_refusal:
            text = f"Said by {who}: {step.action} was refused and changed nothing."
            _event(wanted, step.emits_on_refusal, text, _REASON)
        if step.compensation and step.compensation.emits:
            text = f"Said by {who}: {step.compensation.action} has undone {step.action}."
            _event(wanted, step.compensation.emits, text, {})
    given = {event: made.names.give(pascal(event)) for event in wanted}
    at = Field("google.protobuf.Timestamp", "occurred_at", 3, "When it was committed, by the clock of its producer.")
    found = []
    for event, (text, own) in wanted.items():
        called = "" if given[event] == event else f" In the spec: {event}."
        envelope = made.envelope(("event_id", "Given by its producer; the same on every delivery."))
        comment = _WHY if own is _REASON else "As the spec has it."
        found.append(Message(given[event], f"{text}{called}", made.fields(own, [*envelope, at], comment)))
    yield from found
    yield from made.own_messages()


def _event(wanted: _Said, name: str, text: str, own: dict[str, str]) -> None:
    # Several steps may say the same event; its message then carries what any of them adds.
    before = wanted.get(name)
    wanted[name] = (text, own) if before is None else (f"{before[0]} {text}", {**before[1], **own})
