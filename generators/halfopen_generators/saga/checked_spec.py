"""The spec as checked: the user's spec with every decision filled in, as YAML that loads to the same design.

What was left out of the spec and decided is marked `# decided`; the reasons stand in DESIGN.md.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from halfopen.durations import spell_duration
from halfopen_generators.saga.plan import CompensationPlan, ParticipantPlan, RetryPlan, SagaDesign, StepPlan
from halfopen_generators.saga.policy import policy

if TYPE_CHECKING:
    from ruamel.yaml.comments import CommentedMap

_MARK = "decided"
_WIDE = 4096  # no line of a spec is folded


def checked_spec(design: SagaDesign) -> str:
    """The YAML text of the design as a spec."""
    from ruamel.yaml import YAML  # noqa: PLC0415 - 40 ms that only rendering needs

    decided = frozenset(decision.about for decision in design.decisions)
    tree = _block(
        {
            "saga": design.name,
            "description": design.description or None,
            "trigger": design.trigger,
            "style": design.style,
            "correlation_key": design.correlation_key,
            "deadline": spell_duration(design.deadline) if design.deadline else None,
            "visibility": design.visibility,
            "services": _block({name: _participant(plan) for name, plan in design.participants.items()}),
            "steps": _steps(design, decided),
            "ends": _block(design.ends) if design.ends else None,
            "faults": _flow(design.faults.model_dump()),
            "instances": design.instances,
        },
        decided & {"trigger", "correlation_key", "ends"},
    )
    tree.yaml_set_start_comment(
        "The spec as it was checked. What was left out and decided is marked; DESIGN.md has the reasons."
    )
    for name, plan in design.participants.items():
        generated = ", ".join(key for key, provision in plan.guarantees.items() if provision == "generated")
        if generated:
            tree["services"].yaml_add_eol_comment(f"generated code: {generated}", name)
    writer = YAML(typ="rt", pure=True)
    writer.width = _WIDE
    writer.indent(mapping=2, sequence=4, offset=2)
    stream = io.StringIO()
    writer.dump(tree, stream)
    return stream.getvalue()


def _steps(design: SagaDesign, decided: frozenset[str]) -> list[CommentedMap]:
    ordered = sorted(design.steps, key=lambda step: step.spec_index)
    befores = [None, *(step.name for step in ordered[:-1])]
    return [_step(design, step, before, _marks(step, decided)) for step, before in zip(ordered, befores, strict=True)]


def _marks(step: StepPlan, decided: frozenset[str]) -> frozenset[str]:
    prefix = f"steps[{step.spec_index}]."
    return frozenset(about.removeprefix(prefix) for about in decided if about.startswith(prefix))


def _step(design: SagaDesign, step: StepPlan, before: str | None, marks: frozenset[str]) -> CommentedMap:
    # A compensation that is missing must stay missing: a step said to be compensatable would be given one.
    undoable = step.compensation or step.read_only or step.irreversible or step.kind != "compensatable"
    return _block(
        {
            "name": step.name,
            "service": step.service,
            "after": _after(design, step, before),
            "consumes": _names(step.consumes),
            "action": step.action,
            "kind": step.kind if undoable else None,
            "can_be_refused": True if step.can_be_refused else None,
            "read_only": True if step.read_only else None,
            "irreversible": True if step.irreversible else None,
            "idempotent": True if step.idempotent else None,
            "emits": step.emits,
            "emits_on_refusal": step.emits_on_refusal,
            "compensation": _compensation(step.compensation),
            "timeout": _timeout(design, step),
            "retry": _retry(design, step.retry),
            "reads": _names(step.reads),
            "writes": _names(step.writes),
            "countermeasures": _flow(step.countermeasures) if step.countermeasures else None,
            "request": _flow(step.request) if step.request else None,
            "reply": _flow(step.reply) if step.reply else None,
        },
        frozenset("retry" if mark == "retry.attempts" else mark for mark in marks),
    )


def _after(design: SagaDesign, step: StepPlan, before: str | None) -> Any:
    """What a reader needs to be told: nothing where the order of the list, or the events, say it already."""
    if step.consumes:
        names = (
            other.name
            for event in step.consumes
            for other in sorted(design.steps, key=lambda step: step.spec_index)
            if event in (other.emits, other.emits_on_refusal) and other.name != step.name
        )
        said: tuple[str, ...] = tuple(dict.fromkeys(names))
    else:
        said = (before,) if before else ()
    return None if said == step.after else _list(step.after)


def _timeout(design: SagaDesign, step: StepPlan) -> str | None:
    # In choreography nobody waits for an answer, so a default that nobody asked for would mislead.
    if not design.orchestrated and step.timeout == policy().defaults.timeout.value:
        return None
    return spell_duration(step.timeout)


def _retry(design: SagaDesign, retry: RetryPlan) -> CommentedMap | None:
    if not design.orchestrated and retry == RetryPlan(None, *policy().defaults.retry(None)):
        return None
    return _flow(
        {
            "attempts": retry.attempts,
            "backoff": spell_duration(retry.backoff),
            "factor": int(retry.factor) if retry.factor == int(retry.factor) else retry.factor,
            "max_backoff": spell_duration(retry.max_backoff),
            "jitter": retry.jitter,
        }
    )


def _compensation(plan: CompensationPlan | None) -> CommentedMap | str | None:
    if plan is None:
        return None
    keys = {
        "action": plan.action,
        "consumes": _names(plan.consumes),
        "emits": plan.emits,
        "can_be_refused": True if plan.can_be_refused else None,
        "idempotent": True if plan.idempotent else None,
    }
    given = [key for key, value in keys.items() if value is not None]
    return plan.action if given == ["action"] else _flow(keys)


def _participant(plan: ParticipantPlan) -> CommentedMap:
    words = {"has": True, "lacks": False, "generated": None}
    stated: dict[str, bool | None] = {guarantee: words[provision] for guarantee, provision in plan.guarantees.items()}
    return _flow({"external": True if plan.external else None, "team": plan.team, **stated})


def _block(keys: Mapping[str, Any], decided: Iterable[str] = ()) -> CommentedMap:
    """Those of the keys that hold something, each on a line of its own."""
    from ruamel.yaml.comments import CommentedMap  # noqa: PLC0415 - see above

    tree = CommentedMap({key: value for key, value in keys.items() if value is not None})
    for key in sorted(set(decided) & set(tree)):
        tree.yaml_add_eol_comment(_MARK, key)
    return tree


def _flow(keys: Mapping[str, Any]) -> CommentedMap:
    tree = _block(keys)
    tree.fa.set_flow_style()
    return tree


def _names(names: tuple[str, ...]) -> Any:
    return _list(names) if names else None


def _list(names: tuple[str, ...]) -> Any:
    from ruamel.yaml.comments import CommentedSeq  # noqa: PLC0415 - see above

    found = CommentedSeq(names)
    found.fa.set_flow_style()
    return found
