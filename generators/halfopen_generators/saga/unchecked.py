"""What of a design nobody has looked at, so that a report never passes over it in silence."""

from __future__ import annotations

from collections.abc import Iterator

from halfopen import __version__
from halfopen.vocabulary import Check, Status
from halfopen_generators.saga.plan import SagaDesign


def unchecked(design: SagaDesign) -> Iterator[Check]:
    """A skipped check for each question that the spec leaves out."""
    if design.instances == 1 and (shared := _uncovered(design)):
        yield Check(
            name="isolation between runs",
            tool="halfopen",
            version=__version__,
            status=Status.SKIPPED,
            detail=(
                f"one run alone was explored; whether two that meet on {', '.join(shared)} lose or misread anything is "
                "open: say `instances: 2` in the spec"
            ),
        )


def _uncovered(design: SagaDesign) -> list[str]:
    """The resources on which two runs can meet, one of them writing, where a step has no countermeasure."""
    written = {(step.service, resource) for step in design.steps for resource in step.writes}
    touched = (
        resource
        for step in design.steps
        for resource in (*step.reads, *step.writes)
        if (step.service, resource) in written and resource not in step.countermeasures
    )
    return list(dict.fromkeys(touched))
