"""Choreographed participants in Python on FastStream: NATS JetStream, Kafka or RabbitMQ.

The three differ in one module of what is generated, `broker.py`, and in the words of `choreography_brokers`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from halfopen.templates import environment, pascal, snake
from halfopen.vocabulary import Artifact
from halfopen_generators.saga.choreography_run import Handler, Heard, handlers
from halfopen_generators.saga.choreography_scenario import ChoreographyMeeting, ChoreographyScenario
from halfopen_generators.saga.meetings import touched
from halfopen_generators.saga.plan import GUARANTEES, ParticipantPlan, SagaDesign, StepPlan
from halfopen_generators.saga.targets.choreography_brokers import BROKERS, Broker, BrokerWords
from halfopen_generators.saga.targets.choreography_resources import touches, unsupported, what_to_keep
from halfopen_generators.saga.targets.python_meetings import order_free
from halfopen_generators.saga.targets.python_names import LINE, Names, literal, words_tuple

__all__ = ["artifacts", "unsupported"]

PACKAGE = "halfopen_generators.saga"
# How often an event is tried before it goes to the dead letters; RabbitMQ's own default for quorum queues.
MAX_DELIVER = 20
# An acknowledgement is waited for at least this long (NATS's own default), and twice the slowest timeout.
LEAST_ACK_WAIT = 30.0

_STATIC = ("business", "contract", "fakes", "main", "observer", "participant", "store")
_TESTS = ("conftest", "memory", "participant_process", "processes", "replay", "scenarios", "test_scenarios")
_PYTHON = "text/x-python"


def artifacts(
    design: SagaDesign, runs: Iterable[ChoreographyScenario | ChoreographyMeeting], broker: Broker
) -> Iterator[Artifact]:
    """The participants of a choreographed saga, what runs them on that broker, and tests that replay the runs."""
    runs = tuple(runs)
    saga = _saga(design)
    words = _words(BROKERS[broker], saga)
    told = [_scenario(scenario) for scenario in runs if isinstance(scenario, ChoreographyScenario)]
    meetings = [_meeting(meeting) for meeting in runs if isinstance(meeting, ChoreographyMeeting)]
    package = saga["package"]

    def render(template: str, path: str, media_type: str = _PYTHON, **more: Any) -> Artifact:
        text = environment(PACKAGE).get_template(f"choreography/{template}.j2")
        return Artifact(
            path=path,
            media_type=media_type,
            text=text.render(saga=saga, broker=words, scenarios=told, meetings=meetings, **more),
        )

    yield Artifact(path=f"{package}/__init__.py", media_type=_PYTHON, text=f'"""{saga["header"]}"""\n')
    for name in _STATIC:
        yield render(f"{name}.py", f"{package}/{name}.py")
    yield render(f"{broker}/broker.py", f"{package}/broker.py")
    yield render("participants_init.py", f"{package}/participants/__init__.py")
    for participant in saga["participants"]:
        path = f"{package}/participants/{participant['module']}.py"
        yield render("participant_module.py", path, participant=participant)
    for name in _TESTS:
        yield render(f"tests/{name}.py", f"tests/{name}.py")
    if meetings:
        for name in ("meetings", "test_meetings"):
            yield render(f"tests/{name}.py", f"tests/{name}.py")
        imports = f"from replay import BY_NAME\n\nfrom {package}.fakes import Touched"
        about = {"imports": imports, "order_free": order_free(design)}
        text = environment(PACKAGE).get_template("python/tests/anomalies.py.j2").render(saga=saga, **about)
        yield Artifact(path="tests/anomalies.py", media_type=_PYTHON, text=text)
    yield render("requirements.txt", "requirements.txt", "text/plain")
    yield render("README.md", "README.md", "text/markdown")


def _words(words: BrokerWords, saga: Mapping[str, Any]) -> dict[str, Any]:
    return {
        **vars(words),
        "test_imports": "\n".join(
            sorted(
                (
                    "from faststream.message import AckStatus",
                    f"from faststream.{words.module} import {words.test_class}",
                )
            )
        ),
        "dead_letters": words.dead_letters.format(**saga),
        "settings": [(name, default.format(**saga)) for name, default in words.settings],
    }


def _saga(design: SagaDesign) -> dict[str, Any]:
    classes = Names({"Any", "BaseModel", "ConfigDict", "EVENTS", "Event", "Field", "Literal", "UTC", "datetime"})
    classes.taken |= {"Broker", "Callable", "Compensation", "Guarantees", "Participant", "Step", "Worker"}
    events = {event: classes.take(pascal(event), f"{pascal(event)}Event") for event in _events(design)}
    functions = Names({"Any", "Work", "annotations", "fakes"})
    modules = Names({"annotations", "dataclass", "Broker", "Callable", "Participant", "Wiring", "Worker"})
    participants = [
        _participant(design, plan, modules.take(snake(plan.name)), events, functions)
        for plan in design.participants.values()
        if any(step.service == plan.name for step in design.steps)
    ]
    key = design.correlation_key
    waits = max([LEAST_ACK_WAIT / 2, *(step.timeout for step in design.steps)])
    retries = [step.retry for step in design.steps]
    return {
        "name": design.name,
        "package": f"{snake(design.name)}_saga",
        "prefix": snake(design.name),
        "env": snake(design.name).upper(),
        "stream": snake(design.name).upper(),
        "header": f"Generated by halfopen from the spec of the saga {design.name}.",
        # The envelope's own names can't carry the key.
        "key": f"{key}_key" if key in {"name", "event_id", "causation_id", "occurred_at", "data"} else key,
        "events": [
            {"name": event, "cls": name, "default": _default(event), "meaning": _meaning(design, event)}
            for event, name in events.items()
        ],
        "participants": participants,
        "participants_by_module": sorted(participants, key=lambda each: str(each["module"])),
        "sources": words_tuple([design.trigger], 0),
        "ends": tuple(design.ends.items()),
        "ends_row": ", ".join(f"{event} ({ending})" for event, ending in design.ends.items()),
        "queues": tuple(_queues(design)),
        "watched": any(touched(design, step) for step in design.steps),
        "read_only": _set([literal(step.name) for step in design.steps if step.read_only]),
        "idempotent": _set(_idempotent(design)),
        "undone_last": _set(_undone_last(design)),
        "warnings": tuple(_warnings(design)),
        "ack_wait": f"{2 * waits:g}",
        "max_deliver": MAX_DELIVER,
        "backoff": min(retry.backoff for retry in retries),
        "backoff_factor": max(retry.factor for retry in retries),
        "max_backoff": max(retry.max_backoff for retry in retries),
    }


def _events(design: SagaDesign) -> dict[str, None]:
    """Every event there is, in the order in which a reader meets them."""
    found: list[str | None] = [design.trigger]
    for step in design.steps:
        found += [*step.consumes, step.emits, step.emits_on_refusal]
        if step.compensation is not None:
            found += [*step.compensation.consumes, step.compensation.emits]
    return dict.fromkeys(event for event in [*found, *design.ends] if event)


def _meaning(design: SagaDesign, event: str) -> str:
    said = []
    for step in design.steps:
        undo = step.compensation
        if step.emits == event:
            said.append(f"{step.action} succeeded at {step.service}")
        if step.emits_on_refusal == event:
            said.append(f"{step.action} was refused by {step.service}")
        if undo is not None and undo.emits == event:
            said.append(f"{step.action} was undone at {step.service} ({undo.action})")
    text = ", or ".join(said) or "It comes from outside and starts a run"
    ending = design.ends.get(event)
    return f"{text}.{f' The run ends {ending}.' if ending else ''}"


def _default(event: str) -> str:
    """The default of an event's name, laid out as the formatter does behind `name: Literal[...] = `."""
    inline = literal(event)
    if len(f'    name: Literal["{event}"] = "{event}"') <= LINE:
        return inline
    return f"(\n        {inline}\n    )"


def _queues(design: SagaDesign) -> Iterator[tuple[str, str, str]]:
    for handler, events in handlers(design).items():
        for event in events:
            yield design.by_name[handler.step].service, _spelled(handler), event
    for event in dict.fromkeys([design.trigger, *design.ends]):
        yield "observer", "runs", event


def _participant(
    design: SagaDesign, plan: ParticipantPlan, module: str, events: Mapping[str, str], functions: Names
) -> dict[str, Any]:
    constants = Names({"PARTICIPANT", "HANDLERS"})
    local = Names({"annotations", "business", "subscribe", "broker", "worker", "event", *events.values()})
    steps = [_step(design, step, constants, functions) for step in design.steps if step.service == plan.name]
    constant = {step["name"]: step["const"] for step in steps}
    own = {handler: heard for handler, heard in handlers(design).items() if handler.step in constant}
    return {
        "name": plan.name,
        "module": module,
        "external": plan.external,
        "story": tuple(_story(plan)),
        "guarantees": [{"name": name, "kept": plan.keeps(name)} for name in GUARANTEES],
        "steps": steps,
        "constants": _constants(constant.values()),
        "undoes": any(step["undo"] for step in steps),
        "classes": sorted({events[event] for heard in own.values() for event in heard}, key=_import_order),
        "handlers": [
            _handler(design, handler, heard, events, local, constant[handler.step]) for handler, heard in own.items()
        ],
    }


def _constants(names: Iterable[str]) -> str:
    members = tuple(names)
    if len(members) == 1:
        return f"({members[0]},)"
    inner = "".join(f"        {name},\n" for name in members)
    return f"(\n{inner}    )"


def _import_order(name: str) -> tuple[int, str]:
    # As ruff sorts names: constants, then classes, then the rest.
    return (0 if name.isupper() else 1 if name[:1].isupper() else 2, name)


def _step(design: SagaDesign, step: StepPlan, constants: Names, functions: Names) -> dict[str, Any]:
    undo = step.compensation
    acts, restores = touches(design, step)
    name = functions.take(snake(step.action), snake(f"{step.action}-{step.name}"))
    return {
        "name": step.name,
        "action": step.action,
        "const": constants.take(snake(step.name).upper()),
        "function": name,
        "notes": tuple(_notes(design, step)),
        "reply": ", ".join(f"{key} ({kind})" for key, kind in step.reply.items()),
        "consumes": words_tuple(step.consumes, 4),
        "emits": _literal(step.emits),
        "emits_on_refusal": _literal(step.emits_on_refusal),
        "retriable": step.kind == "retriable",
        "touches": acts,
        "restores": restores,
        "undo": undo
        and {
            "action": undo.action,
            "function": functions.take(snake(undo.action), snake(f"{undo.action}-{step.name}")),
            "consumes": words_tuple(undo.consumes, 8),
            "emits": _literal(undo.emits),
        },
        "row": {
            "consumes": " and ".join(step.consumes),
            "emits": step.emits or "",
            "refused": step.emits_on_refusal or "",
            "undone_on": " or ".join(undo.consumes) if undo else "",
            "undo": undo.action if undo else "",
            "undone": (undo.emits or "") if undo else "",
        },
    }


def _notes(design: SagaDesign, step: StepPlan) -> Iterator[str]:
    """What whoever fills in the action has to know beyond its name."""
    yield from what_to_keep(design, step)
    if step.request:
        yield f"Needs in `work.data`: {', '.join(f'{key} ({kind})' for key, kind in step.request.items())}."
    if step.can_be_refused:
        yield "A business rule may say no: raise participant.Refused, and nothing is changed."
    if step.kind == "retriable":
        yield "There is no way back from here: a refusal is asked again until it succeeds."


def _handler(
    design: SagaDesign,
    handler: Handler,
    heard: tuple[str, ...],
    events: Mapping[str, str],
    local: Names,
    constant: str,
) -> dict[str, Any]:
    step = design.by_name[handler.step]
    undo = step.compensation
    acts = handler.request == "action" or undo is None
    many = "once all of these are in" if acts else "on any one of these"
    what = f"{step.action} {many}" if acts or undo is None else f"{undo.action} {many}"
    return {
        "name": _spelled(handler),
        "function": local.take(snake(step.name) if acts else f"undo_{snake(step.name)}"),
        "doc": f"Subscribe what runs {what}.",
        "annotation": _annotation([events[event] for event in heard]),
        "verb": "act" if acts else "undo",
        "const": constant,
        "events": words_tuple(heard, 8),
    }


def _annotation(classes: list[str]) -> str:
    """The union of the classes, laid out as the formatter does whatever their names."""
    joined = " | ".join(dict.fromkeys(classes))
    if len(joined) <= 90:  # noqa: PLR2004 - what is left of a line of 120 with room to spare
        return joined
    return "\n        | ".join(dict.fromkeys(classes))


def _story(plan: ParticipantPlan) -> Iterator[str]:
    if plan.external:
        yield "It is a third party: this stands in for it, so that the saga can be run and tested."
    lacks = [name.replace("_", " ") for name in GUARANTEES if not plan.keeps(name)]
    if lacks:
        yield f"As the spec says it lacks: {', '.join(lacks)}. So this lacks it, too."


def _warnings(design: SagaDesign) -> Iterator[str]:
    for plan in design.participants.values():
        for line in _story(plan):
            yield f"**{plan.name}**: {line}"


def _idempotent(design: SagaDesign) -> Iterator[str]:
    for step in design.steps:
        if step.idempotent:
            yield f'({literal(step.name)}, "action")'
        if step.compensation is not None and step.compensation.idempotent:
            yield f'({literal(step.name)}, "compensation")'


def _undone_last(design: SagaDesign) -> Iterator[str]:
    for step in design.steps:
        for name in sorted(design.ancestors[step.name]):
            if step.compensation and design.by_name[name].compensation:
                yield f"({literal(name)}, {literal(step.name)})"


def _set(members: Iterable[str]) -> str:
    """A frozenset, one member a line."""
    inner = "".join(f"        {member},\n" for member in members)
    return f"frozenset(\n    {{\n{inner}    }}\n)" if inner else "frozenset()"


def _literal(name: str | None) -> str:
    return "None" if name is None else literal(name)


def _spelled(handler: Handler) -> str:
    # A colon can't stand in the name of a step, so no step is taken for another's compensation.
    return handler.step if handler.request == "action" else f"undo:{handler.step}"


def _scenario(scenario: ChoreographyScenario) -> dict[str, Any]:
    return {
        "name": scenario.name,
        "title": literal(scenario.title)[1:-1],
        "schedule": _list(_heard(heard) for heard in scenario.schedule),
        "outcome": scenario.outcome,
        "standing": words_tuple(scenario.standing, 8),
        "undone": words_tuple(scenario.undone, 8),
        "breaks": _literal(scenario.breaks),
    }


def _heard(heard: Heard, indent: int = 12) -> str:
    parts = [heard.event, _spelled(heard.handler), *([] if heard.fate == "handled" else [heard.fate])]
    spelled = [literal(part) for part in parts]
    inline = f"Heard({', '.join(spelled)})"
    if indent + len(inline) < LINE:
        return inline
    return "\n".join(["Heard(", *(f"{' ' * (indent + 4)}{part}," for part in spelled), f"{' ' * indent})"])


def _meeting(meeting: ChoreographyMeeting) -> dict[str, Any]:
    return {
        "name": meeting.name,
        "title": literal(meeting.title),
        "runs": meeting.runs,
        "schedule": _list(_heard_by(run, heard) for run, heard in meeting.schedule),
        "told": words_tuple(meeting.told, 8, "told="),
    }


def _heard_by(run: int, heard: Heard) -> str:
    inline = f"({run}, {_heard(heard, 0)})"
    if 12 + len(inline) < LINE and "\n" not in inline:
        return inline
    return f"(\n{' ' * 16}{run},\n{' ' * 16}{_heard(heard, 16)},\n{' ' * 12})"


def _list(members: Iterable[str]) -> str:
    """A list, one member a line."""
    inner = "".join(f"            {member},\n" for member in members)
    return f"[\n{inner}        ]" if inner else "[]"
