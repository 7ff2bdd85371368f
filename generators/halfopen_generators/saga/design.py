"""Every decision about a saga: pure, from the spec and the policy alone, each with its reason."""

from __future__ import annotations

from collections.abc import Mapping

from halfopen.registry import Options
from halfopen.source import Source
from halfopen.templates import pascal, words
from halfopen.vocabulary import Decision
from halfopen_generators.saga import contracts, events, kinds
from halfopen_generators.saga.plan import (
    GUARANTEES,
    CompensationPlan,
    ParticipantPlan,
    Provision,
    RetryPlan,
    SagaDesign,
    StepPlan,
)
from halfopen_generators.saga.policy import policy
from halfopen_generators.saga.references import check_order, check_references, dependencies, order
from halfopen_generators.saga.spec import Guarantee, Kind, Participant, SagaSpec, Step, Style

CONSISTENCY_LAW = 4
RESILIENCE_LAW = 5
IDEMPOTENCY_LAW = 7
SAGA_LAW = 9


def design(spec: SagaSpec, source: Source, options: Options) -> SagaDesign:
    """The saga with everything decided.

    Raises:
        BadInput: names in the spec don't meet, or steps wait for each other.
    """
    del options  # the target changes what is rendered, never what is decided
    check_references(spec, source)
    decided: list[Decision] = []
    style = _style(spec, decided)
    spec = events.named(spec, style, decided)
    check_order(spec, source)
    inferred = kinds.infer(spec, decided)
    dependency = dependencies(spec)
    names = order(spec)
    by_name = {step.name: (index, step) for index, step in enumerate(spec.steps)}
    steps = tuple(
        _step(position, *by_name[name], inferred[name], dependency[name], style, decided)
        for position, name in enumerate(names)
    )
    designed = SagaDesign(
        name=spec.saga,
        description=spec.description,
        trigger=_trigger(spec, steps, decided),
        style=style,
        correlation_key=_correlation_key(spec, decided),
        deadline=spec.deadline,
        visibility=spec.visibility,
        steps=steps,
        participants=_participants(spec),
        ends=events.ends(spec, style, decided),
        faults=spec.faults,
        instances=spec.instances,
        decisions=tuple(decided),
    )
    contracts.problems(designed, source)
    return designed


def _style(spec: SagaSpec, decided: list[Decision]) -> Style:
    others: dict[Style, tuple[str, ...]] = {
        "orchestration": ("choreography", "event-sourced"),
        "choreography": ("orchestration", "event-sourced"),
        "event-sourced": ("orchestration", "choreography"),
    }
    style, because = (spec.style, "The spec asks for it.") if spec.style else _recommend_style(spec)
    decided.append(Decision(about="style", choice=style, because=because, instead_of=others[style], law=SAGA_LAW))
    return style


def _recommend_style(spec: SagaSpec) -> tuple[Style, str]:
    most = policy().choreography.most_steps.value
    if any(step.consumes or step.emits for step in spec.steps):
        return "choreography", "The steps already say which events they react to."
    dependency = dependencies(spec)
    waited_for = [name for names in dependency.values() for name in names]
    branches = any(len(names) > 1 for names in dependency.values()) or len(set(waited_for)) < len(waited_for)
    teams = {service.team for service in spec.services.values() if service.team}
    reasons = []
    if len(spec.steps) > most:
        reasons.append(f"{len(spec.steps)} steps are more than the {most} whose flow people can follow by events")
    if branches:
        reasons.append("steps branch and join, and a join needs somebody who remembers what is in")
    if spec.visibility == "required":
        reasons.append("somebody must be able to ask where a run stands")
    if spec.deadline is not None:
        reasons.append("a deadline needs somebody who watches the clock")
    if reasons:
        return "orchestration", f"{_sentence(reasons)}."
    if len(teams) > 1 and spec.visibility == "optional":
        return "choreography", (
            f"{len(spec.steps)} steps in a row, {len(teams)} teams that can stay apart, and nobody needs to ask "
            "where a run stands."
        )
    return "orchestration", (
        "Nothing speaks against a leader, and one place that holds the flow is the easier one to debug. "
        "With several teams and `visibility: optional` choreography would be recommended."
    )


def _sentence(parts: list[str]) -> str:
    text = "; ".join(parts)
    return text[:1].upper() + text[1:]


def _trigger(spec: SagaSpec, steps: tuple[StepPlan, ...], decided: list[Decision]) -> str:
    if spec.trigger:
        return spec.trigger
    consumed = [event for step in steps if not step.after for event in step.consumes]
    choice = consumed[0] if consumed else f"Start{pascal(spec.saga)}"
    because = "The first step consumes it." if consumed else "Left out; named after the saga."
    decided.append(Decision(about="trigger", choice=choice, because=because))
    return choice


def _correlation_key(spec: SagaSpec, decided: list[Decision]) -> str:
    if spec.correlation_key:
        return spec.correlation_key
    because = (
        "Left out: every run gets an id of its own, and each message carries it. A business key would show "
        "retries by the caller, too."
    )
    decided.append(Decision(about="correlation_key", choice="saga_id", because=because, instead_of=("a business key",)))
    return "saga_id"


def _step(
    position: int,
    spec_index: int,
    step: Step,
    kind: Kind,
    after: tuple[str, ...],
    style: Style,
    decided: list[Decision],
) -> StepPlan:
    return StepPlan(
        index=position,
        spec_index=spec_index,
        name=step.name,
        service=step.service,
        action=step.action,
        kind=kind,
        after=after,
        compensation=_compensation(step, spec_index, kind, decided),
        can_be_refused=step.can_be_refused,
        read_only=step.read_only,
        idempotent=step.idempotent,
        irreversible=step.irreversible,
        timeout=_timeout(step, spec_index, style, decided),
        retry=_retry(step, spec_index, kind, style, decided),
        reads=step.reads,
        writes=step.writes,
        countermeasures=dict(step.countermeasures),
        request=dict(step.request),
        reply=dict(step.reply),
        consumes=step.consumes,
        emits=step.emits,
        emits_on_refusal=step.emits_on_refusal,
    )


def _timeout(step: Step, spec_index: int, style: Style, decided: list[Decision]) -> float:
    if step.timeout is not None:
        return step.timeout
    figure = policy().defaults.timeout
    if style != "choreography":
        about = f"steps[{spec_index}].timeout"
        decided.append(Decision(about=about, choice=f"{figure.value:g}s", because=figure.source, law=RESILIENCE_LAW))
    return figure.value


def _compensation(step: Step, spec_index: int, kind: Kind, decided: list[Decision]) -> CompensationPlan | None:
    asked = step.compensation
    if asked is not None:
        return CompensationPlan(
            action=asked.action,
            consumes=asked.consumes,
            emits=asked.emits,
            can_be_refused=asked.can_be_refused,
            idempotent=asked.idempotent,
        )
    if kind != "compensatable" or step.kind is None or step.read_only or step.irreversible:
        return None
    name = compensation_name(step.action)
    because = f"The step is said to be compensatable, and {name} is what undoes {step.action}."
    decided.append(Decision(about=f"steps[{spec_index}].compensation", choice=name, because=because, law=SAGA_LAW))
    return CompensationPlan(name, (), None, can_be_refused=False, idempotent=False)


def compensation_name(action: str) -> str:
    """What undoes an action, by its verb: ReserveStock gives ReleaseStock; an unknown verb gives UndoVerb."""
    verb, *rest = [word.capitalize() for word in words(action)]
    opposite = policy().compensations.get(verb)
    return "".join([opposite, *rest]) if opposite else f"Undo{verb}{''.join(rest)}"


def _retry(step: Step, spec_index: int, kind: Kind, style: Style, decided: list[Decision]) -> RetryPlan:
    defaults = policy().defaults
    asked = step.retry.attempts if step.retry else None
    attempts, because = asked, ""
    if asked is None:
        attempts, because = _attempts(step, kind, style)
    if because and style != "choreography":
        choice = "until answered" if attempts is None else f"{attempts} attempts"
        about = f"steps[{spec_index}].retry.attempts"
        decided.append(Decision(about=about, choice=choice, because=because, law=RESILIENCE_LAW))
    return RetryPlan(attempts, *defaults.retry(step.retry))


def _attempts(step: Step, kind: Kind, style: Style) -> tuple[int | None, str]:
    if style == "choreography":
        return None, "A participant handles an event until it has committed."
    if kind == "retriable":
        return None, "It is retriable: nothing undoes it, so it is asked until it succeeds."
    if kind == "pivot" and step.compensation is None:
        return None, (
            "Nothing undoes the pivot, so an unknown outcome can't be given up on: it is asked again, with the "
            "same idempotency key, until it answers."
        )
    figure = policy().defaults.attempts
    return figure.value, figure.source


def _participants(spec: SagaSpec) -> Mapping[str, ParticipantPlan]:
    named = dict.fromkeys([*spec.services, *(step.service for step in spec.steps)])
    return {name: _participant(name, spec.services.get(name, Participant())) for name in named}


def _participant(name: str, asked: Participant) -> ParticipantPlan:
    guarantees = {guarantee: _provision(asked, guarantee) for guarantee in GUARANTEES}
    return ParticipantPlan(name, asked.external, asked.team, guarantees)


def _provision(asked: Participant, guarantee: Guarantee) -> Provision:
    stated: bool | None = getattr(asked, guarantee)
    if stated is None:
        return "lacks" if asked.external else "generated"
    return "has" if stated else "lacks"
