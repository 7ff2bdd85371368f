"""What choreographed participants do about resources that runs share: stand-ins write down who touches what.

No countermeasure is kept by the generated code: what the checker counts on and the business code has to do is reported.
"""

from __future__ import annotations

from collections.abc import Iterator

from halfopen.source import Source
from halfopen.vocabulary import Finding, Severity
from halfopen_generators.saga.meetings import locked, reread, touched
from halfopen_generators.saga.plan import SagaDesign, StepPlan
from halfopen_generators.saga.spec import Countermeasure
from halfopen_generators.saga.targets.python_names import LINE, literal
from halfopen_generators.saga.targets.python_resources import NOTES, notes

# What the generated code does otherwise than the spec says.
CODE = "TGT01"
# What is left to do where the spec keeps runs apart by something that this code does not keep: in the report, and above
# the business function.
_LEFT: dict[Countermeasure, str] = {
    "semantic-lock": "In business.py, mark {resource} as the run's in {action}'s transaction, and raise an error where "
    "another run holds it, so that the event comes again, as often as MAX_DELIVER says; have {service} hear the events "
    "that end a run ({ends}), and clear the mark on the first of them.",
    "reread-value": "In business.py, note the version of {resource} whenever a step of the run reads it; before "
    "{action} writes, compare, and raise participant.Refused if another run has counted it up since.",
}
_NOTES: dict[Countermeasure, str] = {
    "semantic-lock": "Yours to keep: mark {resource} as its run's until that has ended; raise an error where another "
    "run holds it.",
    "reread-value": "Yours to keep: read {resource} again; raise participant.Refused if another run has changed it.",
}


def unsupported(design: SagaDesign, source: Source) -> tuple[Finding, ...]:
    """What this target leaves to the business code though the checker counts on it."""
    return tuple(_not_kept(design, source))


def _not_kept(design: SagaDesign, source: Source) -> Iterator[Finding]:
    for step in design.steps:
        words = {"action": step.action, "service": step.service, "ends": ", ".join(design.ends)}
        for resource in (*locked(design, step), *reread(design, step)):
            measure = step.countermeasures[resource]
            left = _LEFT[measure].format(**words, resource=resource)
            yield Finding(
                code=CODE,
                severity=Severity.WARNING,
                title="A countermeasure is left to you",
                message=f"The generated code does not keep {measure} on {resource} at {step.name}. The checker counts "
                "on it; until your code keeps it, two runs can do to each other what SAG12 tells of.",
                evidence=(source.evidence("steps", step.spec_index, "countermeasures", resource),),
                fix=f"{left} Or choose orchestration, whose generated code keeps it.",
            )


def what_to_keep(design: SagaDesign, step: StepPlan) -> Iterator[str]:
    """What whoever fills in a step has to know of the resources that it touches."""
    yield from notes(design, step, NOTES | _NOTES)


def touches(design: SagaDesign, step: StepPlan) -> tuple[str, str]:
    """The lines by which the stand-ins of the action and of the compensation write down what they do to resources."""
    watched = touched(design, step)
    reads = [_fake("read", step.name, name) for name in watched if name in step.reads]
    writes = [name for name in watched if name in step.writes]
    wrote, restored = ("".join(_fake(what, step.name, name) for name in writes) for what in ("wrote", "restored"))
    return "".join(reads) + wrote, restored


def _fake(what: str, step: str, resource: str) -> str:
    """A line of a stand-in, laid out as the formatter would."""
    arguments = ("work", literal(step), literal(resource))
    line = f"    fakes.{what}({', '.join(arguments)})\n"
    if len(line) <= LINE + 1:
        return line
    return f"    fakes.{what}(\n" + "".join(f"        {each},\n" for each in arguments) + "    )\n"
